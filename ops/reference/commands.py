"""docs/reference/commands.md: every command of this repository, read off the Makefile and the modules."""

import ast
import re
from pathlib import Path

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

from ops.cli.app import app
from ops.reference.pages import ROOT, page, section, table

_VERB = re.compile(r"^([a-z-]+):.*?## (.+)$", re.MULTILINE)
_ROOMS = ("ops", "runtime", "local", "benchmarks")
_MAIN = re.compile(r'^if __name__ == "__main__":', re.MULTILINE)


def render() -> str:
    return page(
        "Commands",
        "What can be typed. Every `python -m` command of several options explains them with `--help`.",
        section("`make`", table(("verb", "what it does"), verbs())),
        section("`python -m`", table(("command", "what it is"), modules())),
        _operators(),
    )


def verbs() -> list[tuple[str, str]]:
    """Every verb of the Makefile with its line of help."""
    return [(f"`make {name}`", text) for name, text in _VERB.findall((ROOT / "Makefile").read_text())]


def modules() -> list[tuple[str, str]]:
    """Every module that is a command, with the first sentence it says of itself."""
    found = []
    for room in _ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text()
            if path.name != "__main__.py" and not _MAIN.search(text):
                continue
            said = ast.get_docstring(ast.parse(text)) or ""
            found.append((f"`python -m {_name(path)}`", said.partition("\n\n")[0]))
    return found


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__main__")


def _operators() -> str:
    """The operator's command line in full, one heading a command."""
    command = get_command(app)
    context = typer.Context(command, info_name="python -m ops")
    text = get_docs_for_click(obj=command, ctx=context, name="python -m ops")
    return re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)
