"""One trace from a message to its manifests: a span around each stage of the work, in both services.

Off unless `start` is called: then nothing of OpenTelemetry is imported and a span costs one comparison. A
trace is joined over the queues by W3C trace context in message attributes (`carrier`, `carried_on`). Spans
stand for archives, pages and very large entries, never for every entry. Whatever becomes of the spans, the
work goes on: their queue is bounded, and `stop` waits two seconds for them and no longer.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from runtime.shared.tracing.recorder import Recorder

__all__ = [
    "Span",
    "carried_on",
    "carrier",
    "current",
    "received",
    "span",
    "start",
    "stop",
]

Value = str | int | float | bool

_recorder: "Recorder | None" = None


class Span(Protocol):
    """A span while it lasts."""

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits; None where tracing is off."""

    def set(self, **attributes: Value) -> None:
        """Say more about it."""

    def fail(self, text: str) -> None:
        """Its operation has failed, without an exception."""


class _Nothing:
    """Every span where tracing is off."""

    trace_id = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def set(self, **attributes: Value) -> None: ...

    def fail(self, text: str) -> None: ...


_NOTHING = _Nothing()


def start(recorder: "Recorder") -> None:
    """Record spans from now on; once, before any thread starts."""
    global _recorder  # noqa: PLW0603  the process has one trace of what it does, as it has one log
    _recorder = recorder


def stop() -> None:
    """Send what is waiting, for two seconds at most, and record nothing more."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.close()


def span(name: str, **attributes: Value) -> AbstractContextManager[Span]:
    """Around a stage, as a part of what surrounds it; an exception that leaves it makes it a failed one."""
    return _NOTHING if _recorder is None else _recorder.span(name, attributes)


def received(context: Mapping[str, str], **attributes: Value) -> AbstractContextManager[Span]:
    """Around all that is done for a message: a part of the trace that the message brought, or a new one."""
    return _NOTHING if _recorder is None else _recorder.received(context, attributes)


def current() -> Span:
    """The span that this thread is in."""
    return _NOTHING if _recorder is None else _recorder.current()


def carrier() -> dict[str, str]:
    """The attributes by which a new message goes on with this trace; none where tracing is off."""
    return {} if _recorder is None else _recorder.carrier()


def carried_on(context: Mapping[str, str]) -> dict[str, str]:
    """The attributes to add to a copy of a message that came with `context`: none if it had a usable one."""
    return {} if _recorder is None else _recorder.carried_on(context)
