"""The expressions that policies use, and the ones that are refused."""

import pytest

from ops.capacity.metric_math import UnknownMath, evaluate

BACKLOG = "(FILL(visible0,0)+FILL(inflight0,0))/IF(FILL(desired,0)>0,FILL(desired,0),1)"


@pytest.mark.parametrize(
    ("expression", "metrics", "value"),
    [
        (BACKLOG, {"visible0": 100.0, "inflight0": 20.0, "desired": 4.0}, 30),
        (BACKLOG, {"visible0": 100.0, "inflight0": 20.0, "desired": None}, 120),
        (BACKLOG, {"visible0": None, "inflight0": None, "desired": 4.0}, 0),
        ("v/r", {"v": 4.0, "r": 0.0}, None),
        ("v/r", {"v": 4.0, "r": None}, None),
        ("MAX([FILL(a,0), b])", {"a": None, "b": 3.0}, 3),
        ("MIN([a, b])", {"a": None, "b": None}, None),
        ("IF(a >= 2, a - 1, a * 3)", {"a": 2.0}, 1),
        ("IF(a>0 AND b<1 AND c<1, 1, 0)", {"a": 2.0, "b": 0.0, "c": 0.0}, 1),
        ("IF(a>0 AND b<1, 1, 0)", {"a": 2.0, "b": 1.0}, 0),
        ("IF(a>3 OR b<1, 1, 0)", {"a": 2.0, "b": 0.0}, 1),
        ("a>0 AND b>0", {"a": 1.0, "b": None}, None),
    ],
)
def test_what_is_evaluated(expression, metrics, value):
    assert evaluate(expression, metrics) == value


@pytest.mark.parametrize(
    "expression", ["ANOMALY_DETECTION_BAND(a, 2)", "a ** 2", "b", "a +", "__import__('os')", "SUM(METRICS())"]
)
def test_what_is_refused(expression):
    with pytest.raises(UnknownMath):
        evaluate(expression, {"a": 1.0})
