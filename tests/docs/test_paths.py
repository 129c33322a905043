"""What the pages name is there: files, folders, links, verbs and commands."""

import importlib.util
import re
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


def _is_there(path: str) -> bool:
    pattern = re.sub(r"<[^>]*>|\{[^}]*\}|…", "*", path.rstrip("/."))
    return any(ROOT.glob(pattern))


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
