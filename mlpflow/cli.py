"""The command ``mlpflow``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import __version__
from .engine import EngineError

__all__ = ["main"]

# Exit codes: 0 all is well, 1 something is missing or failed, 2 input that cannot be used.
FAILED, BAD_INPUT, STOPPED = 1, 2, 130

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Examples
    --------
    >>> from mlpflow.cli import main
    >>> main(["train", "nowhere.csv", "--target", "y"])
    2
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(arguments).parse_args(arguments)
    try:
        code: int = options.run(options)
    except ValueError as error:
        print(f"mlpflow: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # Whoever read our output has seen enough, as in `mlpflow predict ... | head`. Python would
        # complain once more when it flushes the output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (EngineError, OSError) as error:
        print(f"mlpflow: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("mlpflow: stopped", file=sys.stderr)
        return STOPPED
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlpflow",
        description="Multi-layer perceptrons as mathematical objects: trained to true minima.",
    )
    parser.add_argument("--version", action="version", version=f"mlpflow {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_demo, _add_train, _add_predict, _add_doctor, _add_setup):
        command = add(commands)
        # Only here is NumPy needed, and the doctor must work where it is missing.
        if add is _add_train and "train" in arguments[:1]:
            _add_training_keywords(command)
    return parser


def _add_demo(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser(
        "demo", help="train two networks to a minimum, with a report and pictures"
    )
    command.add_argument("--out", default="out", help="folder for the results (default: out)")
    command.add_argument("--seed", type=int, help="another start than the one that is shown")
    command.set_defaults(run=_demo)
    return command


def _add_train(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser("train", help="train a network on a table of numbers")
    command.add_argument("file", metavar="FILE.csv", help="header row, then rows of numbers")
    command.add_argument("--target", required=True, metavar="COLUMN", help="what to predict")
    command.add_argument(
        "--inputs", metavar="COLUMN,...", help="what to predict it from (default: all others)"
    )
    command.add_argument(
        "--layers",
        default="10:tanh,1",
        metavar="WIDTH:ACTIVATION,...",
        help="hidden layers and output (default: %(default)s)",
    )
    command.add_argument("--no-bias", action="store_true", help="layers without biases")
    command.add_argument(
        "--no-standardise",
        action="store_true",
        help="leave the columns in their units (default: mean 0, standard deviation 1)",
    )
    command.add_argument("--seed", type=int, default=0, help="of the start (default: 0)")
    command.add_argument("--out", default="out", help="folder for the results (default: out)")
    command.add_argument("--name", help="folder in it (default: the file's name)")
    command.set_defaults(run=_train)
    return command


# Keywords of `mlpflow.train` with the type of their values and what they mean.
TRAINING_KEYWORDS: dict[str, tuple[type, str]] = {
    "alg": (str, "integrator of the flow, such as auto or Rodas5P; or Adam, AdamW, RMSprop"),
    "maxT": (float, "flow time to stop at"),
    "abstol": (float, "absolute tolerance of the flow"),
    "reltol": (float, "relative tolerance of the flow"),
    "maxtime_ode": (float, "seconds for the flow; 0 leaves it out"),
    "maxiterations_ode": (int, "steps of the flow"),
    "optim_solver": (
        str,
        "auto, newton, newton_cg, levenberg_marquardt, gauss_newton, bfgs or lbfgs",
    ),
    "maxtime_optim": (float, "seconds for the optimizer; 0 leaves it out"),
    "maxiterations_optim": (int, "iterations of the optimizer"),
    "min_gnorm": (float, "infinity norm of the gradient to stop at"),
    "minloss": (float, "loss to stop at"),
    "patience": (int, "iterations without a better loss before giving up"),
    "maxnorm": (float, "bound on the parameters' mean square over 2, softly kept"),
}


def _add_training_keywords(command: argparse.ArgumentParser) -> None:
    """The keywords, with the defaults that `mlpflow.train` has."""
    from .options import TrainOptions

    defaults = TrainOptions().to_dict()
    group = command.add_argument_group("training, as the keywords of mlpflow.train")
    group.add_argument(
        "--losstype",
        choices=["mse", "cross_entropy"],
        default="mse",
        help="cross_entropy: the target holds labels 0, 1, 2, ... (default: mse)",
    )
    for name, (kind, meaning) in TRAINING_KEYWORDS.items():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=defaults[name],
            metavar={str: "NAME", int: "COUNT", float: "NUMBER"}[kind],
            help=f"{meaning} (default: {defaults[name]:{'g' if kind is float else ''}})",
        )


def _add_predict(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser("predict", help="predictions of a trained network")
    command.add_argument("directory", help="what train wrote, such as out/penguins")
    command.add_argument("file", metavar="FILE.csv", help="the columns it was trained on")
    command.set_defaults(run=_predict)
    return command


def _add_doctor(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser("doctor", help="what is used, and what mends what is missing")
    command.set_defaults(run=_doctor)
    return command


def _add_setup(commands: Commands) -> argparse.ArgumentParser:
    command = commands.add_parser("setup", help="find Julia, or install it on Debian")
    command.set_defaults(run=_setup)
    return command


def _demo(options: argparse.Namespace) -> int:
    from .demo import run_demo

    return 0 if run_demo(options.out, seed=options.seed) else FAILED


def _train(options: argparse.Namespace) -> int:
    from .tabular import train_on_table

    outcome = train_on_table(
        options.file,
        options.target,
        inputs=_names(options.inputs),
        layers=options.layers,
        bias=not options.no_bias,
        standardise=not options.no_standardise,
        losstype=options.losstype,
        seed=options.seed,
        out=options.out,
        name=options.name,
        keywords={name: getattr(options, name) for name in TRAINING_KEYWORDS},
    )
    return STOPPED if outcome.interrupted else 0


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] if text else None


def _predict(options: argparse.Namespace) -> int:
    from .tabular import predict_table

    predict_table(options.directory, options.file, sys.stdout)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from .doctor import examine, format_findings, healthy

    findings = examine()
    print(format_findings(findings))
    return 0 if healthy(findings) else FAILED


def _setup(options: argparse.Namespace) -> int:
    from .juliasetup import set_up_julia

    return set_up_julia()
