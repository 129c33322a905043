"""When a download is tried again, when another link is asked for, and when it goes back to the queue."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from runtime.shared.consumer.cancellation import Cancellation, Cancelled
from runtime.shared.scope import Scope
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.locator import Locator
from runtime.worker.fetch.meter import ByteMeter
from runtime.worker.fetch.patience import Connector, Patience, is_busy
from runtime.worker.fetch.transport import Transport


@dataclass
class Waits:
    """A scope that remembers what it was to wait for."""

    seconds: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def check(self) -> None:
        """It goes on."""


def patience(scope: object, renew: Callable[[], str] = lambda: "https://a/fresh") -> Patience:
    return Patience(
        Connector(
            transport=cast("Transport", None),
            locator=Locator("https://a/", "https://a/old", renew),
            meter=ByteMeter(lambda: None),
            scope=cast("Scope", scope),
            stall_min_bytes_per_s=1,
            stall_window_s=1,
        )
    )


def test_it_gives_up_after_six_failures_in_a_row() -> None:
    waits = Waits()
    trying = patience(waits)
    for _ in range(5):
        trying.failed("broken")
    with pytest.raises(DownloadFailed, match="broken"):
        trying.failed("broken")
    for number, pause in enumerate(waits.seconds):
        assert 0 <= pause <= min(10.0, 0.4 * 2**number)


def test_progress_worth_the_name_starts_it_over() -> None:
    trying = patience(Waits())
    for _ in range(50):
        trying.failed("broken")
        trying.progressed(64 * 1024)
    for _ in range(5):
        trying.failed("broken")
        trying.progressed(1_000)
    with pytest.raises(DownloadFailed):
        trying.failed("broken")


@pytest.mark.parametrize(("asked", "made_here"), [(0.0, True), (30.0, True), (30.1, False), (900.0, False)])
def test_a_long_retry_after_is_the_queues_to_wait(asked: float, made_here: bool) -> None:
    waits = Waits()
    if made_here:
        patience(waits).failed("busy", asked)
        assert waits.seconds[0] >= asked
        return
    with pytest.raises(DownloadFailed) as failure:
        patience(waits).failed("busy", asked)
    assert (failure.value.retry_after_s, waits.seconds) == (asked, [])


def test_a_link_is_renewed_once_until_bytes_come() -> None:
    links = iter(["https://a/1", "https://a/2"])
    trying = patience(Waits(), lambda: next(links))
    trying.refused("https://a/old", "answered 403")
    with pytest.raises(DownloadFailed, match="even to a fresh"):
        trying.refused("https://a/1", "answered 403")
    trying.progressed(64 * 1024)
    trying.refused("https://a/1", "answered 403")


def test_a_cancelled_scope_ends_the_wait() -> None:
    cancellation = Cancellation()
    scope = Scope(cancellation)
    cancellation.set("stopping")
    with pytest.raises(Cancelled):
        patience(scope).failed("broken", 20.0)


def test_what_a_moment_may_heal() -> None:
    assert [status for status in range(100, 600) if is_busy(status)] == [
        *(408, 425, 429, 500),
        *range(502, 600),
    ]
