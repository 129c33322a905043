"""Bad input through the front door: parked with its reason, rejected with its outcome, or tried again."""

import json

import pytest

from local.export_api.faults import WrongAnswer, retry_after
from local.processes import wait_for
from tests.e2e.exports import Run, zip_of

GOOD = {"good.txt": b"as it should be"}


@pytest.mark.parametrize("body", ["{", "[1]", '{"export_job_ids": []}', '{"export_job_ids": ["a/b"]}'])
def test_a_malformed_message_is_parked(platform, services, body):
    before = _reasons(platform, body).count("malformed-message")
    platform.send_raw("ExportJobs", body)
    wait_for(lambda: _reasons(platform, body).count("malformed-message") > before, f"{body} parked", 20)


def test_a_malformed_task_is_parked(platform, services):
    body = json.dumps({"schema_version": 1, "task_id": "only"})
    platform.send_raw("DownloadTasks", body)
    wait_for(lambda: _reasons(platform, body, "DownloadTasks") == ["malformed-message"], "it parked", 20)


def test_an_unknown_job_is_parked(run):
    run.send()
    wait_for(lambda: run.parked_reasons() == ["unknown-job"], "the job parked", 20)


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"<html>this is no archive</html>" * 100, "not-a-zip"),
        (zip_of({"cut.bin": bytes(range(256)) * 400} | GOOD)[:-150], "truncated-archive"),
    ],
    ids=["not-a-zip", "truncated"],
)
def test_an_archive_that_cannot_be_read_is_parked_and_its_job_fails(run, archive, reason):
    run.describe(GOOD).offer(archive, zip_of(GOOD)).send().finish("failed")
    assert run.parked_reasons() == [reason]
    assert run.objects() == GOOD


@pytest.mark.parametrize(
    ("name", "outcome"),
    [("../outside.txt", "unsafe-name"), ("secret.txt", "encrypted"), ("bomb.bin", "limit-exceeded")],
)
def test_a_bad_entry_is_rejected_and_the_others_are_not(run, name, outcome):
    bad = {name: bytes(8 << 20) if name == "bomb.bin" else b"bad"}
    encrypted = frozenset(bad) if outcome == "encrypted" else frozenset()
    run.describe(GOOD | bad).offer(zip_of(GOOD | bad, encrypted=encrypted)).send().finish("incomplete")
    assert sorted(run.outcomes().values()) == sorted(["uploaded", outcome])
    assert run.objects() == GOOD


@pytest.mark.parametrize("field", ["size", "sha256"])
def test_metadata_of_the_wrong_type_rejects_its_entry(run, field):
    bad = {"odd.txt": b"odd"}
    item = {"export_job_id": run.job_id, "file_path": "odd.txt", "size": 3, "sha256": "0" * 64}
    run.platform.put_metadata([item | {field: ["neither", "of", "them"]}])
    run.describe(GOOD).offer(zip_of(GOOD | bad)).send().finish("incomplete")
    assert run.outcomes() == {"good.txt": "uploaded", "odd.txt": "invalid-metadata"}
    assert run.objects() == GOOD


def test_passing_faults_of_the_api_are_tried_again(platform, api, services, faults):
    answers = (
        WrongAnswer(401, "not this token"),
        WrongAnswer(429, "slow down", retry_after(1, as_date=False)),
        WrongAnswer(503, "slow down", retry_after(1, as_date=True)),
        WrongAnswer(500, "broken"),
        WrongAnswer(502),  # as HTML
        WrongAnswer(200),  # HTML too, which no archive and no listing is
    )
    runs = []
    # All at once: each waits for its own fault to pass, and the circuit breaker may open over all of them.
    for kind in ("status", "files", "download"):
        for answer in answers:
            if (kind, answer.status) != ("download", 200):
                run = Run(platform, api).describe(GOOD).offer(zip_of(GOOD))
                faults.add(answer, kind=kind, job_id=run.job_id)
                runs.append(run.send())
    for run in runs:
        assert run.finish().objects() == GOOD


def test_an_expired_url_is_fetched_anew(run, faults):
    faults.add(WrongAnswer(403, "expired"), kind="download", job_id=run.job_id, times=2)
    assert run.describe(GOOD).offer(zip_of(GOOD)).send().finish().objects() == GOOD


def test_a_failed_export_is_parked(run):
    run.offer(zip_of(GOOD)).api.catalogue.exports[run.job_id].status = "failed"
    run.send()
    wait_for(lambda: run.parked_reasons() == ["export-failed"], "the job parked", 20)


def _reasons(platform, body, queue="ExportJobs"):
    return [message["reason"] for message in platform.parked(queue) if message["body"] == body]
