"""What a rehearsal writes down, whole or broken off."""

import json
from pathlib import Path

import pytest

from local.rehearsal.__main__ import _changes_in
from local.rehearsal.steps import NOT_PROVEN, Rehearsal, StepFailed


def test_a_failed_step_is_written_down_and_ends_the_rehearsal(tmp_path: Path) -> None:
    said: list[str] = []
    rehearsal = Rehearsal(say=said.append)
    with rehearsal.step("first"):
        pass
    with pytest.raises(StepFailed), rehearsal.step("second"):
        raise StepFailed("it is not as it must be")
    rehearsal.write(tmp_path / "deep" / "summary.json")
    summary = json.loads((tmp_path / "deep" / "summary.json").read_text())
    assert summary["ok"] is False
    assert [(step["name"], step["ok"]) for step in summary["steps"]] == [("first", True), ("second", False)]
    assert summary["not_proven"] == list(NOT_PROVEN)
    assert {"image_mb", "start_to_first_poll_s", "peak_rss_mb"} <= set(summary)
    assert said[1].startswith("FAIL")


def test_the_resources_of_a_diff_are_counted_once() -> None:
    diff = """Stack dev/worker
Resources
[~] AWS::Logs::LogGroup worker/Logs/Group LogsGroup
 └─ [~] RetentionInDays
     ├─ [-] 14
     └─ [+] 30
[+] AWS::SQS::Queue messaging/New New
[-] AWS::SQS::Queue messaging/Old Old
"""
    assert _changes_in(diff) == [
        "AWS::Logs::LogGroup worker/Logs/Group",
        "AWS::SQS::Queue messaging/New",
        "AWS::SQS::Queue messaging/Old",
    ]
