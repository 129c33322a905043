"""The metrics' reference is of the metrics that the code writes, and of no others."""

import ast
from pathlib import Path

from ops.reference.metrics import METRICS

RUNTIME = Path(__file__).parents[4] / "runtime"
UNITS = {"Count", "Seconds", "Bytes", "None"}
# Formed of an outcome's name.
FORMED = {"JobsCompleted", "JobsIncomplete", "JobsFailed"}


def written() -> set[str]:
    """Every name that is given to a `Metrics`, also through the worker's `add` and tables of names."""
    found: set[str] = set()
    for file in RUNTIME.rglob("*.py"):
        text = file.read_text()
        if "Metrics" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.Call)
                and _called(node.func) in ("add", "gauge", "timer", "partial")
                and node.args
            ):
                found |= {name for argument in node.args for name in _names(argument)}
            elif isinstance(node, ast.For):
                found |= {name for part in ast.walk(node.iter) for name in _names(part)}
    return found - UNITS


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _names(node: ast.AST) -> set[str]:
    is_name = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:1].isupper()
    return {node.value} if is_name and node.value.isalpha() else set()  # type: ignore[attr-defined]


def test_every_metric_is_explained_and_none_that_is_not_written() -> None:
    assert written() | FORMED == set(METRICS)
