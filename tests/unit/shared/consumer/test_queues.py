"""Envelopes: whatever attributes a message has."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer.queues import read_envelope

NOW = datetime(2026, 1, 1, tzinfo=UTC)


_texts = st.text(max_size=30) | st.sampled_from(
    ["1", "-1", "٣", "1e9", "{}", "[]", '{"a":1}', "2026-01-01T00:00:00", "[" * 9999]
)


@given(
    st.dictionaries(st.sampled_from(["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]), _texts),
    st.dictionaries(st.sampled_from(["first_seen", "handovers", "progress", "failing", "crashes"]), _texts),
)
def test_an_envelope_is_read_whatever_it_holds(system: dict[str, str], custom: dict[str, str]) -> None:
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in custom.items()}
    envelope = read_envelope({"Attributes": system, "MessageAttributes": attributes}, NOW)
    assert envelope.receive_count >= 0
    assert envelope.first_seen.tzinfo is not None
    assert isinstance(envelope.progress, dict)


def test_a_redriven_message_starts_its_waits_again() -> None:
    seen = {"DataType": "String", "StringValue": "2025-01-01T00:00:00+00:00"}
    handed_over = {"MessageAttributes": {"first_seen": seen}}
    assert read_envelope(handed_over, NOW).first_seen.year == 2025
    redriven = {"MessageAttributes": {"first_seen": seen, "reason": {"StringValue": "export-not-ready"}}}
    assert read_envelope(redriven, NOW).first_seen == NOW


def test_receives_of_earlier_copies_count_until_it_is_redriven() -> None:
    carried = {"crashes": {"StringValue": "5"}, "failing": {"StringValue": "2025-01-01T00:00:00+00:00 7 api"}}
    message = {"Attributes": {"ApproximateReceiveCount": "2"}, "MessageAttributes": carried}
    envelope = read_envelope(message, NOW)
    assert envelope.receive_count == 7
    assert envelope.failures is not None
    assert envelope.failures.count == 7
    redriven = message | {"MessageAttributes": carried | {"reason": {"StringValue": "crash-loop"}}}
    envelope = read_envelope(redriven, NOW)
    assert (envelope.receive_count, envelope.failures) == (2, None)
