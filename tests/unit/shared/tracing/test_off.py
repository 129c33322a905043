"""Where tracing is off, nothing of it is there."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.shared import tracing

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("service", ["orchestrator", "worker"])
def test_nothing_of_opentelemetry_is_imported(service: str) -> None:
    program = f"import sys, runtime.{service}.__main__; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_span_is_nothing_and_a_message_carries_nothing() -> None:
    brought = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    with tracing.received(brought, message_id="m") as outer, tracing.span("open") as span:
        span.set(bytes=1)
        span.fail("text")
        assert outer is span is tracing.current()
        assert span.trace_id is None
        assert tracing.carrier() == tracing.carried_on({}) == {}
