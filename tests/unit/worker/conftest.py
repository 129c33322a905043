"""A moto server, a bucket and a metadata table of its own for each test, and an archive server."""

import hashlib
import io
import logging
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from moto.server import ThreadedMotoServer

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.contracts import DownloadTask, task_id_for
from runtime.worker.clients import Clients
from runtime.worker.processor import ArchiveProcessor
from runtime.worker.settings import WorkerSettings
from runtime.worker.wiring import wire_processor
from tests.unit.worker.servers import ArchiveServer, Behaviour

REGION: Final = "eu-west-1"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line per request, else
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def session(moto_url: str) -> Iterator[boto3.Session]:
    """The environment that points every client at moto; one session, because loading its models is slow."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in {
            "AWS_ENDPOINT_URL": moto_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            monkeypatch.delenv(name, raising=False)
        yield boto3.Session()


class World:
    """Everything around a worker: bucket, table, archive server, settings."""

    def __init__(self, archives: ArchiveServer, scratch: Path, session: boto3.Session) -> None:
        self.archives = archives
        self.behaviour = archives.behaviour
        self.bucket = f"bucket-{uuid.uuid4().hex[:12]}"
        self.table = f"metadata-{uuid.uuid4().hex[:12]}"
        self.job = "job-1"
        self.s3 = session.client("s3")
        self.s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.dynamodb = session.client("dynamodb")
        self.dynamodb.create_table(
            TableName=self.table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": "export_job_id", "KeyType": "HASH"},
                {"AttributeName": "file_path", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "export_job_id", "AttributeType": "S"},
                {"AttributeName": "file_path", "AttributeType": "S"},
            ],
        )
        self.scratch = scratch
        self.clients = Clients.create(self.bucket, session)
        self._processors: list[ArchiveProcessor] = []

    def settings(self, **changes: Any) -> WorkerSettings:
        values: dict[str, Any] = {
            "environment": "test",
            "ledger_table_name": "ledger",
            "download_tasks_queue_url": "http://127.0.0.1:1/queue",
            "download_tasks_dlq_url": "http://127.0.0.1:1/dlq",
            "export_api_base_url": self.archives.base,
            "export_api_secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x",
            "bucket_name": self.bucket,
            "metadata_table_name": self.table,
            "scratch_dir": self.scratch,
            "scratch_budget_bytes": 1 << 30,
            "memory_budget_bytes": 256 << 20,
            "slots": 4,
            "download_allow_http": True,
            "download_allow_private_addresses": True,
            "stall_window_s": 5,
        }
        return WorkerSettings(**{**values, **changes})

    def processor(self, api: Any = None, **changes: Any) -> ArchiveProcessor:
        processor = wire_processor(self.settings(**changes), self.clients, api)
        self._processors.append(processor)
        return processor

    def close(self) -> None:
        for processor in self._processors:
            processor.close()

    def task(self, **changes: Any) -> DownloadTask:
        values = {
            "task_id": task_id_for(self.job, "file-1"),
            "export_job_id": self.job,
            "file_id": "file-1",
            "file_name": "export.zip",
            "download_url": "/download/file-1",
            "correlation_id": "corr-1",
        }
        return DownloadTask(**{**values, **changes})

    def seed(self, files: dict[str, bytes], **attributes: Any) -> None:
        """Metadata items that agree with these files; `attributes` override (None removes)."""
        for path, data in files.items():
            self.seed_item(
                path,
                {
                    "size": {"N": str(len(data))},
                    "sha256": {"S": hashlib.sha256(data).hexdigest()},
                    **attributes,
                },
            )

    def seed_item(self, path: str, attributes: dict[str, Any]) -> None:
        item = {"export_job_id": {"S": self.job}, "file_path": {"S": path}}
        item.update({name: value for name, value in attributes.items() if value is not None})
        self.dynamodb.put_item(TableName=self.table, Item=item)

    def object(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def uploads(self) -> list[str]:
        answer = self.s3.list_multipart_uploads(Bucket=self.bucket)
        return [upload["Key"] for upload in answer.get("Uploads", [])]

    def parts(self) -> int:
        """Of the unfinished uploads."""
        uploads = self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        listed = [
            self.s3.list_parts(Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"])
            for upload in uploads
        ]
        return sum(len(answer.get("Parts", [])) for answer in listed)


@pytest.fixture
def world(session: boto3.Session, tmp_path: Path) -> Iterator[World]:
    with ArchiveServer(Behaviour()) as archives:
        world = World(archives, tmp_path / "scratch", session)
        yield world
        world.close()


@pytest.fixture
def cancellation() -> Cancellation:
    return Cancellation()


def zip_of(files: dict[str, bytes], *, stored: bool = False, level: int | None = None) -> bytes:
    """A ZIP of these files, deflated unless `stored`."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(buffer, "w", method, compresslevel=level) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
