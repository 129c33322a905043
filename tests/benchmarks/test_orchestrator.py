"""The orchestrator's benchmark: it runs, and what was not all sent once does not count."""

import sys
from typing import Any

import pytest

from benchmarks.orchestrator.__main__ import Wrong, check, fan_out, measure

RIGHT = {"sent": 20, "distinct_tasks": 20, "task_items": 20, "tasks_counted": 20, "jobs_listed": 2}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_run_is_measured(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.orchestrator.__main__.LOG", tmp_path / "log")
    run = measure(15, 2, page=10)
    assert run.cpu_ms_per_event > 0
    assert run.peak_rss_mib > 10
    assert (run.calls["TransactWriteItems"], run.calls["SendMessageBatch"]) == (4, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_message_of_many_ids_is_timed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.orchestrator.__main__.LOG", tmp_path / "log")
    begun = fan_out(12)
    assert 0 < begun["first_begun_s"] <= begun["all_begun_s"]
    assert begun["forwarded_s"] > 0


@pytest.mark.parametrize("fault", [{name: value - 1} for name, value in RIGHT.items()] + [{"sent": 21}])
def test_what_was_not_sent_once_does_not_count(fault: dict[str, int]) -> None:
    check(RIGHT, files=10, jobs=2)
    with pytest.raises(Wrong, match="2 jobs of 10 files"):
        check({**RIGHT, **fault}, files=10, jobs=2)
