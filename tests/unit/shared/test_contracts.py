"""The edge that reads messages: what it accepts, what it refuses, and that nothing else comes out of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared.contracts import (
    InvalidMessage,
    ParkReason,
    parse_download_task,
    parse_export_jobs,
    task_id_for,
)

TASK = {
    "schema_version": 1,
    "task_id": "t-1",
    "export_job_id": "job-1",
    "file_id": "f-1",
    "file_name": "one.zip",
    "download_url": "https://exports.example.com/one.zip",
    "correlation_id": "c-1",
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def sns(body: str, **changes: object) -> str:
    notification = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": body}
    return json.dumps(notification | changes)


def event(body: str, *, as_text: bool = False) -> str:
    detail = body if as_text else json.loads(body)
    return json.dumps({"version": "0", "detail-type": "Export Ready", "source": "vendor", "detail": detail})


GOOD = '{"export_job_ids": ["a", "b"], "correlation_id": "c", "priority": "low", "new": 1}'
WRAPPED = {
    "plain": GOOD,
    "with a byte order mark": "\ufeff" + GOOD,
    "with white space around": f"\r\n\t {GOOD}\n",
    "SNS": sns(GOOD),
    "EventBridge": event(GOOD),
    "EventBridge with detail as text": event(GOOD, as_text=True),
    "EventBridge in SNS": sns(event(GOOD)),
    "EventBridge with detail as text in SNS": sns(event(GOOD, as_text=True)),
    "SNS in EventBridge": event(sns(GOOD)),
    "SNS in EventBridge with detail as text": event(sns(GOOD), as_text=True),
    "SNS in SNS": sns(sns(GOOD)),
    "SNS in EventBridge in SNS": sns(event(sns(GOOD))),
    "SNS with an object as Message": json.dumps({"Type": "Notification", "Message": json.loads(GOOD)}),
    "ids beside a detail": json.dumps(json.loads(GOOD) | {"detail": {"export_job_ids": ["x"]}}),
    "an unknown field of any kind": GOOD.replace('"new": 1', '"new": [NaN, {"deep": [[[]]]}]'),
    "an unknown field twice": GOOD.replace('"new": 1', '"new": 1, "new": 2'),
    "the same field twice alike": GOOD.replace('"new": 1', '"correlation_id": "c"'),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_the_same_body_is_read_however_it_is_wrapped(name):
    parsed = parse_export_jobs(WRAPPED[name])
    assert parsed.message.export_job_ids == ("a", "b")
    assert (parsed.message.correlation_id, parsed.message.priority) == ("c", "low")
    assert (parsed.rejected, parsed.ignored) == ((), ())


REFUSED = {
    "nothing": ("", "not JSON"),
    "white space": ("  ", "not JSON"),
    "no JSON": ("not json", "not JSON"),
    "cut": ('{"export_job_ids": ["a"', "not JSON"),
    "two documents": (GOOD + GOOD, "not JSON"),
    "single quotes": ("{'export_job_ids': ['a']}", "not JSON"),
    "nested beyond reading": ("[" * 100_000, "not JSON"),
    "objects nested beyond reading": ('{"a":' * 100_000, "not JSON"),
    "a number beyond reading": ('{"export_job_ids": [' + "9" * 5_000 + "]}", "not JSON"),
    "null": ("null", "NoneType"),
    "a number": ("7", "int"),
    "text": ('"a"', "str"),
    "text that is a body": (json.dumps(GOOD), "str"),
    "a list": ("[1]", "list"),
    "a list of bodies": (f"[{GOOD}]", "list"),
    "an empty object": ("{}", "export_job_ids"),
    "another case": ('{"Export_Job_Ids": ["a"]}', "export_job_ids"),
    "one id under another name": ('{"export_job_id": "a"}', "export_job_ids"),
    "no ids": ('{"export_job_ids": []}', "at least 1"),
    "null ids": ('{"export_job_ids": null}', "export_job_ids"),
    "an id alone": ('{"export_job_ids": "a"}', "export_job_ids"),
    "ids as an object": ('{"export_job_ids": {"a": 1}}', "export_job_ids"),
    "a number as the only id": ('{"export_job_ids": [7]}', "export_job_ids.0"),
    "a list as the only id": ('{"export_job_ids": [["a"]]}', "export_job_ids.0"),
    "an empty id": ('{"export_job_ids": [""]}', "export_job_ids.0"),
    "a blank id": ('{"export_job_ids": [" "]}', "export_job_ids.0"),
    "an id that climbs": ('{"export_job_ids": ["../x"]}', "export_job_ids.0"),
    "an id of dots": ('{"export_job_ids": [".."]}', "export_job_ids.0"),
    "an id with a null byte": ('{"export_job_ids": ["a\\u0000"]}', "export_job_ids.0"),
    "an id with half a surrogate": ('{"export_job_ids": ["\\ud800"]}', "export_job_ids.0"),
    "an id of 257 characters": (json.dumps({"export_job_ids": ["x" * 257]}), "export_job_ids.0"),
    "every id bad": ('{"export_job_ids": ["a/b", "", 7, null]}', "export_job_ids.0"),
    "1,001 ids": (json.dumps({"export_job_ids": [str(n) for n in range(1001)]}), "at most 1000"),
    "the ids twice": ('{"export_job_ids": ["a"], "export_job_ids": ["b"]}', "twice"),
    "the priority twice": ('{"export_job_ids": ["a"], "priority": "low", "priority": "high"}', "twice"),
    "two details": ('{"detail": {"export_job_ids": ["a"]}, "detail": {}}', "twice"),
    "SNS of plain text": (sns("plain text"), "not JSON"),
    "SNS of nothing": (sns(""), "not JSON"),
    "SNS of a list": (sns("[1]"), "list"),
    "SNS of another kind": (sns("{}", Type="SubscriptionConfirmation"), "export_job_ids"),
    "SNS without a message": ('{"Type": "Notification"}', "export_job_ids"),
    "an event without a detail": ('{"detail-type": "x", "source": "y"}', "export_job_ids"),
    "an event whose detail is null": ('{"detail": null}', "export_job_ids"),
    "an event whose detail is a list": ('{"detail": ["a"]}', "export_job_ids"),
    "an event whose detail is text": (json.dumps({"detail": "hello"}), "not JSON"),
    "an event from S3": ('{"Records": [{"s3": {"bucket": {"name": "x"}}}]}', "export_job_ids"),
    "wrapped without end": (sns(sns(sns(sns(sns(sns(GOOD)))))), "export_job_ids"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_contract_is_refused_with_the_field_named(name):
    body, names = REFUSED[name]
    with pytest.raises(InvalidMessage, match=names) as refused:
        parse_export_jobs(body)
    assert refused.value.reason is ParkReason.MALFORMED_MESSAGE


def body(*ids: object, **fields: object) -> str:
    return json.dumps({"export_job_ids": list(ids), **fields})


# What is read, what is parked by itself, and how many fields are left out.
SALVAGED: dict[str, tuple[str, tuple[str, ...], tuple[Any, ...], int]] = {
    "one bad id": (body("a", "x/y", "b"), ("a", "b"), ("x/y",), 0),
    "ids of every bad kind": (
        body("a", 7, None, "", " ", "..", [], {"id": "a"}, 1.5, True, "x" * 300),
        ("a",),
        (7, None, "", " ", "..", [], {"id": "a"}, 1.5, True, "x" * 300),
        0,
    ),
    "an id with half a surrogate": (body("a", "\ud800"), ("a",), ("\ud800",), 0),
    "the same id often": (body("a", "a", "b", "a"), ("a", "b"), (), 0),
    "the same bad id often": (body("a", "/", "/", 7, 7), ("a",), ("/", 7), 0),
    "999 good ones and one bad": (
        body(*map(str, range(999)), "a b"),
        tuple(map(str, range(999))),
        ("a b",),
        0,
    ),
    "ids in Unicode": (body("ä", "日本"), ("ä", "日本"), (), 0),
    "an unknown priority": (body("a", priority="urgent"), ("a",), (), 1),
    "a priority of another case": (body("a", priority="HIGH"), ("a",), (), 1),
    "a number as priority": (body("a", priority=1), ("a",), (), 1),
    "a list as priority": (body("a", priority=["high"]), ("a",), (), 1),
    "no priority": (body("a", priority=None), ("a",), (), 0),
    "an empty priority": (body("a", priority=""), ("a",), (), 0),
    "an empty correlation id": (body("a", correlation_id=""), ("a",), (), 0),
    "no correlation id": (body("a", correlation_id=None), ("a",), (), 0),
    "a number as correlation id": (body("a", correlation_id=5), ("a",), (), 1),
    "an object as correlation id": (body("a", correlation_id={}), ("a",), (), 1),
    "a correlation id with a line break": (body("a", correlation_id="x\ny"), ("a",), (), 1),
    "a correlation id with half a surrogate": (body("a", correlation_id="\udfff"), ("a",), (), 1),
    "a correlation id of 300 characters": (body("a", correlation_id="x" * 300), ("a",), (), 1),
    "everything at once": (body("a", "/", priority="x", correlation_id="\x00"), ("a",), ("/",), 2),
}


@pytest.mark.parametrize("name", SALVAGED)
def test_what_is_bad_does_not_hold_back_what_is_good(name):
    text, ids, rejected, ignored = SALVAGED[name]
    for wrapped in (text, sns(text), event(text, as_text=True)):
        parsed = parse_export_jobs(wrapped)
        assert (parsed.message.export_job_ids, parsed.rejected) == (ids, rejected)
        assert len(parsed.ignored) == ignored, parsed.ignored
        for value in parsed.rejected:
            with pytest.raises(InvalidMessage):
                parse_export_jobs(body(value))


def test_a_task_survives_the_wire():
    task = parse_download_task(json.dumps(TASK | {"size": 5, "unknown": True}))
    assert parse_download_task(task.model_dump_json(exclude_none=True)) == task


@pytest.mark.parametrize("name", [key for key in TASK if key != "schema_version"])
def test_a_task_without_a_field_names_it(name):
    with pytest.raises(InvalidMessage, match=name):
        parse_download_task(json.dumps({key: value for key, value in TASK.items() if key != name}))


def test_a_task_from_a_newer_producer_says_so():
    with pytest.raises(InvalidMessage, match="schema_version 2") as refused:
        parse_download_task(json.dumps(TASK | {"schema_version": 2}))
    assert refused.value.reason is ParkReason.UNSUPPORTED_SCHEMA_VERSION


@given(st.text() | json_values.map(json.dumps))
def test_any_body_is_either_read_or_refused(body):
    for parse in (parse_export_jobs, parse_download_task):
        try:
            parse(body)
        except InvalidMessage as refused:
            assert str(refused)  # noqa: PT017 - either end is fine, nothing else may escape


@given(st.text(), st.text(), st.text(), st.text())
def test_only_the_same_job_and_file_make_the_same_task(job, file, other_job, other_file):
    same = (job, file) == (other_job, other_file)
    assert (task_id_for(job, file) == task_id_for(other_job, other_file)) is same
