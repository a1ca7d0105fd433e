"""Stands in for juliacall where no Julia is new enough for the real one.

It embeds any Julia by its C interface and offers what mlpflow uses: ``Main.seval``, values that are
callable with numbers and text, with ``_jl_call_nogil``, and ``JuliaError``. Calls really run inside
this process, without the interpreter's lock. What it cannot do: calls from other threads than the
one that started Julia, which Julia takes from 1.9 on.
"""

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

__version__ = "0.0-stand-in"

PRELUDE = r"""
module StandIn
const kept = Any[]
keep(x) = (push!(kept, x); length(kept))
failure = ""
function guarded(f)
    global failure = ""
    try
        return f()
    catch e
        failure = sprint(showerror, e, catch_backtrace())
        return 0
    end
end
evaluate(code) = guarded(() -> keep(Core.eval(Main, Meta.parse("begin\n" * code * "\nend"))))
call(f, arguments) = guarded(() -> keep(Base.invokelatest(kept[f], arguments...)))
# A property becomes a value of its own; text is read through its address.
property(f, name) = guarded(() -> keep(getproperty(kept[f], Symbol(name))))
text(i) = (s = i == 0 ? failure : string(kept[i]); push!(kept, s); (pointer(s), sizeof(s)))
quick(f::Int, a::Int, n::Int) = guarded(() -> (Base.invokelatest(kept[f], a, n); 1))
const quick_pointer = @cfunction(quick, Int, (Int, Int, Int))
end
"""


class JuliaError(Exception):
    """An error in Julia code, with its stack trace in the text."""


class Value:
    """Something that lives in Julia, by its number in the list of what is kept."""

    def __init__(self, number):
        self._number = number

    def __call__(self, *arguments):
        listed = "".join(f"{_literal(a)}, " for a in arguments)
        return _result(f"StandIn.call({self._number}, ({listed}))")

    def _jl_call_nogil(self, address, length):
        _on_the_right_thread()
        if not _quick(self._number, address, length):
            raise JuliaError(_text(0))

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _result(f"StandIn.property({self._number}, {_literal(name)})")

    def __str__(self):
        return _text(self._number)

    def seval(self, code):
        """Evaluate code in Main."""
        return _result(f"StandIn.evaluate({_literal(code)})")


def _literal(value):
    if isinstance(value, str):
        return "String(UInt8[" + ",".join(str(b) for b in value.encode()) + "])"
    return repr(int(value))


def _on_the_right_thread():
    if threading.current_thread() is not _thread:
        raise JuliaError("the stand-in cannot be called from another thread")


def _number(code):
    _on_the_right_thread()
    return _unbox(_evaluate(code.encode()))


def _result(code):
    number = _number(code)
    if number == 0:
        raise JuliaError(_text(0))
    return Value(number)


def _text(number):
    size = _number(f"StandIn.text({number})[2]")
    return ctypes.string_at(_number("Int(pointer(StandIn.kept[end]))"), size).decode()


def _load():
    julia = os.environ.get("PYTHON_JULIACALL_EXE") or "julia"
    program = (
        'import Libdl; is_it(path) = startswith(basename(path), "libjulia."); '
        'print(first(filter(is_it, Libdl.dllist())), "\\0", Sys.BINDIR, "\\0", '
        "unsafe_string(Base.JLOptions().image_file))"
    )
    command = [julia, "--startup-file=no", "-O0", "--compile=min", "-e", program]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    library, bindir, image = answer.split("\0")
    lib = ctypes.PyDLL(library, mode=ctypes.RTLD_GLOBAL)
    options = [julia, "--startup-file=no"]
    if os.environ.get("PYTHON_JULIACALL_HANDLE_SIGNALS", "no") == "no":
        options.append("--handle-signals=no")
    argv = (ctypes.c_char_p * len(options))(*(o.encode() for o in options))
    count, vector = ctypes.c_int(len(options)), ctypes.POINTER(ctypes.c_char_p)(argv)
    lib.jl_parse_opts(ctypes.byref(count), ctypes.byref(vector))
    names = ("jl_init_with_image__threading", "jl_init_with_image")
    start = next(getattr(lib, name) for name in names if hasattr(lib, name))
    image = os.environ.get("PYTHON_JULIACALL_SYSIMAGE", image)
    start(bindir.encode(), str(Path(image)).encode())
    return lib


CONFIG = {"inited": False}
_thread = threading.current_thread()
_lib = CONFIG["lib"] = _load()
_evaluate = _lib.jl_eval_string
_evaluate.argtypes, _evaluate.restype = [ctypes.c_char_p], ctypes.c_void_p
_unbox = _lib.jl_unbox_int64
_unbox.argtypes, _unbox.restype = [ctypes.c_void_p], ctypes.c_int64
if _evaluate(PRELUDE.encode()) is None:
    raise ImportError("the stand-in for juliacall did not start")
_pointer = _number("Int(StandIn.quick_pointer)")
# CFUNCTYPE gives the interpreter's lock away for the time of the call, as _jl_call_nogil does.
_quick = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 3)(_pointer)
Main = Value(_number("StandIn.keep(Main)"))
CONFIG["inited"] = True
sys.modules[__name__].__doc__ += f"\nJulia: {_text(_number('StandIn.keep(VERSION)'))}\n"
