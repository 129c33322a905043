"""When the circuit opens, tries and closes, and what that does to the polling."""

import pytest

from runtime.shared.export_api import CircuitOpen, NotFound, Unavailable
from runtime.shared.export_api.circuit import Circuit, State
from runtime.shared.export_api.gate import CircuitGate
from runtime.shared.metrics import Metrics
from tests.unit.conftest import Clock, until


def call(circuit: Circuit, error: Exception | None = None) -> None:
    with circuit.call(lambda found: isinstance(found, Unavailable)):
        if error is not None:
            raise error


def test_the_circuit_opens_tries_once_and_closes(clock: Clock) -> None:
    states: list[State] = []
    circuit = Circuit(failures=2, reset_s=30, listener=states.append, clock=clock)
    for error in (Unavailable("a"), NotFound("resets the count"), Unavailable("b"), Unavailable("c")):
        with pytest.raises(type(error)):
            call(circuit, error)
        assert not error.outage
    with pytest.raises(CircuitOpen) as refused:
        call(circuit)
    assert refused.value.retry_after_s == 30
    clock.advance(31)
    trial = Unavailable("d")
    with pytest.raises(Unavailable):
        call(circuit, trial)
    assert trial.outage
    clock.advance(31)
    with circuit.call(lambda _error: True), pytest.raises(CircuitOpen):
        call(circuit)
    assert states == ["open", "half-open", "open", "half-open", "closed"]


def test_an_open_circuit_pauses_polling_and_shows_in_the_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []

    class Consumer:
        def pause(self, reason: str) -> None:
            calls.append("pause")

        def resume(self, reason: str) -> None:
            calls.append("resume")

    metrics = Metrics(namespace="n", service="s", environment="e", interval_s=60)
    gate = CircuitGate(metrics, reset_s=0.05)
    gate.guard(Consumer())
    gate("open")
    metrics.flush()
    assert '"CircuitState":[1.0]' in capsys.readouterr().out.replace(" ", "")
    until(lambda: calls == ["pause", "resume"])
