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


def classes(*folders: str) -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class with where it stands ("path:line")."""
    for path, module in modules(*folders).items():
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                yield f"{path}:{node.lineno}", node
