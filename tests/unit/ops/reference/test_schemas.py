"""The schemas in docs/contracts say what the models say, and what is really read and written."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from ops.reference.ledger_items import JobItem
from ops.reference.schemas import CONTRACTS, FOLDER, files, schema
from runtime.shared.circuits.config import CircuitConfig
from runtime.shared.circuits.state import tripped
from runtime.shared.circuits.store import LedgerCircuits
from runtime.shared.consumer.lineage import Lineage
from runtime.shared.contracts import (
    EntryOutcome,
    InvalidMessage,
    MissingReason,
    ParkReason,
    parse_download_task,
    parse_export_jobs,
)
from runtime.shared.ledger import JobCount, Ledger, ListingState, MessageLedger, WorkUnit
from runtime.shared.ledger.messages import place_of_body, place_of_job
from runtime.shared.ledger.table import LedgerTable
from runtime.shared.ledger.types import Summary
from runtime.shared.rate.pace import Pace
from runtime.shared.rate.permits import Permits
from runtime.worker.manifest.manifest import ArchiveIdentity, Manifest
from tests.reference.held_against import contract_of, held_against, undocumented
from tests.unit.conftest import Aws, Clock

ROOT = Path(__file__).parents[4]
SUMMARY: Summary = {
    "etag": '"e"', "size": 9, "entries": 2, "in_s3": 1, "rejected": 1, "bytes_fetched": 9, "bytes_saved": 0,
    "bytes_uploaded": 5, "paths_digest": 1, "rejected:no-metadata": 1,
}  # fmt: skip


def test_the_files_are_fresh() -> None:
    """`python -m ops.reference` writes them."""
    there = {path: path.read_text() for path in FOLDER.glob("*.json")}
    assert there == files()


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_is_a_schema_of_an_object_and_is_named_on_the_page(name: str) -> None:
    document = schema(name)
    Draft202012Validator.check_schema(document)
    assert document["type"] == "object"
    assert document["description"]
    assert f"(contracts/{name}.schema.json)" in (ROOT / "docs/contracts.md").read_text()


@pytest.mark.parametrize(
    ("section", "words"),
    [("Entry outcomes", EntryOutcome), ("Missing reasons", MissingReason), ("Park reasons", ParkReason)],
)
def test_the_page_says_of_each_word_what_it_means_and_who_acts(section: str, words: Any) -> None:
    page = (ROOT / "docs/contracts.md").read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    assert [row[0].strip("`") for row in rows] == [str(word) for word in words]
    for word, meaning, who, how in rows:
        assert meaning.endswith("."), word
        assert who == "nobody" or how.endswith("."), f"{word} does not say what to do"


IDS = st.text(max_size=12) | st.sampled_from([".", "..", "a/b", "a b", "a\n", "job-1", "x" * 257])


@given(ids=st.lists(IDS, max_size=2), more=st.fixed_dictionaries({}, optional={"correlation_id": IDS}))
def test_the_schema_of_a_job_message_and_the_parser_agree(ids: list[str], more: Mapping[str, str]) -> None:
    document = {"export_job_ids": ids, **more}
    try:
        parsed = parse_export_jobs(json.dumps(document))
        taken = not parsed.rejected and not parsed.ignored
    except InvalidMessage:
        taken = False
    # An empty correlation id is the same as none.
    document = {name: value for name, value in document.items() if value != ""}
    assert Draft202012Validator(schema("export-jobs-message")).is_valid(document) == taken


TASK = {
    "schema_version": 1, "task_id": "t", "export_job_id": "j", "file_id": "f", "file_name": "n", "size": 1,
    "download_url": "u", "correlation_id": "c", "run": 2,
    "part": {"index": 0, "count": 1, "first": 0, "last": 5},
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {}, {"size": -1}, {"size": "1"}, {"file_id": "a/b"}, {"task_id": ""}, {"download_url": ""},
        {"run": 0}, {"priority": "urgent"}, {"priority": "low"}, {"correlation_id": "a\tb"}, {"part": {}},
        {"new": 1}, {"schema_version": "1"},
    ],
)  # fmt: skip
def test_the_schema_of_a_task_and_the_parser_agree(change: Mapping[str, Any]) -> None:
    document = {**TASK, **change}
    try:
        parse_download_task(json.dumps(document))
        taken = True
    except InvalidMessage:
        taken = False
    assert Draft202012Validator(schema("download-task-message")).is_valid(document) == taken


def test_a_manifest_is_held_against_its_schema() -> None:
    manifest = Manifest(
        export_job_id="j", file_id="f", file_name="n", task_id="t", correlation_id="c",
        archive=ArchiveIdentity(9, None, None, 1), outcomes={"uploaded": 1}, bytes_fetched=1, bytes_saved=0,
        bytes_uploaded=1, timings={"download_s": 0.1},
    )  # fmt: skip
    held_against("manifest", json.loads(manifest.to_json()))


def test_a_jobs_life_writes_what_the_ledgers_schemas_say(aws: Aws, clock: Clock) -> None:
    """Every kind of item, and every attribute that a job's can have."""
    table = LedgerTable(aws.dynamodb, aws.table(), retention_days=30, clock=clock)
    ledger, messages = Ledger(table), MessageLedger(table)
    seen: dict[str, set[str]] = {}

    def look() -> None:
        for page in aws.dynamodb.get_paginator("scan").paginate(TableName=table._name):
            for raw in page["Items"]:
                item = table.get(raw["export_job_id"]["S"], raw["item"]["S"])
                assert item is not None
                name = contract_of(item)
                held_against(name, item)
                seen.setdefault(name, set()).update(item)

    messages.failed(place_of_job("job"), "aws-error", "it met this", anew=False)
    look()
    messages.waited(place_of_job("job"), "pending")
    look()
    job = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c")
    ledger.record_tasks(job, {"t0": "f0", "t1": "f1", "t2": "f2"}, 0)
    ledger.advance(job, ListingState(cursor="next", pages=1, barren=1, rejected=1, rejections=("no url",)))
    look()
    ledger.park_job("other", "unknown-job", "404", correlation_id="c")
    ledger.finish_listing(job, ListingState(pages=2))
    units = [WorkUnit(export_job_id="job", task_id=f"t{number}", file_id=f"f{number}") for number in range(3)]
    ledger.complete(ledger.claim(units[0], owner="w", lease_s=60, message=Lineage("m")), SUMMARY)
    ledger.park(ledger.claim(units[1], owner="w", lease_s=60), "not-a-zip", "no ZIP record")
    whole = ledger.claim(units[2], owner="w", lease_s=60)
    ledger.save_checkpoint(whole, "key", b"state")
    ledger.split(whole, [(0, 5), (5, 9)])
    ledger.parts_sent(whole)
    for part in range(2):
        claim = ledger.claim(
            WorkUnit(export_job_id="job", task_id="t2", file_id="f2", part=part), owner="w", lease_s=60
        )
        look()
        if part == 0:
            ledger.complete_part(claim, SUMMARY)
        else:
            ledger.park(claim, "invalid-archive", "two readings")
    state = ledger.job_state("job")
    count = ledger.claim_count(state, owner="w", lease_s=60)
    ledger.save_count(count)
    ledger.begin_announcement(state, "failed", JobCount(3, 1, "manifests/job/missing.jsonl"), 60)
    look()
    ledger.end_announcement(state, "failed", announced=True)
    look()
    clock.advance(5)
    again = ledger.claim_job("job", owner="o", lease_s=60, correlation_id="c", sent_at=clock())
    ledger.record_tasks(again, {"t0": "f0"}, 0)
    body = place_of_body("{")
    messages.parked(body, "malformed-message", "no JSON", first_seen=datetime.fromtimestamp(clock(), UTC))
    LedgerCircuits(table).swap("status", None, tripped("status", "five in a row", clock(), CircuitConfig()))
    pace = Pace(table, "api", per_s=10, clock=clock)
    pace.take(lambda _seconds: None)
    with Permits(table, "host", limit=2, owner="w", clock=clock).hold(lambda _seconds: None):
        look()

    assert seen.keys() == {name for name in CONTRACTS if name.startswith("ledger-")}
    assert JobItem.model_fields.keys() - seen["ledger-job"] == set()


def test_what_is_not_documented_is_found() -> None:
    assert undocumented(schema("missing-line"), {"path": "p", "reason": "encrypted", "new": 1}) == ["new"]
    assert undocumented(schema("ledger-job"), {"rejected:encrypted": 1}) == []
