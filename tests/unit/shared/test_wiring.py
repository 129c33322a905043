"""What a deployment may be rolled back for."""

import json

import pytest

from runtime.shared.consumer import Crashed, Done, Outcome, Park, Retry, Yield
from runtime.shared.contracts import ParkReason
from runtime.shared.metrics import Metrics
from runtime.shared.wiring import count_settled


@pytest.mark.parametrize(
    ("outcome", "suspect"),
    [
        (Crashed("ValueError: no"), True),
        (Park(ParkReason.INVALID_ARCHIVE, "a reader that reads worse than the last one"), True),
        (Park(ParkReason.UNSUPPORTED_SCHEMA_VERSION, "a worker older than the orchestrator"), True),
        (Park(ParkReason.LISTING_LOOP, "pagination set wrongly"), True),
        (Park(ParkReason.CRASH_LOOP, "it failed at receive 5"), True),
        (Park(ParkReason.MALFORMED_MESSAGE, "a producer's release"), False),
        (Park(ParkReason.UNKNOWN_JOB, "a producer's release"), False),
        (Park(ParkReason.EXPORT_EXPIRED, "a backlog that was too old"), False),
        (Retry(reason="api-unavailable", error="the vendor is down"), False),
        (Yield("stopping"), False),
        (Done(), False),
    ],
)
def test_only_what_a_version_can_cause_counts_against_it(
    outcome: Outcome | Crashed, suspect: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics = Metrics(namespace="Space", service="worker", environment="dev", interval_s=60)
    count_settled(metrics, outcome)
    metrics.flush()
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())

    assert line["MessagesProcessed"] == [1.0]
    assert line.get("SuspectFailures", [0.0]) == [float(suspect)]
