"""Every snippet and link of README.md and docs/ holds."""

import re
import shlex
import subprocess
from pathlib import Path

import matplotlib as mpl
import pytest

from mlpflow.cli import main
from mlpflow.engine.discovery import find_julia
from mlpflow.options import TrainOptions
from mlpflow.status import Status

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = [
    ROOT / name for name in ("CONTRIBUTING.md", "examples/README.md", "examples/data/README.md")
]


def snippets(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def table_column(page, heading):
    """The code names in the first column of the table with this heading."""
    table = page.read_text().split(heading)[1].split("\n\n")[0]
    return [re.findall(r"`([^`]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_snippets_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names = {}
    for snippet in snippets(page, "python"):
        exec(compile(snippet, page.name, "exec"), names)
    plt.close("all")


def test_readme_has_both_languages():
    assert snippets(ROOT / "README.md", "python") and snippets(ROOT / "README.md", "julia")


def test_julia_snippets_and_examples_run(tmp_path):
    """In one process, each in a module of its own."""
    sources = [text for page in PAGES for text in snippets(page, "julia")]
    sources += [path.read_text() for path in sorted((ROOT / "examples").glob("*.jl"))]
    program = ""
    for number, source in enumerate(sources):
        (tmp_path / f"{number}.jl").write_text(source)
        program += f'module Snippet{number}\ninclude(raw"{tmp_path}/{number}.jl")\nend\n'
    (tmp_path / "all.jl").write_text(program + 'println("all ran")\n')
    command = [find_julia().path, "--startup-file=no", f"--project={ROOT}", tmp_path / "all.jl"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("all ran\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_run(page, monkeypatch, tmp_path, capsys):
    """Those that name a file of the repository; the others are patterns."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for snippet in snippets(page, "sh"):
        for line in snippet.splitlines():
            program, *arguments = shlex.split(line.partition(">")[0], comments=True) or [""]
            if program == "mlpflow" and "examples/data/penguins.csv" in arguments:
                assert main(arguments) == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_make_verbs_exist_and_ci_runs_the_test_command():
    verbs = re.findall(r"^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert verbs == ["demo", "test"]
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{verb}:" in makefile for verb in verbs)
    assert (ROOT / ".ci" / "run").read_text().endswith("\nmake test\n")


# Defaults that the page says in words.
IN_WORDS = ("maxnorm", "merge", "tauinv", "callback", "progress", "maxevaluations_ode", "batchsize")


def test_training_page_tells_the_defaults():
    page = (ROOT / "docs" / "training.md").read_text()
    options = TrainOptions().to_dict()
    section = page.split("## Keywords")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \| (\S+) \|", section, re.MULTILINE)
    shown = {name: default for names, default in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(options) - set(shown) == {"verbosity"}
    for name, default in shown.items():
        if name in IN_WORDS or options[name] is None:
            continue
        value = (
            default.strip("`")
            .strip('"')
            .replace("10⁵", "1e5")
            .replace("10⁶", "1e6")
            .replace("False", "0")
        )
        expected = options[name]
        assert (float(value) == expected) if not isinstance(expected, str) else (value == expected)


def test_training_page_explains_every_status():
    listed = table_column(ROOT / "docs" / "training.md", "and only for those.\n\n")
    assert [name for names in listed for name in names] == [status.value for status in Status]


def test_troubleshooting_quotes_messages_that_exist():
    """Each quoted part of a message stands in the sources, whatever is put into its gaps."""
    section = (ROOT / "README.md").read_text().split("## When something is wrong")[1]
    quoted = re.findall(r"^\| `(.+?)` \|", section.split("\n## ")[0], re.MULTILINE)
    assert len(quoted) >= 10
    text = "\n".join(path.read_text() for path in (ROOT / "mlpflow").rglob("*.py"))
    # Messages are broken into lines and have gaps for names.
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    told_by_julia = ("permission denied", "was killed by SIGKILL")
    for message in quoted:
        for part in message.split(" ... "):
            part = part.replace(", got worker", ", got ")
            assert part in text or any(words in part for words in told_by_julia), part
