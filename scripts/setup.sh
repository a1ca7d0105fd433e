#!/usr/bin/env bash
# Sets up everything that `make demo` and `make test` need: a virtual environment in .venv with this package (editable)
# and its dependencies, a Julia, and for a Julia older than 1.9 a system image with the engine compiled in. Run it as often as
# you like: what is there already is left alone. A system image is tried once in a clone; after a change of the engine
# --image builds it again (`make setup`).
#
#   PYTHON=/path/to/python3   the Python to build .venv with
#   MLPFLOW_JULIA=/path       the Julia to use
#   MLPFLOW_IMAGE=no          no system image
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python3}
VENV=.venv
STAMP=$VENV/mlpflow-setup # what the environment was built from; written last, so a broken-off set-up has none
JULIA_PATH=$VENV/julia-path
IMAGE_TRIED=$VENV/image-tried
LOG=$VENV/setup.log

say() { echo "set-up: $*"; }

fail() {
    echo "set-up: $*" >&2
    exit 1
}

fingerprint() {
    { cat pyproject.toml constraints.txt hatch_build.py scripts/setup.sh && pwd; } | cksum
}

python_is_new_enough() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))'
}

python_is_ready() {
    [[ -f $STAMP && "$(<"$STAMP")" == "$(fingerprint)" && -x $VENV/bin/python ]] &&
        "$VENV/bin/python" -c 'import sys' 2>/dev/null
}

install_venv_module() {
    "$PYTHON" -c 'import ensurepip' 2>/dev/null && return
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        fail "$PYTHON cannot make virtual environments: install python3-venv (as root: apt-get install python3-venv), then try again"
    fi
    say "installing Debian's python3-venv, without which $PYTHON makes no virtual environment"
    local log
    log=$(mktemp)
    # A package installation that was broken off earlier is finished first.
    if ! { dpkg --configure -a && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 \
        install -y --no-install-recommends python3-venv; } >"$log" 2>&1; then
        fail "'apt-get install python3-venv' failed (see $log): check the network and apt's configuration, then try again"
    fi
    rm -f "$log"
    "$PYTHON" -c 'import ensurepip' 2>/dev/null ||
        fail "$PYTHON still cannot make virtual environments: set PYTHON to one that can, such as PYTHON=/usr/bin/python3"
}

pip_install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "$@" >>"$LOG" 2>&1 ||
        fail "'pip install $*' failed (see $LOG): check the network, then try again"
}

set_up_python() {
    command -v "$PYTHON" >/dev/null || fail "no '$PYTHON': install Python 3.11 or newer, or set PYTHON to its path"
    python_is_new_enough || fail "$PYTHON is $("$PYTHON" --version): Python 3.11 or newer is needed; set PYTHON to its path"
    install_venv_module
    if [[ -d $VENV ]] && ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        say "removing the broken $VENV"
        rm -rf "$VENV"
    fi
    if [[ ! -d $VENV ]]; then
        say "making the virtual environment $VENV with $("$PYTHON" --version)"
        "$PYTHON" -m venv "$VENV" || fail "'$PYTHON -m venv $VENV' failed: remove $VENV and try again"
    fi
    rm -f "$STAMP"
    : >"$LOG"
    say "installing PyTorch, for the conversions and their tests (a few minutes at most; log: $LOG)"
    pip_install torch # the version in constraints.txt
    say "installing mlpflow (editable) and its other dependencies"
    pip_install --editable '.[dev,plot,torch]'
    fingerprint >"$STAMP"
}

set_up_julia() {
    # The paths noted at the last set-up save the search; a Julia that is named explicitly is always looked at.
    if [[ -z ${MLPFLOW_JULIA:-} && -s $JULIA_PATH && -x "$(<"$JULIA_PATH")" ]]; then return; fi
    local path
    path=$(MLPFLOW_PYTHON="$VENV/bin/python" bash scripts/julia.sh) || exit 1
    [[ -s $JULIA_PATH && "$(<"$JULIA_PATH")" == "$path" ]] || echo "$path" >"$JULIA_PATH"
}

# Without one everything works, a first call only takes longer: no reason to fail.
set_up_image() {
    if [[ $1 != --image && -f $IMAGE_TRIED ]]; then return; fi
    MLPFLOW_JULIA=$(<"$JULIA_PATH") "$VENV/bin/python" -m mlpflow.juliaimage || true
    : >"$IMAGE_TRIED"
}

started=$SECONDS
if python_is_ready; then fresh=no; else
    fresh=yes
    set_up_python
fi
set_up_julia
set_up_image "${1:-}"
if [[ $fresh == yes ]]; then
    say "done in $((SECONDS - started)) s; 'make demo' runs the demonstration, '$VENV/bin/mlpflow doctor' shows what is used"
else
    say "nothing to do"
fi
