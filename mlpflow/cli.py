"""The command ``mlpflow``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from . import __version__
from .engine import EngineError

__all__ = ["main"]

# Exit codes: 0 all is well, 1 something is missing or failed, 2 input that cannot be used.
FAILED, BAD_INPUT, STOPPED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Examples
    --------
    >>> from mlpflow.cli import main
    >>> main(["train", "nowhere.csv", "--target", "y"])
    2
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ValueError as error:
        print(f"mlpflow: {error}", file=sys.stderr)
        return BAD_INPUT
    except (EngineError, OSError) as error:
        print(f"mlpflow: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("mlpflow: stopped", file=sys.stderr)
        return STOPPED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mlpflow",
        description="Multi-layer perceptrons as mathematical objects: trained to true minima.",
    )
    parser.add_argument("--version", action="version", version=f"mlpflow {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_demo, _add_train, _add_predict, _add_doctor, _add_setup):
        add(commands)
    return parser


Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "demo", help="train two networks to a minimum, with a report and pictures"
    )
    command.add_argument("--out", default="out", help="folder for the results (default: out)")
    command.add_argument("--seed", type=int, help="another start than the one that is shown")
    command.set_defaults(run=_demo)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    _add_training_keywords(command)
    command.set_defaults(run=_train)


def _add_training_keywords(command: argparse.ArgumentParser) -> None:
    """The keywords of `mlpflow.train`, whose defaults hold where nothing is given."""
    group = command.add_argument_group("training, as the keywords of mlpflow.train")
    group.add_argument(
        "--losstype", choices=["mse", "cross_entropy"], default="mse", help="(default: mse)"
    )
    group.add_argument("--alg", help="integrator of the flow: auto, DP5, Rodas5P")
    group.add_argument("--maxT", type=float, help="flow time to stop at")
    group.add_argument("--abstol", type=float, help="absolute tolerance of the flow")
    group.add_argument("--reltol", type=float, help="relative tolerance of the flow")
    group.add_argument("--maxtime-ode", type=float, help="seconds for the flow")
    group.add_argument("--maxiterations-ode", type=int, help="steps of the flow")
    group.add_argument("--optim-solver", help="auto, newton, bfgs")
    group.add_argument("--maxtime-optim", type=float, help="seconds for the optimizer")
    group.add_argument("--maxiterations-optim", type=int, help="iterations of the optimizer")
    group.add_argument("--min-gnorm", type=float, help="gradient norm to stop at")
    group.add_argument("--minloss", type=float, help="loss to stop at")
    group.add_argument("--patience", type=int, help="iterations without a better loss")
    group.add_argument("--maxnorm", type=float, help="keeps the parameters finite")


TRAINING_KEYWORDS = (
    "alg",
    "maxT",
    "abstol",
    "reltol",
    "maxtime_ode",
    "maxiterations_ode",
    "optim_solver",
    "maxtime_optim",
    "maxiterations_optim",
    "min_gnorm",
    "minloss",
    "patience",
    "maxnorm",
)


def _add_predict(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("predict", help="predictions of a trained network")
    command.add_argument("directory", help="what train wrote, such as out/penguins")
    command.add_argument("file", metavar="FILE.csv", help="the columns it was trained on")
    command.set_defaults(run=_predict)


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("doctor", help="what is used, and what mends what is missing")
    command.set_defaults(run=_doctor)


def _add_setup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("setup", help="find Julia, or install it on Debian")
    command.set_defaults(run=_setup)


def _demo(options: argparse.Namespace) -> int:
    from .demo import run_demo

    return 0 if run_demo(options.out, seed=options.seed) else FAILED


def _train(options: argparse.Namespace) -> int:
    from .tabular import train_on_table

    keywords = {
        name: getattr(options, name)
        for name in TRAINING_KEYWORDS
        if getattr(options, name) is not None
    }
    train_on_table(
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
        keywords=keywords,
    )
    return 0


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
