"""From a message to files in S3, once."""

import json

import pytest

from local.export_api.archives import LaidOutZip, Member
from local.export_api.catalogue import Export, ExportFile
from local.export_api.content import Content
from local.processes import wait_for
from tests.e2e.exports import zip_of

FILES = {
    "empty.txt": b"",
    "reports/2026/übersicht.json": b'{"ok": true}' * 500,
    "large.bin": Content("large", 10 << 20).read(0, 10 << 20),
}


def test_every_matching_file_is_in_s3_and_the_rest_has_its_reason(run):
    extra = {"nobody-knows.txt": b"no metadata", "longer.txt": b"1234", "other.txt": b"abcd"}
    run.describe(FILES | {"longer.txt": b"12345", "other.txt": b"wxyz"})
    run.offer(zip_of(FILES | extra)).send().finish("incomplete")
    assert run.objects() == FILES
    assert run.outcomes() == dict.fromkeys(FILES, "uploaded") | {
        "nobody-knows.txt": "no-metadata",
        "longer.txt": "size-mismatch",
        "other.txt": "checksum-mismatch",
    }
    assert run.parked_reasons() == []
    answer = run.platform.get_object(f"exports/{run.job_id}/large.bin")
    assert answer["Metadata"]["export-job-id"] == run.job_id
    assert answer["Metadata"]["file-id"] == "file-0"


def test_archives_without_ranges_with_descriptors_and_zip64(run):
    members = [
        Member(
            name=f"{number}.json",
            content=Content(f"{run.job_id}/{number}", size),
            descriptor=True,
            zip64=number == 2,
        )
        for number, size in enumerate((10, 300_000, 3_000_000))
    ]
    expected = {member.name: b"".join(member.content.pieces()) for member in members}
    files = [
        ExportFile(
            file_id="whole",
            name="whole.zip",
            archive=LaidOutZip(members=members),
            honours_range=False,
            lists_size=False,
        ),
        ExportFile(
            file_id="ranged", name="ranged.zip", archive=LaidOutZip(members=members), relative_url=True
        ),
    ]
    run.api.catalogue.add(Export(run.job_id, files))
    run.describe(expected).send().finish()
    assert run.objects() == expected
    outcomes = {**run.outcomes("whole"), **run.outcomes("ranged")}
    assert set(outcomes.values()) <= {"uploaded", "already-present"}


def test_a_large_file_that_does_not_match_leaves_nothing_behind(run):
    data = Content("wrong", 40 << 20).read(0, 40 << 20)
    run.describe({"wrong.bin": data[:-1] + b"?"}).offer(zip_of({"wrong.bin": data})).send()
    run.finish("incomplete")
    assert run.outcomes() == {"wrong.bin": "checksum-mismatch"}
    assert run.objects() == {}
    bucket = run.platform.output("BucketName")
    assert "Uploads" not in run.platform.client("s3").list_multipart_uploads(Bucket=bucket)


def test_a_large_archive_is_split_and_its_manifest_is_one(run, splitting_workers):
    files = {f"{number}.bin": Content(str(number), 300_000).read(0, 300_000) for number in range(12)}
    run.describe(files).offer(zip_of(files)).send().finish()
    assert run.objects() == files
    assert run.outcomes() == dict.fromkeys(files, "uploaded")
    parts = [item for item in run.platform.ledger(run.job_id) if "#PART#" in item["item"]]
    assert len(parts) > 1


@pytest.fixture
def splitting_workers(run, services):
    """Two workers that split what others would not, instead of the usual one."""
    services["worker"].stop()
    workers = [
        run.platform.run_task("worker", overrides={"SPLIT_BYTES": "500000"}, ready=False) for _ in range(2)
    ]
    for worker in workers:
        worker.wait_until_ready()
    yield workers
    for worker in workers:
        worker.stop()


def test_a_second_delivery_uploads_nothing(run):
    run.describe(FILES).offer(zip_of(FILES)).send().finish()
    task = next(item for item in run.platform.ledger(run.job_id) if item["item"].startswith("TASK#"))
    written = _written(run)
    sent = run.api.bytes_sent
    run.platform.send_raw(
        "DownloadTasks",
        json.dumps(
            {
                "schema_version": 1,
                "task_id": task["item"].removeprefix("TASK#"),
                "export_job_id": run.job_id,
                "file_id": "file-0",
                "file_name": "0.zip",
                "download_url": f"{run.api.base_url}/download/{run.job_id}/file-0.zip",
                "correlation_id": "again",
            }
        ),
    )
    wait_for(lambda: not run.platform.queued(), "both queues empty", 20)
    assert _written(run) == written
    assert run.api.bytes_sent == sent
    assert run.parked_reasons() == []


def test_a_job_sent_again_tries_what_is_missing_and_skips_what_is_there(run):
    expected = FILES | {"broken.txt": b"as it should be", "late.txt": b"not yet exported"}
    run.describe(expected).offer(zip_of(FILES | {"broken.txt": b"as it should by"})).send()
    run.finish("incomplete")
    assert run.missing() == {"broken.txt": "checksum-mismatch", "late.txt": "not-in-any-archive"}
    written = {key: when for key, when in _written(run) if key.startswith("exports/")}
    sent = run.api.bytes_sent
    run.offer(zip_of(FILES | {"broken.txt": b"as it should be"}), zip_of({"late.txt": b"not yet exported"}))
    run.send().finish("completed", run=2)
    assert run.objects() == expected
    assert run.missing() == {}
    assert run.outcomes() == dict.fromkeys(FILES, "already-present") | {"broken.txt": "uploaded"}
    assert written.items() <= dict(_written(run)).items()
    assert run.api.bytes_sent - sent < 1 << 20
    job = run.platform.ledger_job(run.job_id)
    assert (job["expected"], job["present"], job["missing"], job["tasks_total"]) == (5, 5, 0, 2)
    latest = run.platform.client("dynamodb").query(
        TableName=run.platform.output("LedgerTableName"),
        IndexName="jobs-by-status",
        KeyConditionExpression="job_status = :status",
        ExpressionAttributeValues={":status": {"S": "completed"}},
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    assert [item["export_job_id"]["S"] for item in latest] == [run.job_id]


def test_sns_and_eventbridge_envelopes_are_opened(run):
    run.describe(FILES).offer(zip_of(FILES))
    body = json.dumps({"Message": json.dumps({"detail": {"export_job_ids": [run.job_id]}})})
    run.platform.send_raw("ExportJobs", body)
    assert run.finish().objects() == FILES


def test_a_worker_is_protected_while_it_spools_and_no_longer(run, services, faults):
    agent, worker = run.platform.endpoints.agent, services["worker"]
    run.describe(FILES).offer(zip_of(FILES), honours_range=False)
    with faults.hold("download", run.job_id, after=2):  # which show that there are no ranges
        run.send()
        wait_for(lambda: agent.is_protected(worker.task_id), "the worker protected", 20)
    run.finish()
    wait_for(lambda: not agent.is_protected(worker.task_id), "the protection released", 20)


def test_a_rotated_token_is_read_again(run, platform, api):
    old = set(api.tokens)
    platform.set_api_token("rotated")
    api.tokens = {"rotated"}
    try:
        run.describe(FILES).offer(zip_of(FILES)).send().finish()
    finally:
        platform.set_api_token(*old)
        api.tokens = old


def _written(run):
    """Every object of the job with the time it was written."""
    listed = []
    for prefix in ("exports", "manifests"):
        answer = run.platform.client("s3").list_objects_v2(
            Bucket=run.platform.output("BucketName"), Prefix=f"{prefix}/{run.job_id}/"
        )
        listed += [(item["Key"], item["LastModified"]) for item in answer["Contents"]]
    return listed
