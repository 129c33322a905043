"""The entries that a job's archives have brought, by path: their manifests' lines, in a scratch database.

A million entries need no more memory than a thousand. Parts of a split archive count as well: where the
archive was parked half-way, they are all there is.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from runtime.shared.contracts import EntryOutcome, MissingReason
from runtime.shared.sizes import MIB
from runtime.worker.count.expected import ExpectedFile

_READ_BYTES = MIB
_CACHE_KIB = 16 * 1024
_ENTRIES, _PART = ".entries.jsonl", ".lines"


class ArrivedEntry(NamedTuple):
    """A line of an entries manifest."""

    path: bytes
    outcome: str
    size: int
    sha256: str | None
    file_id: str


class Absence(NamedTuple):
    """Why an expected file is not in S3, and the archive that held an entry of its name, if one did."""

    path: str
    reason: str
    file_id: str | None

    def line(self) -> bytes:
        """A line of the list of missing files."""
        document = {name: value for name, value in self._asdict().items() if value is not None}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class ArrivedEntries:
    """Add entries, then ask which expected files are not among them."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.executescript(
            f"""
            PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};
            CREATE TABLE entries (path BLOB, outcome TEXT, size INTEGER, sha256 TEXT, file_id TEXT,
                                  PRIMARY KEY (path, file_id, outcome)) WITHOUT ROWID;
            BEGIN;  -- never ended: nothing of it is to last
            """
        )

    def add(self, entries: Iterable[ArrivedEntry]) -> None:
        """An entry that is there already stays as it is."""
        self._database.executemany("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?)", entries)

    def absences(self, expected: Iterable[ExpectedFile]) -> Iterator[Absence]:
        """Those of the expected files that are not in S3.

        `expected` comes in the order of its paths' UTF-8, as DynamoDB has it.
        """
        entries = map(ArrivedEntry._make, self._database.execute("SELECT * FROM entries ORDER BY path"))
        entry = next(entries, None)
        for file in expected:
            path = file.path.encode("utf-8", "replace")
            while entry is not None and entry.path < path:
                entry = next(entries, None)
            held: list[ArrivedEntry] = []
            while entry is not None and entry.path == path:
                held.append(entry)
                entry = next(entries, None)
            if absence := _absence(file, held):
                yield absence


def _absence(expected: ExpectedFile, held: Iterable[ArrivedEntry]) -> Absence | None:
    reason, file_id = str(MissingReason.NOT_IN_ANY_ARCHIVE), None
    for entry in held:
        reason, file_id = entry.outcome, entry.file_id
        if EntryOutcome(entry.outcome).in_s3:
            known = entry.sha256 is not None and expected.sha256 is not None
            if entry.size == expected.size and (not known or entry.sha256 == expected.sha256):
                return None
            reason = str(MissingReason.METADATA_CHANGED)
    return Absence(expected.path, reason, file_id)


@contextmanager
def arrived_entries(scratch: Path) -> Iterator[ArrivedEntries]:
    """An empty database on scratch disk, gone after the block. Raises OSError, sqlite3.Error."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="count-", dir=scratch) as folder:
        database = sqlite3.connect(Path(folder) / "entries", isolation_level=None, check_same_thread=False)
        try:
            yield ArrivedEntries(database)
        finally:
            database.close()


def manifest_entries(s3: Any, bucket: str, prefix: str) -> Iterator[Iterator[ArrivedEntry]]:
    """The entries of each manifest under `prefix` (a job's). Raises botocore's errors."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            key = found["Key"]
            if key.endswith((_ENTRIES, _PART)):
                file_id = key.removeprefix(prefix).partition("/")[0].removesuffix(_ENTRIES)
                yield _entries(s3, bucket, key, file_id.removesuffix(".parts"))


def _entries(s3: Any, bucket: str, key: str, file_id: str) -> Iterator[ArrivedEntry]:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    for text in body.iter_lines(_READ_BYTES):
        line = json.loads(text)
        yield ArrivedEntry(line["path"].encode(), line["outcome"], line["size"], line.get("sha256"), file_id)
