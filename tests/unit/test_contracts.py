"""The edge that reads messages: what it accepts, what it refuses, and that nothing else comes out of it."""

import json

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


def wrapped_by_sns(body: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "arn", "Message": body})


def wrapped_by_eventbridge(body: str) -> str:
    return json.dumps({"version": "0", "detail-type": "Export Ready", "detail": json.loads(body)})


@pytest.mark.parametrize(
    "wrap",
    [str, wrapped_by_sns, wrapped_by_eventbridge, lambda body: wrapped_by_sns(wrapped_by_eventbridge(body))],
    ids=["plain", "sns", "eventbridge", "eventbridge-over-sns"],
)
def test_the_same_body_is_read_however_it_is_wrapped(wrap):
    parsed = parse_export_jobs(wrap('{"export_job_ids": ["a", "b"], "correlation_id": "c", "new": 1}'))
    message = parsed.message
    assert message.export_job_ids == ("a", "b")
    assert message.correlation_id == "c"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("not json", "not JSON"),
        ("[1]", "list"),
        ("{}", "export_job_ids"),
        ('{"export_job_ids": []}', "at least 1"),
        ('{"export_job_ids": "a"}', "export_job_ids"),
        ('{"export_job_ids": [7]}', "export_job_ids.0"),
        ('{"export_job_ids": ["../x"]}', "export_job_ids.0"),
        ('{"export_job_ids": [".."]}', "export_job_ids.0"),
        (json.dumps({"export_job_ids": [str(n) for n in range(1001)]}), "at most 1000"),
        (wrapped_by_sns("plain text"), "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_not_the_contract_is_refused_with_the_field_named(body, names):
    with pytest.raises(InvalidMessage, match=names) as refused:
        parse_export_jobs(body)
    assert refused.value.reason is ParkReason.MALFORMED_MESSAGE


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
