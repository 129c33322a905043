"""An event's id is a function of what it announces."""

from runtime.shared.events import event_id


def test_an_event_id_depends_on_what_is_said_only() -> None:
    assert event_id("Export Job Completed", "j") == event_id("Export Job Completed", "j")
    assert event_id("Export Job Completed", "j") != event_id("Export Job Failed", "j")
