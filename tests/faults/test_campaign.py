"""Whole campaigns over real processes: a short one that must find nothing, and sabotaged ones that must.

Each is a process of its own, as `make faults` starts it.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from local.assembly import LOCAL, ROOT

# Two of these at once on two cores would only test patience.
pytestmark = pytest.mark.timeout(420)


def campaign(name: str, *, seconds: int, seed: int, sabotage: str = "") -> tuple[int, dict[str, Any], str]:
    """The exit code, the summary, and everything that was printed."""
    summary = LOCAL / name / "summary.json"
    summary.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "local.faults", f"--seconds={seconds}", f"--seed={seed}", f"--name={name}"],
        cwd=ROOT,
        env=os.environ | {"FAULTS_SABOTAGE": sabotage},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert summary.exists(), done.stdout
    return done.returncode, json.loads(summary.read_text()), done.stdout


def test_nothing_is_lost_and_nothing_done_twice() -> None:
    code, summary, output = campaign("faults-test", seconds=60, seed=7)
    assert code == 0, output
    assert summary["ok"] is True
    assert summary["present"] == summary["expected"] > 100
    assert summary["denied"] == []
    bad = (
        "wrong",
        "missing",
        "extra",
        "tasks_completed_twice",
        "jobs_completed_twice",
        "silently_incomplete",
        "unaccounted",
    )
    assert {name: summary[name] for name in bad} == dict.fromkeys(bad, 0)
    # Faults of every origin took place.
    origins = {kind.partition(".")[0] for kind in summary["faults"]}
    assert {"api", "sqs", "s3", "dynamodb"} < origins
    assert origins & {"worker", "orchestrator"}


@pytest.mark.parametrize(
    ("sabotage", "found"),
    [("misplaced-object", "silently_incomplete"), ("no-fence", "tasks_completed_twice")],
)
def test_a_broken_promise_is_found(sabotage: str, found: str) -> None:
    code, summary, output = campaign(f"faults-{sabotage}", seconds=20, seed=3, sabotage=sabotage)
    assert code == 1, output
    assert summary["ok"] is False
    assert summary[found] > 0, output
