"""The outcomes of archives and entries, and the missing files, as the worker wrote them into S3."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from ops.fleet.documents import Job, ManifestDocument, Manifests, MissingFile, MissingFiles
from ops.fleet.environment import Fleet
from ops.fleet.jobs import find_job
from ops.fleet.refusals import NotFound

_MANIFEST, _ENTRIES = ".json", ".entries.jsonl"
_READ_BYTES = 1 << 20


def manifests_of(fleet: Fleet, job: str, *, limit: int = 1_000) -> Manifests:
    """The manifests of a job's archives, without entries. Raises NotFound."""
    prefix = _prefix(fleet, job)
    keys = [key for key in _keys(fleet, prefix) if key.endswith(_MANIFEST)]
    if not keys:
        raise NotFound(
            f"job {job} has no manifest yet: none of its archives has ended. `export-ops status {job}`"
        )
    return Manifests(
        export_job_id=job,
        manifests=[
            ManifestDocument(key=key, manifest=json.loads(_body(fleet, key).read())) for key in keys[:limit]
        ],
    )


def manifest_of(fleet: Fleet, job: str, file_id: str, *, limit: int = 100_000) -> ManifestDocument:
    """One archive's manifest with its entries, at most `limit` of them. Raises NotFound."""
    key = f"{_prefix(fleet, job)}{file_id}{_MANIFEST}"
    manifest = json.loads(_body(fleet, key).read())
    entries = list(islice(entries_of(fleet, job, file_id), limit + 1))
    return ManifestDocument(
        key=key, manifest=manifest, entries=entries[:limit], complete=len(entries) <= limit
    )


def entries_of(fleet: Fleet, job: str, file_id: str) -> Iterator[dict[str, Any]]:
    """The lines of one archive's entries manifest, as they come. Raises NotFound."""
    yield from _lines(fleet, f"{_prefix(fleet, job)}{file_id}{_ENTRIES}")


def missing_of(fleet: Fleet, export_job_id: str, *, limit: int = 100_000) -> MissingFiles:
    """The files that the job's last count found missing. Raises NotFound."""
    job = find_job(fleet, export_job_id)
    files: list[MissingFile] = []
    reasons: Counter[str] = Counter()
    if job.missing:
        for line in _lines(fleet, job.missing_key):
            reasons[line["reason"]] += 1
            if len(files) < limit:
                files.append(MissingFile(**line))
    return MissingFiles(
        export_job_id=export_job_id,
        missing=job.missing,
        by_reason=dict(reasons.most_common()),
        files=files,
        complete=len(files) == reasons.total(),
    )


def first_missing(fleet: Fleet, job: Job, limit: int) -> list[MissingFile]:
    """The first of them, however long the list is; [] where it cannot be read any more."""
    try:
        return [MissingFile(**line) for line in islice(_lines(fleet, job.missing_key), limit)]
    except NotFound:
        return []


def _prefix(fleet: Fleet, job: str) -> str:
    return f"{fleet.names.manifest_prefix}{job}/"


def _keys(fleet: Fleet, prefix: str) -> Iterator[str]:
    # Parts of split archives lie a level below, and are no manifests of their own.
    pages = fleet.client("s3").get_paginator("list_objects_v2").paginate(
        Bucket=fleet.bucket, Prefix=prefix, Delimiter="/"
    )  # fmt: skip
    for page in pages:
        yield from (item["Key"] for item in page.get("Contents", ()))


def _lines(fleet: Fleet, key: str) -> Iterator[dict[str, Any]]:
    for line in _body(fleet, key).iter_lines(_READ_BYTES):
        yield json.loads(line)


def _body(fleet: Fleet, key: str) -> Any:
    try:
        return fleet.client("s3").get_object(Bucket=fleet.bucket, Key=key)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise NotFound(f"there is no object {key} in the bucket; has that archive ended?") from error
        raise
