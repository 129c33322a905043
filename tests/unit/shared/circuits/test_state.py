"""The state machine by itself."""

import pytest

from runtime.shared.circuits import CircuitConfig
from runtime.shared.circuits.state import CircuitRecord, probing, reopened, tripped

CONFIG = CircuitConfig(reset_s=30, probe_deadline_s=20)


def test_the_steps_and_their_times() -> None:
    record = tripped("status", "5 in a row", 1000.0, CONFIG)
    assert (record.state, record.since, record.due_at) == ("open", 1000, 1030)
    assert not record.due(1029.9)
    assert record.due(1030)
    probe = probing(record, 1030.0, CONFIG)
    assert (probe.state, probe.due_at, probe.failed_probes) == ("half-open", 1050, 0)
    again = reopened(probe, "503", 1031.0, CONFIG)
    assert (again.state, again.due_at, again.failed_probes, again.reason) == ("open", 1061, 1, "503")
    assert again.opening == record.opening
    assert again.since == 1000


def test_a_probe_that_never_reported_counts_as_failed_and_no_two_are_the_same() -> None:
    record = tripped("status", "x", 0.0, CONFIG)
    first, twin = probing(record, 30.0, CONFIG), probing(record, 30.0, CONFIG)
    assert first.text() != twin.text()
    taken_over = probing(first, 60.0, CONFIG)
    assert taken_over.failed_probes == 1
    assert tripped("status", "x", 0.0, CONFIG).opening != record.opening


def test_a_record_survives_its_text() -> None:
    record = tripped("download:files.example.com", "wörds “quoted”", 1000.123456, CONFIG)
    assert CircuitRecord.of(record.text()) == record


@pytest.mark.parametrize("text", ["", "[]", "null", '{"state": "open"}', '{"dependency": "a", "new": 1}'])
def test_what_another_version_wrote_is_no_record(text: str) -> None:
    assert CircuitRecord.of(text) is None
