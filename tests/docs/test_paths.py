"""What the pages name is there: files, folders, links, verbs and commands."""

import ast
import importlib.util
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from ops.cli.app import app
from ops.reference.commands import verbs
from tests.docs.pages import ROOT, code_words, pages, shell

TOP = {path.name for path in ROOT.iterdir()}
# Made by a command that the same page names.
MADE = ("cdk.out", ".local", "site", ".venv", "node_modules")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"[\w.-]+(?:/[\w.<>*{}…-]+)+/?|[\w-]+\.(?:py|md|json|toml|txt|in|yml)")
TREE = re.compile(r"^( *)([\w./, -]+?/?)(?:   +|$)", re.MULTILINE)
# In the code's own words; what begins with a folder of ours.
IN_CODE = re.compile(
    r"(?<![\w/.<-])(?:runtime|stacks|local|ops|tests|docs|benchmarks)(?:/[\w<>*{}…-][\w.<>*{}…-]*)+/?"
)
ALL = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in pages()]
TEXT_OF = {path: path.read_text() for path in pages() if path.exists()}


@pytest.mark.parametrize("page", ALL)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(TEXT_OF[page]) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", ALL)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    named = {
        path
        for word in code_words(TEXT_OF[page])
        for path in PATH.findall(word)
        if path.split("/")[0] in TOP and not path.startswith(MADE) and not word.startswith("http")
    }
    assert named - {path for path in named if _is_there(path)} == set()


def test_every_path_that_code_speaks_of_is_there() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    missing = [
        f"{file}: {path}"
        for file in listed.stdout.split()
        if (ROOT / file).exists()
        for prose in _prose((ROOT / file).read_text())
        for path in IN_CODE.findall(prose)
        if not _is_there(path)
    ]
    assert missing == []


def _prose(source: str) -> Iterator[str]:
    """Comments and docstrings, those below a field included."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def test_a_path_that_is_not_there_is_found_in_a_docstring_and_in_a_comment() -> None:
    source = '"""As runtime/worker/gone.py says."""\n# See tests/unit/gone.\nX = "docs/gone.md"\n'
    found = [path for prose in _prose(source) for path in IN_CODE.findall(prose)]
    assert {path.rstrip(".") for path in found} == {"runtime/worker/gone.py", "tests/unit/gone"}
    assert not any(map(_is_there, found))


def _is_there(path: str) -> bool:
    pattern = re.sub(r"<[^>]*>|\{[^}]*\}|…", "*", path.rstrip("/."))
    return any(ROOT.glob(re.sub(r"\*+", "*", pattern)))


def test_the_readmes_map_shows_folders_that_are_there() -> None:
    """Each line of "Where things are" begins with names; those below another are indented under it."""
    block = TEXT_OF[ROOT / "README.md"].split("## Where things are")[1].split("```")[1]
    seen, above = [], {0: Path()}
    for indent, names in TREE.findall(block):
        depth = len(indent) // 2
        for name in names.strip().split(", "):
            path = above[depth] / name
            assert (ROOT / path).exists(), f"{path} is on README's map and nowhere else"
            seen.append(path)
            above[depth + 1] = path
    assert {path.parts[0] for path in seen} >= {"stacks", "runtime", "local", "ops", "tests", "docs"}
    rooms = {path.name for path in (ROOT / "runtime/worker").iterdir() if (path / "__init__.py").exists()}
    assert rooms == {path.name for path in seen if path.parent == Path("runtime/worker")}


@pytest.mark.parametrize("page", ALL)
def test_every_command_that_is_named_is_there(page: Path) -> None:
    words = "\n".join([*code_words(TEXT_OF[page]), shell(TEXT_OF[page])])
    known = {verb.strip("`").removeprefix("make ") for verb, _ in verbs()}
    made = {
        verb
        for line in re.findall(r"(?:^|&& |; )make((?: [a-z][a-z-]*(?=\s|$))+)", words, re.MULTILINE)
        for verb in line.split()
    }
    assert made - known == set()
    modules = re.findall(r"python -m ((?:ops|runtime|local|benchmarks|stacks|tests)[\w.]*)", words)
    assert [module for module in modules if importlib.util.find_spec(module.rstrip(".")) is None] == []
    operators = re.findall(r"python -m ops(?: --env \w+)? ([a-z]+)(?: ([a-z]+))?", words)
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, sub in operators:
        assert name in commands, f"python -m ops {name}"
        assert not sub or sub in getattr(commands[name], "commands", {sub: None}), f"{name} {sub}"
