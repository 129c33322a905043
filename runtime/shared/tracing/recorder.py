"""Records spans by OpenTelemetry's SDK; imported only where tracing is on.

New traces are sampled by their ratio, messages that bring a trace as its beginning decided. A trace that is
not sampled still has its id: it is in the log lines, and travels on.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.shared.logs import without_queries
from runtime.shared.tracing import Span, Value
from runtime.shared.tracing.delivery import SpanQueue

_MESSAGE_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class _Recorded:
    """One of OpenTelemetry's spans, as this project knows spans."""

    span: trace.Span

    @property
    def trace_id(self) -> str | None:
        return format_trace_id(self.span.get_span_context().trace_id)

    def set(self, **attributes: Value) -> None:
        self.span.set_attributes(attributes)

    def fail(self, text: str) -> None:
        self.span.set_status(Status(StatusCode.ERROR, without_queries(text)[:_MESSAGE_CHARACTERS]))

    def failed_by(self, error: Exception) -> None:
        """The event that OpenTelemetry's conventions have for exceptions; the stack is in the log."""
        text = without_queries(str(error))[:_MESSAGE_CHARACTERS]
        name = type(error).__name__
        self.span.add_event("exception", {"exception.type": name, "exception.message": text})
        self.fail(f"{name}: {text}")


class Recorder:
    """Records spans, from many threads; `identity` describes this process.

    `turns` are exceptions by which work takes another way and fails in nothing.
    """

    def __init__(
        self,
        identity: Mapping[str, str],
        spans: SpanQueue,
        *,
        sample_ratio: float,
        turns: tuple[type[Exception], ...] = (),
    ) -> None:
        self._spans = spans
        self._turns = turns
        provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(sample_ratio),
            resource=Resource(dict(identity)),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(spans)
        self._tracer = provider.get_tracer("runtime")
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[Span]:
        """A part of `context`; without one, of what this thread is in."""
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as begun:
            recorded = _Recorded(begun)
            try:
                yield recorded
            except self._turns as turn:
                recorded.set(turn=type(turn).__name__)
                raise
            except Exception as error:
                recorded.failed_by(error)
                raise

    def received(
        self, context: Mapping[str, str], attributes: Mapping[str, Value]
    ) -> AbstractContextManager[Span]:
        """A context that is malformed counts as none."""
        parent = self._propagator.extract(context, Context())
        return self.span("receive", attributes, context=parent, kind=SpanKind.CONSUMER)

    @staticmethod
    def current() -> Span:
        return _Recorded(trace.get_current_span())

    def carrier(self) -> dict[str, str]:
        carried: dict[str, str] = {}
        self._propagator.inject(carried)
        return carried

    def carried_on(self, context: Mapping[str, str]) -> dict[str, str]:
        came_with = trace.get_current_span(self._propagator.extract(context, Context()))
        return {} if came_with.get_span_context().is_valid else self.carrier()

    def close(self) -> None:
        self._spans.close()
