"""The source files, parsed once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def modules(*folders: str) -> dict[str, ast.Module]:
    """Path from the root → the parsed file, for every Python file in the folders."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in paths}


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(*folders: str) -> Iterator[tuple[str, str]]:
    """Every docstring, its lines without their indentation, with where its owner stands ("path:line")."""
    for path, module in modules(*folders).items():
        for node in ast.walk(module):
            text = ast.get_docstring(node) if isinstance(node, Documented) else None
            if text is not None:
                yield f"{path}:{getattr(node, 'lineno', 1)}", text


def classes(*folders: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class with where it stands ("path:line")."""
    for path, module in modules(*folders).items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                yield f"{path}:{node.lineno}", node
