"""The judge against a good ending and against each way to spoil it."""

import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from local.faults.judge.checker import check

SHA = "ab" * 32
State = dict[str, Any]

EXPECTED: State = {
    "objects": {"exports/j/a.json": {"size": 3, "sha256": SHA, "job": "j", "file": "f"}},
    "entries": {"j/f": {"a.json": "uploaded", "b.json": "no-metadata"}},
    "files": {"j/f": "done", "k/g": "truncated-archive"},
    "jobs": {"j": None, "k": None, "u": "unknown-job"},
    "missing": {"j": [], "k": [], "u": []},
    "messages": [
        {"body": '{"export_job_ids": ["j", "k"]}', "jobs": ["j", "k"]},
        {"body": '{"export_job_ids": ["u"]}', "jobs": ["u"]},
        {"body": "{1", "jobs": []},
    ],
}


def good() -> State:
    """Everything as it should be."""
    task = {"export_job_id": "j", "item": "TASK#1", "file_id": "f", "status": "done"}
    parked = {"export_job_id": "k", "item": "TASK#2", "file_id": "g", "status": "parked"}
    return {
        "objects": {
            "exports/j/a.json": {
                "size": 3,
                "sha256": SHA,
                "metadata": {"export-job-id": "j", "file-id": "f", "sha256": SHA},
            },
            "manifests/j/f.json": {
                "text": json.dumps(
                    {
                        "export_job_id": "j",
                        "file_id": "f",
                        "outcomes": {"already-present": 1, "no-metadata": 1},
                    }
                )
            },
            "manifests/j/f.entries.jsonl": {
                "text": '{"path": "a.json", "outcome": "uploaded"}\n'
                '{"path": "b.json", "outcome": "no-metadata"}'
            },
        },
        "ledger": [
            {"export_job_id": "j", "item": "JOB", "status": "completed", "tasks_total": 1, "tasks_done": 1},
            {"export_job_id": "k", "item": "JOB", "status": "failed", "tasks_total": 1, "tasks_done": 0},
            {"export_job_id": "u", "item": "JOB", "status": "failed"},
            task,
            parked,
        ],
        "transitions": [
            transition("j", "TASK#1", "claimed", "done"),
            transition("j", "JOB", "processing", "completed"),
        ],
        "events": [
            event("Export Job Completed", "j", "e1"),
            event("Export Job Failed", "k", "e2"),
            event("Export Job Failed", "u", "e3"),
        ],
        "parked": {
            "export-jobs": [
                parking("{1", "malformed-message"),
                parking('{"export_job_ids": ["u"]}', "unknown-job"),
            ],
            "download-tasks": [parking('{"export_job_id": "k", "file_id": "g"}', "truncated-archive")],
        },
        "left_on_queues": {"export-jobs": 0, "download-tasks": 0},
        "object_writes": {"exports/j/a.json": 3},
        "uploads_left": 0,
    }


def transition(job: str, item: str, before: str, after: str) -> State:
    return {"export_job_id": job, "item": item, "from": {"status": before}, "to": {"status": after}}


def parking(body: str, reason: str) -> State:
    return {"body": body, "attributes": {"reason": reason, "first_seen": "2026-11-25T00:00:00+00:00"}}


def event(type_: str, job: str, event_id: str) -> State:
    return {"type": type_, "detail": {"export_job_id": job, "event_id": event_id}}


def test_a_good_ending_is_good() -> None:
    judgement = check(EXPECTED, good())
    assert judgement.findings == []
    assert judgement.ok
    assert (judgement.expected, judgement.present, judgement.messages_sent) == (3, 3, 3)
    assert judgement.objects_written_again == 2
    assert judgement.parked == {"malformed-message": 1, "truncated-archive": 1, "unknown-job": 1}


def test_an_event_said_again_is_counted_beside() -> None:
    state = good()
    state["events"].append(state["events"][0])
    judgement = check(EXPECTED, state)
    assert judgement.ok
    assert judgement.events_repeated == 1


def test_parts_of_a_split_manifest_may_stay() -> None:
    state = good()
    state["objects"]["manifests/j/f.parts/0-00001.json"] = {"size": 2, "sha256": "", "metadata": {}}
    assert check(EXPECTED, state).ok


Spoil = Callable[[State], Any]


def lacking(state: State) -> None:
    """A file of the job that ended as complete is named missing by the metadata's side."""
    state["ledger"][0].update(status="completed")
    state["objects"].pop("exports/j/a.json")


def test_a_job_that_lacks_files_is_to_end_as_incomplete() -> None:
    expected, state = copy.deepcopy(EXPECTED), good()
    expected["missing"]["j"] = ["b.json"]
    assert check(expected, state).silently_incomplete == 1
    state["ledger"][0].update(status="incomplete", missing=1)
    state["transitions"][1] = transition("j", "JOB", "processing", "incomplete")
    state["events"][0] = event("Export Job Incomplete", "j", "e1")
    assert check(expected, state).missing == 1  # nobody has named the file
    state["objects"]["manifests/j/missing.jsonl"] = {"text": '{"path": "b.json"}'}
    assert check(expected, state).findings == []
    state["objects"]["manifests/j/missing.jsonl"] = {"text": '{"path": "c.json"}'}
    assert check(expected, state).wrong == 1


def test_another_run_ends_once_more() -> None:
    state = good()
    state["transitions"] += [
        {**transition("j", item, before, after), "to": {"status": after, "run": 2}}
        for item, before, after in (("TASK#1", "claimed", "done"), ("JOB", "processing", "completed"))
    ]
    again = event("Export Job Completed", "j", "e4")
    again["detail"]["run"] = 2
    state["events"].append(again)
    assert check(EXPECTED, state).findings == []


FULL = {f"producer-{number}": "theirs" for number in range(10)}


def test_where_a_producer_left_no_room_the_ledger_has_the_reason() -> None:
    state = good()
    malformed, unknown = state["parked"]["export-jobs"]
    malformed["attributes"] = unknown["attributes"] = FULL
    partition = f"#message:{hashlib.sha256(b'{1').hexdigest()}"
    state["ledger"].append(
        {"export_job_id": partition, "item": "MESSAGE", "status": "parked", "reason": "malformed-message"}
    )
    state["ledger"][2]["reason"] = "unknown-job"
    assert check(EXPECTED, state).findings == []


def test_a_value_that_is_no_id_is_parked_by_itself() -> None:
    expected, state = copy.deepcopy(EXPECTED), good()
    expected["messages"][0]["refused"] = ["an id"]
    assert check(expected, state).unaccounted == 1
    state["parked"]["export-jobs"].append(parking('{"export_job_ids": ["an id"]}', "malformed-message"))
    assert check(expected, state).findings == []


def test_what_was_mended_leaves_its_first_parking_behind() -> None:
    expected, state = copy.deepcopy(EXPECTED), good()
    expected["healed"] = {"j/f": "truncated-archive"}
    assert check(expected, state).findings == []  # mended before it was parked, or redriven since
    state["parked"]["download-tasks"].append(
        parking('{"export_job_id": "j", "file_id": "f"}', "truncated-archive")
    )
    assert check(expected, state).findings == []
    state["parked"]["download-tasks"].append(parking('{"export_job_id": "j", "file_id": "f"}', "not-a-zip"))
    assert check(expected, state).unaccounted == 1


def test_a_count_is_of_the_moment_when_the_end_was_said() -> None:
    expected, state = copy.deepcopy(EXPECTED), good()
    expected["files"]["j/h"] = "crash-loop"
    state["ledger"][0].update(status="failed", tasks_total=2, missing=1)
    state["ledger"].append(
        {"export_job_id": "j", "item": "TASK#3", "file_id": "h", "status": "parked", "reason": "crash-loop"}
    )
    state["parked"]["download-tasks"].append(parking('{"export_job_id": "j", "file_id": "h"}', "crash-loop"))
    state["events"][0] = event("Export Job Failed", "j", "e1")
    state["objects"]["manifests/j/missing.jsonl"] = {"text": '{"path": "a.json"}'}
    # The job failed without file f, which an operator has brought back since.
    state["transitions"] = [
        transition("j", "JOB", "processing", "failed"),
        {**transition("j", "TASK#1", "claimed", "done"), "to": {"status": "done", "file_id": "f"}},
    ]
    assert check(expected, state).findings == []
    # An earlier try of it had written its manifest by then.
    state["transitions"][0]["to"]["finished_at"] = 10.0
    state["first_written"] = {"manifests/j/f.json": 9.0}
    assert check(expected, state).unaccounted == 1
    state["first_written"] = {"exports/j/a.json": 9.0, "manifests/j/f.json": 11.0}
    assert check(expected, state).findings == []
    state["transitions"].reverse()
    assert check(expected, state).unaccounted == 1


SPOILS: list[tuple[str, str, Spoil]] = [
    ("an object is gone", "missing", lambda s: s["objects"].pop("exports/j/a.json")),
    ("a manifest is gone", "missing", lambda s: s["objects"].pop("manifests/j/f.json")),
    ("bytes differ", "wrong", lambda s: s["objects"]["exports/j/a.json"].update(sha256="00")),
    ("the owner differs", "wrong", lambda s: s["objects"]["exports/j/a.json"]["metadata"].update(
        {"file-id": "x"})),
    ("the manifest miscounts", "wrong", lambda s: s["objects"]["manifests/j/f.json"].update(
        text='{"export_job_id": "j", "file_id": "f", "outcomes": {"uploaded": 2}}')),
    ("the manifest is half", "wrong", lambda s: s["objects"]["manifests/j/f.json"].update(text='{"ex')),
    ("an entry is listed twice", "wrong", lambda s: s["objects"]["manifests/j/f.entries.jsonl"].update(
        text=s["objects"]["manifests/j/f.entries.jsonl"]["text"]
        + '\n{"path": "a.json", "outcome": "uploaded"}')),
    ("an object is too much", "extra", lambda s: s["objects"].update({"exports/j/b.json": {}})),
    ("a task is done twice", "tasks_completed_twice", lambda s: s["transitions"].append(
        transition("j", "TASK#1", "claimed", "done"))),
    ("a job is completed twice", "jobs_completed_twice", lambda s: s["transitions"].append(
        transition("j", "JOB", "processing", "completed"))),
    ("completion is said twice", "jobs_completed_twice", lambda s: s["events"].append(
        event("Export Job Completed", "j", "another"))),
    ("a complete job lacks a file", "silently_incomplete", lacking),
    ("completion is not said", "unaccounted", lambda s: s["events"].pop(0)),
    ("a message is left", "unaccounted", lambda s: s["left_on_queues"].update({"download-tasks": 1})),
    ("a job is open", "unaccounted", lambda s: s["ledger"][0].update(status="processing")),
    ("a task is open", "unaccounted", lambda s: s["ledger"][3].update(status="claimed")),
    ("a job miscounts", "unaccounted", lambda s: s["ledger"][0].update(tasks_done=2)),
    ("a malformed message is gone", "unaccounted", lambda s: s["parked"]["export-jobs"].pop(0)),
    ("a parking is gone", "unaccounted", lambda s: s["parked"]["download-tasks"].pop()),
    ("a parking has no reason", "unaccounted", lambda s: s["parked"]["download-tasks"].append(
        {"body": '{"export_job_id": "k", "file_id": "g"}', "attributes": {}})),
    ("a full message has no reason anywhere", "unaccounted", lambda s: s["parked"]["export-jobs"].append(
        {"body": '{"export_job_ids": ["u"]}', "attributes": FULL})),
    ("a good archive is parked", "unaccounted", lambda s: s["parked"]["download-tasks"].append(
        parking('{"export_job_id": "j", "file_id": "f"}', "not-a-zip"))),
    ("a task is parked for an outage", "unaccounted", lambda s: s["transitions"].insert(0, {
        "export_job_id": "j", "item": "TASK#1", "from": {"status": "claimed"},
        "to": {"status": "parked", "file_id": "f", "reason": "retries-exhausted"}})),
    ("a job is parked for an outage", "unaccounted", lambda s: s["transitions"].insert(0, {
        "export_job_id": "j", "item": "JOB", "from": {"status": "waiting"},
        "to": {"status": "failed", "reason": "retries-exhausted"}})),
    ("an event miscounts", "unaccounted", lambda s: s["events"][0]["detail"].update(missing=1)),
    ("a list names what is there", "wrong", lambda s: s["objects"].update(
        {"manifests/j/missing.jsonl": {"text": '{"path": "a.json"}'}})),
]  # fmt: skip


@pytest.mark.parametrize(("count", "spoil"), [pytest.param(c, s, id=name) for name, c, s in SPOILS])
def test_each_spoiled_ending_is_found(count: str, spoil: Spoil) -> None:
    state = copy.deepcopy(good())
    spoil(state)
    judgement = check(EXPECTED, state)
    assert not judgement.ok
    assert getattr(judgement, count) >= 1, judgement.findings


def test_the_checker_shares_no_code_with_the_runtime() -> None:
    script = (
        "import sys, local.faults.judge.checker, local.faults.judge.observe\n"
        "sys.exit(any(name.split('.')[0] == 'runtime' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
