"""Copies of a message: what is ours to write gives way, the body and foreign attributes stay."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer import SourceQueue, copies
from runtime.shared.consumer.held import Held
from runtime.shared.consumer.sqs_limits import MAX_MESSAGE_BYTES
from tests.unit.conftest import Clock
from tests.unit.deliveries import delivery

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def held(body: str) -> Held:
    message = {"ReceiptHandle": "r", "Body": body}
    found = Held(SourceQueue("q", "dlq"), message, received_at=0, visibility_s=30, clock=Clock())
    found.delivery = delivery(body, sent_at=NOW)
    return found


@given(
    st.text(max_size=300), st.dictionaries(st.sampled_from(["reason", "error", "x"]), st.text(max_size=300))
)
def test_attributes_fit_and_hold_only_what_sqs_takes(body: str, ours: dict[str, str]) -> None:
    body = body.encode("utf-8", "ignore").decode()
    foreign = {
        "kept": {"DataType": "String", "StringValue": "v"},
        "reason": {"DataType": "String", "StringValue": "old"},
    }
    fitted = copies.fit(body, foreign, ours)
    assert fitted["kept"]["StringValue"] == "v"
    for name, value in fitted.items():
        text = value["StringValue"]
        assert text
        assert name in {"kept", *ours}
        assert not copies._NOT_ALLOWED.search(text)
        text.encode()


def test_a_full_message_keeps_its_body_and_loses_our_remarks() -> None:
    body = "x" * (MAX_MESSAGE_BYTES - 60)
    fitted = copies.fit(body, {}, {"reason": "not-a-zip", "error": "é" * 500, "progress": "{}"})
    size = len(body) + sum(len(n) + 6 + len(v["StringValue"].encode()) for n, v in fitted.items())
    assert size <= MAX_MESSAGE_BYTES
    assert fitted["reason"]["StringValue"] == "not-a-zip"


def test_progress_that_does_not_fit_is_left_out_whole() -> None:
    body = "x" * (MAX_MESSAGE_BYTES - 100)
    assert "progress" not in copies.fit(body, {}, {"progress": json.dumps({"a": "b" * 200})})


def test_a_trace_gives_way_whole_and_last() -> None:
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    body = "x" * (MAX_MESSAGE_BYTES - 60)
    assert copies.fit(body, {}, trace) == {}
    foreign = {f"a{number}": {"DataType": "String", "StringValue": "v"} for number in range(9)}
    fitted = copies.fit("body", foreign, {"lineage": "a/b", **trace})
    assert fitted.keys() == {*foreign, "lineage"}
    malformed = {"traceparent": {"DataType": "String", "StringValue": "not one"}}
    assert copies.fit("body", malformed, trace)["traceparent"]["StringValue"] == trace["traceparent"]


def test_an_endless_delay_is_the_longest_that_sqs_takes() -> None:
    sent: list[int] = []

    class Sqs:
        def send_message(self, **options: Any) -> None:
            sent.append(options["DelaySeconds"])

    for delay_s in (float("inf"), 1e300, 899.2, 0.1, 0.0, -1.0, float("nan")):
        copies.send_fresh(Sqs(), held("body"), progress={}, delay_s=delay_s)  # type: ignore[arg-type]
    assert sent == [900, 900, 900, 1, 0, 0, 0]
