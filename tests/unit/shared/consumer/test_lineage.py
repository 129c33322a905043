"""Lineage: a copy tells in whose place it came, across hand-overs, redrives and hostile attributes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.consumer import copies
from runtime.shared.consumer.lineage import Lineage
from runtime.shared.consumer.queues import read_envelope
from runtime.shared.consumer.sqs_limits import MAX_MESSAGE_BYTES
from tests.unit.shared.consumer.test_copies import NOW, held


def test_a_copy_after_work_takes_its_messages_place() -> None:
    original = Lineage.of(None, "m1")
    assert original == Lineage("m1")
    assert original.text() is None
    copy = original.next()
    assert copy.replaces == "m1"
    assert copy.id != original.next().id
    assert Lineage.of(copy.text(), "m2") == copy


@pytest.mark.parametrize("text", ["", "a", "a/", "/a", "a/b/c", "a b/c", "é/x", "a/b\n", "x" * 101 + "/y"])
def test_what_is_no_lineage_counts_as_none(text: str) -> None:
    assert Lineage.of(text, "m") == Lineage("m")


@given(st.text(max_size=120))
def test_no_text_breaks_the_reading(text: str) -> None:
    assert Lineage.of(text, "m").id


def message(**attributes: str) -> dict[str, Any]:
    custom = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    return {"MessageId": "m", "MessageAttributes": custom}


def test_who_was_parked_and_redriven_begins_a_line_of_its_own() -> None:
    assert read_envelope(message(lineage="c/p"), NOW).lineage == Lineage("c", "p")
    assert read_envelope(message(lineage="c/p", reason="not-a-zip"), NOW).lineage == Lineage("m")


class Sent:
    """An SQS that remembers what it was sent."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def send_message(self, **call: Any) -> None:
        self.attributes = call["MessageAttributes"]


@pytest.mark.parametrize("worked_on", [True, False])
@pytest.mark.parametrize("lineage", [Lineage("m"), Lineage("c", "p")])
def test_who_only_waited_is_still_the_same_message(lineage: Lineage, *, worked_on: bool) -> None:
    source, sqs = held("body"), Sent()
    source.delivery.lineage, source.delivery.worked_on = lineage, worked_on
    copies.send_fresh(sqs, source, progress={}, delay_s=1)  # type: ignore[arg-type]  # of SQS only what is used
    text = sqs.attributes.get("lineage", {}).get("StringValue")
    found = Lineage.of(text, "m")
    if worked_on:
        assert found.replaces == lineage.id
        assert found.id not in ("m", "c", "p")
    else:
        assert found == lineage


def test_a_lineage_that_finds_no_room_is_left_out_whole() -> None:
    body = "x" * (MAX_MESSAGE_BYTES - 40)
    assert "lineage" not in copies.fit(body, {}, {"lineage": "a" * 32 + "/" + "b" * 32})
