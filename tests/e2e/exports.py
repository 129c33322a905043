"""Exports that a test makes: archives written here, their metadata, and what became of them."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from local.export_api.archives import Blob
from local.export_api.catalogue import Export, ExportFile
from local.export_api.server import ExportApiServer
from local.platform import Platform
from local.processes import wait_for

PATIENCE_S = 40.0
_ENCRYPTED = 0x1


def zip_of(files: Mapping[str, bytes], *, encrypted: frozenset[str] = frozenset()) -> bytes:
    """A ZIP with these files; those in `encrypted` say that they are (their bytes are not)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        offsets = {info.filename: info.header_offset for info in archive.infolist()}
    packed = bytearray(buffer.getvalue())
    for name in encrypted:
        packed[offsets[name] + 6] |= _ENCRYPTED
        directory = packed.index(b"PK\x01\x02", packed.rindex(b"PK\x03\x04"))
        while packed[directory + 46 : directory + 46 + len(name)] != name.encode():
            directory = packed.index(b"PK\x01\x02", directory + 4)
        packed[directory + 8] |= _ENCRYPTED
    return bytes(packed)


def metadata_for(job_id: str, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """The items that say these files should be there."""
    return [
        {
            "export_job_id": job_id,
            "file_path": path,
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        for path, data in files.items()
    ]


@dataclass
class Run:
    """One export job of a test, from its archives to what the system made of them."""

    platform: Platform
    api: ExportApiServer
    job_id: str = field(default_factory=lambda: f"e2e-{uuid4().hex[:12]}")

    def offer(self, *archives: bytes, **options: Any) -> "Run":
        """Put a job with these archives (`file-0`, `file-1`, …) into the API's catalogue."""
        files = [
            ExportFile(file_id=f"file-{number}", name=f"{number}.zip", archive=Blob(data), **options)
            for number, data in enumerate(archives)
        ]
        self.api.catalogue.add(Export(self.job_id, files))
        return self

    def describe(self, files: Mapping[str, bytes]) -> "Run":
        """Put the metadata of these files into the table."""
        self.platform.put_metadata(metadata_for(self.job_id, files))
        return self

    def send(self) -> "Run":
        self.platform.send_export_jobs(self.job_id)
        return self

    def finish(self, status: str = "completed", *, run: int = 1) -> "Run":
        """Wait until the ledger says that the job's run has ended, and how; it must have ended like this."""

        def ended() -> str | None:
            item = self.platform.ledger_job(self.job_id)
            return item["status"] if item.get("announced") and item["run"] == run else None

        found = wait_for(ended, f"job {self.job_id} finished (ledger: {self._seen()})", PATIENCE_S)
        assert found == status, self._seen()
        return self

    def _seen(self) -> list[dict[str, Any]]:
        return self.platform.ledger(self.job_id)

    def outcomes(self, file_id: str = "file-0") -> dict[str, str]:
        """Each entry's outcome, from the manifest."""
        key = f"manifests/{self.job_id}/{file_id}.entries.jsonl"
        lines = self.platform.get_object(key)["Body"].read().decode().splitlines()
        return {line["path"]: line["outcome"] for line in map(json.loads, lines)}

    def missing(self) -> dict[str, str]:
        """Why each missing file is missing, from the list beside the manifests."""
        lines = self.platform.get_object(f"manifests/{self.job_id}/missing.jsonl")["Body"].read().decode()
        return {line["path"]: line["reason"] for line in map(json.loads, lines.splitlines())}

    def objects(self) -> dict[str, bytes]:
        """What lies under the job's prefix, by path."""
        prefix = f"exports/{self.job_id}/"
        return {
            key.removeprefix(prefix): self.platform.get_object(key)["Body"].read()
            for key in self.platform.objects(prefix)
        }

    def parked_reasons(self) -> list[str]:
        """Why messages about this job lie on the DLQs."""
        messages = self.platform.parked("ExportJobs") + self.platform.parked("DownloadTasks")
        return [message["reason"] for message in messages if self.job_id in message["body"]]
