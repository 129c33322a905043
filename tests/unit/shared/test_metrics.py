"""Metrics are written as EMF, and none is lost between threads."""

import json
import threading

import pytest

from runtime.shared.metrics import Metrics


def test_metrics_are_written_as_emf(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="Space", service="worker", environment="dev", interval_s=60)
    for _ in range(250):
        metrics.add("MessagesProcessed")
        metrics.add("ApiLatency", 0.5, "Seconds")
    metrics.gauge("CircuitState", 0)
    metrics.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(line["ApiLatency"]) for line in lines] == [99, 99, 52]
    assert lines[0]["MessagesProcessed"] == [250.0]
    assert (lines[0]["service"], lines[0]["environment"], lines[0]["CircuitState"]) == (
        "worker",
        "dev",
        [0.0],
    )
    assert lines[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Space"
    metrics.flush()
    (line,) = capsys.readouterr().out.splitlines()
    assert "MessagesProcessed" not in line  # only gauges are repeated


def test_metrics_lose_nothing_between_threads(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics(namespace="n", service="s", environment="e", interval_s=0.005)
    metrics.start()
    threads = [threading.Thread(target=lambda: [metrics.add("X") for _ in range(2_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.stop()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line["X"][0] for line in lines) == 8_000
