"""The worker as a process with slow downloads in hand: SIGTERM hands all of them over, SIGKILL costs little.

`SLOW_DOWNLOADS=500 pytest tests/unit/worker/test_process.py -k sigterm -s` is the same at full size.
"""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.shared.contracts import DownloadTask, task_id_for
from runtime.worker.transfer import memory, resume
from tests.unit.conftest import REGION, Aws, until
from tests.unit.worker.conftest import zip_of

ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024
DOWNLOADS = int(os.environ.get("SLOW_DOWNLOADS", "60"))
# What a worker takes minutes for: taking on hundreds of downloads, however busy this machine is otherwise,
# and filling parts, which are of S3's least size here.
PROGRAM = """
from runtime.worker.bounds import admission
from runtime.worker.transfer import memory, resume
admission.START, admission._WINDOW_S = 1_000, float('inf')
memory.PART_BYTES, resume.SAVE_EVERY_BYTES = {part}, {save}
from runtime.worker.__main__ import main
main()
"""


class World:
    """Queue, tables, bucket and secret for worker processes, and what they have left there."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.aws = aws
        self.folder = folder
        self.queue = aws.queue(visibility_s=4)
        self.table = aws.table()
        self.s3, self.dynamodb = aws.s3, aws.dynamodb
        self.bucket = f"bucket-{self.table}"
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.metadata = f"metadata-{self.table}"
        keys = {"export_job_id": "HASH", "file_path": "RANGE"}
        self.dynamodb.create_table(
            TableName=self.metadata,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        )
        self.secret = aws.secrets.create_secret(Name=self.table, SecretString='{"token": "t"}')["ARN"]
        self.children: list[subprocess.Popen[bytes]] = []
        self.archives = ""

    def serve(self, archive: bytes, *, rate: float = 0, hold_at: int = 0) -> None:
        file = self.folder / "archive.zip"
        file.write_bytes(archive)
        program = [sys.executable, "-m", "tests.unit.worker.paced_archives"]
        command = [*program, str(file), str(rate), str(hold_at)]
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self.children.append(server)
        assert server.stdout is not None
        self.archives = f"http://127.0.0.1:{int(server.stdout.readline())}"

    def archive_server(self, path: str) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.archives}/{path}", timeout=10) as answer:
            found: dict[str, int] = json.load(answer)
            return found

    def send(self, job: str, path: str, data: bytes) -> None:
        """A task of a job that expects this one file."""
        item = {"export_job_id": job, "file_path": path, "sha256": hashlib.sha256(data).hexdigest()}
        typed: dict[str, Any] = {name: {"S": value} for name, value in item.items()}
        self.dynamodb.put_item(TableName=self.metadata, Item={**typed, "size": {"N": str(len(data))}})
        task = DownloadTask(
            task_id=task_id_for(job, "f"),
            export_job_id=job,
            file_id="f",
            file_name="f.zip",
            download_url=f"{self.archives}/{job}",
            correlation_id="c",
        )
        body = task.model_dump_json(exclude_none=True)
        self.aws.sqs.send_message(QueueUrl=self.queue.url, MessageBody=body)

    def start(self, **values: str) -> subprocess.Popen[bytes]:
        """A worker that runs."""
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "SERVICE_MODE": "worker",
            "ENVIRONMENT": "dev",
            "LEDGER_TABLE_NAME": self.table,
            "DOWNLOAD_TASKS_QUEUE_URL": self.queue.url,
            "DOWNLOAD_TASKS_DLQ_URL": self.queue.dlq_url,
            "EXPORT_API_BASE_URL": self.archives,
            "EXPORT_API_SECRET_ARN": self.secret,
            "DOWNLOAD_ALLOW_HTTP": "true",
            "DOWNLOAD_ALLOW_PRIVATE_ADDRESSES": "true",
            "BUCKET_NAME": self.bucket,
            "METADATA_TABLE_NAME": self.metadata,
            "SCRATCH_DIR": str(self.folder),
            "SLOTS": "512",
            "HEALTH_PORT": "0",
            "POLL_WAIT_S": "1",
            **values,
        }
        log = self.log_file(len(self.children))
        command = [sys.executable, "-c", PROGRAM.format(part=5 * MIB, save=5 * MIB)]
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        self.children.append(process)
        until(lambda: process.poll() is not None or '"Started' in log.read_text(), 60)
        assert process.poll() is None, log.read_text()
        return process

    def log_file(self, number: int) -> Path:
        return self.folder / f"{number}.log"

    def log(self) -> str:
        return self.log_file(len(self.children) - 1).read_text()

    def waiting(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.aws.sqs.get_queue_attributes(QueueUrl=self.queue.url, AttributeNames=names)["Attributes"]
        assert found[names[1]] == "0"
        return int(found[names[0]])

    def leases(self) -> list[float]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
        items = [item for page in pages for item in page["Items"]]
        return [float(item["lease_until"]["N"]) for item in items if "generation" in item]

    def uploads(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return found


@pytest.fixture
def world(aws: Aws, tmp_path: Path) -> Iterator[World]:
    made = World(aws, tmp_path)
    yield made
    for child in made.children:
        child.kill()
        child.wait()


def test_sigterm_hands_over_every_slow_download_in_time(world: World) -> None:
    text = random.Random(1).randbytes(8 * MIB).hex().encode()
    # Together what the local S3 keeps up with, whatever their number.
    world.serve(zip_of({"a.txt": text}, level=1), rate=4 * MIB / DOWNLOADS)
    for number in range(DOWNLOADS):
        world.send(f"job-{number}", "a.txt", text)
    process = world.start(VISIBILITY_TIMEOUT_S="300", SLOTS=str(max(64, DOWNLOADS)))
    # All are open, planned, and sending their first part to S3 as it comes.
    until(lambda: len(world.uploads()) == DOWNLOADS, 20 + DOWNLOADS)
    told_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    took = time.monotonic() - told_at
    print(f"{DOWNLOADS} downloads were handed over in {took:.1f} s")
    assert world.waiting() == DOWNLOADS
    assert world.leases() == [0.0] * DOWNLOADS
    assert world.uploads() == []
    # The poll that was under way may bring back some of what has just been handed over, once.
    assert DOWNLOADS <= world.log().count("Handed over (stopping)") <= DOWNLOADS + 10
    assert "Stopped, nothing in hand" in world.log()


def test_sigkill_in_a_large_deflated_entry_costs_what_was_not_saved_yet(world: World) -> None:
    text = random.Random(2).randbytes(32 * MIB).hex().encode()
    archive = zip_of({"a.txt": text}, level=1)
    hold_at = len(archive) * 3 // 4
    world.serve(archive, hold_at=hold_at)
    world.send("job", "a.txt", text)
    timings = {"VISIBILITY_TIMEOUT_S": "4", "HEARTBEAT_INTERVAL_S": "1", "CONNECTIONS_PER_ARCHIVE": "1"}
    first = world.start(**timings)
    until(lambda: world.archive_server("sent")["sent"] >= hold_at, 60)
    first.kill()
    before = world.archive_server("go-on")["sent"]
    second = world.start(**timings)
    until(lambda: world.aws.depth(world.queue.url) == 0, 90)
    after = world.archive_server("sent")["sent"] - before
    # 64 MB of the entry are eight parts: three not saved yet, one more, three on their way, one being filled.
    # Here a save is one part, so it is six of them.
    compression = len(archive) / len(text)
    assert after < len(archive) - hold_at + 6 * 5 * MIB * compression + 200_000
    assert after < len(archive)
    assert world.s3.get_object(Bucket=world.bucket, Key="exports/job/a.txt")["Body"].read() == text
    assert world.uploads() == []
    assert "Resumed inside an entry" in world.log()
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0


def test_what_is_not_saved_is_below_64_mb() -> None:
    parts = memory.PART_BYTES * (1 + 3 + 1)
    assert resume.SAVE_EVERY_BYTES + parts <= 64 * MIB
