"""The metric math that the stacks deploy, evaluated as CloudWatch would."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.rehearsal.scaling import evaluate
from local.rehearsal.steps import StepFailed

GOLDEN = Path(__file__).resolve().parents[3] / "golden" / "prod" / "worker.json"


def _expressions(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value["Expression"]] if isinstance(value.get("Expression"), str) else []
        return found + [text for item in value.values() for text in _expressions(item)]
    return [text for item in value for text in _expressions(item)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    ("visible", "in_flight", "desired", "backlog"),
    [(0.0, 0.0, 0.0, 0), (300.0, 100.0, 4.0, 100), (None, None, 2.0, 0), (50.0, None, None, 50)],
)
def test_the_deployed_backlog_per_task(
    visible: float | None, in_flight: float | None, desired: float | None, backlog: float
) -> None:
    (expression,) = [text for text in _expressions(json.loads(GOLDEN.read_text())) if "desired" in text]
    values = {"visible0": visible, "inflight0": in_flight, "desired": desired}
    assert evaluate(expression, values) == backlog


@pytest.mark.parametrize("expression", ["SEARCH('x')", "visible0 ** 2", "nobody + 1", "__import__('os')"])
def test_what_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(StepFailed, match="not known here"):
        evaluate(expression, {"visible0": 1.0})
