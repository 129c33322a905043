"""Cancelled once, from any thread, and a loss overrides."""

import pytest

from runtime.shared.consumer.cancellation import Cancellation, Cancelled


def test_the_first_cause_stays_unless_the_message_is_lost() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    forget = cancellation.on_cancel(lambda: calls.append("forgotten"))
    cancellation.on_cancel(lambda: calls.append("kept"))

    def fails() -> None:
        raise OSError

    cancellation.on_cancel(fails)
    forget()
    cancellation.set("stopping")
    cancellation.set("time-cap")
    assert cancellation.cause == "stopping"
    assert not cancellation.lost
    cancellation.set("lease-lost")
    cancellation.set("stopping")
    assert cancellation.lost
    cancellation.on_cancel(lambda: calls.append("late"))
    assert calls == ["kept", "late"]
    with pytest.raises(Cancelled):
        cancellation.raise_if_set()
