"""Generated exports: a seed and a size decide every byte, metadata item and each entry's outcome.

The server and whoever checks the result build the same exports apart from each other and never talk about
them.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from local.export_api.archives import LaidOutZip, Member
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.content import Content
from local.export_api.dialects import IdStyle

Size = Literal["small", "medium", "large"]
KIB, MIB = 1 << 10, 1 << 20
_ENTRIES_OF_THE_HUGE_ONE = 44
# Of a hundred small entries: good, without metadata, of another size, of another digest than the metadata's.
_WHOLE, _WITH_MISMATCHES = (96, 4, 0, 0), (92, 4, 2, 2)


@dataclass(frozen=True, kw_only=True)
class GeneratedEntry:
    """One file in an archive and what should become of it."""

    job_id: str
    file_id: str
    path: str
    content: Content
    outcome: str  # as the entries manifest spells it
    metadata: dict[str, Any] | None  # the item that the metadata table holds for it
    object_key: str | None  # where it must be in the end, if anywhere


@dataclass(frozen=True)
class GeneratedExports:
    """Everything that a run needs to start and to be judged."""

    catalogue: Catalogue
    entries: list[GeneratedEntry]
    parked: dict[tuple[str, str], str]  # (job, file) of each archive that cannot succeed, and the reason

    @property
    def archive_bytes(self) -> int:
        return sum(file.archive.size for export in self.catalogue.exports.values() for file in export.files)


@dataclass(frozen=True, kw_only=True)
class _Shape:
    jobs: int
    archives_per_job: int
    entries_per_archive: int
    bulk: tuple[int, ...]  # sizes that are dealt out in turn, beside the small files
    deflated_share: float
    bulk_per_archive: int = 1


_SHAPES: dict[Size, _Shape] = {
    "small": _Shape(
        jobs=6,
        archives_per_job=6,
        entries_per_archive=60,
        bulk=(1 * MIB, 3 * MIB, 300 * KIB, 8 * MIB, 700 * KIB, 24 * MIB),
        deflated_share=0.7,
    ),
    "medium": _Shape(
        jobs=8,
        archives_per_job=15,
        entries_per_archive=60,
        bulk=(4 * MIB, 16 * MIB, 64 * MIB, 2 * MIB, 32 * MIB),
        deflated_share=0.7,
    ),
    "large": _Shape(
        jobs=4,
        archives_per_job=4,
        entries_per_archive=30,
        bulk=(96 * MIB, 128 * MIB, 64 * MIB, 112 * MIB),
        deflated_share=0.0,
        bulk_per_archive=5,
    ),
}


def generate(size: Size, seed: int = 1, *, ids: IdStyle = "words") -> GeneratedExports:
    """The exports of this size and seed, with ids of the kind that a vendor has."""
    shape = _SHAPES[size]
    rng = random.Random(f"exports/{size}/{seed}")
    entries: list[GeneratedEntry] = []
    exports: list[Export] = []
    parked: dict[tuple[str, str], str] = {}
    last = shape.jobs * shape.archives_per_job - 1
    for job_number in range(shape.jobs):
        job_id = f"{seed}{job_number:06d}" if ids == "numbers" else f"export-{seed}-{job_number:03d}"
        files = []
        for archive_number in range(shape.archives_per_job):
            number = job_number * shape.archives_per_job + archive_number
            file_id = _file_id(ids, job_id, archive_number)
            zip64, corrupt = number == 1, number == last
            archive_entries = list(
                _entries(
                    rng, shape, size=size, job_id=job_id, file_id=file_id, number=number, corrupt=corrupt
                )
            )
            members = _members(rng, shape, archive_entries, number, zip64=zip64)
            files.append(
                ExportFile(
                    file_id=file_id,
                    name=f"{job_id}-{archive_number:03d}.zip",
                    archive=LaidOutZip(members=members, cut=300 if corrupt else 0),
                    lists_size=number % 3 != 2,
                    honours_range=size == "large" or number % 10 != 4,
                    relative_url=number % 4 == 3,
                )
            )
            if corrupt:
                parked[job_id, file_id] = "truncated-archive"
            else:
                entries += archive_entries
        exports.append(Export(job_id, files))
    return GeneratedExports(Catalogue.of(exports), entries, parked)


def _file_id(ids: IdStyle, job_id: str, number: int) -> str:
    """Where a file's address does not name its job, the id alone tells it from every other."""
    match ids:
        case "words":
            return f"file-{number:03d}"
        case "numbers":
            return f"{job_id}{number:03d}"
        case "paths":
            return quote(f"{job_id}/part/{number:03d}", safe="")


def _entries(
    rng: random.Random, shape: _Shape, *, size: Size, job_id: str, file_id: str, number: int, corrupt: bool
) -> Iterator[GeneratedEntry]:
    count = _ENTRIES_OF_THE_HUGE_ONE if size == "large" and number == 0 else shape.entries_per_archive
    # Every other job has all that its metadata expects, and completes; the others end as incomplete.
    weights = _WHOLE if number // shape.archives_per_job % 2 == 0 else _WITH_MISMATCHES
    for index in range(count):
        length = _length(rng, shape, number, index, size)
        path = f"part-{file_id[-3:]}/{rng.choice(('invoices', 'reports', 'média'))}/{index:05d}.json"
        content = Content(f"{job_id}/{path}", length)
        outcome = "uploaded"
        # Small files only: a mismatch should cost the run a little, and the bulk is what the run is about.
        if index and length < 256 * KIB:
            outcome = rng.choices(("uploaded", "no-metadata", "size-mismatch", "checksum-mismatch"), weights)[
                0
            ]
        metadata = _metadata(rng, job_id, path, content, outcome)
        key = None
        if outcome == "uploaded" and not corrupt and metadata is not None:
            key = metadata.get("destination_key", f"exports/{job_id}/{path}")
        yield GeneratedEntry(
            job_id=job_id,
            file_id=file_id,
            path=path,
            content=content,
            outcome=outcome,
            metadata=metadata,
            object_key=key,
        )


def _length(rng: random.Random, shape: _Shape, number: int, index: int, size: Size) -> int:
    if index == 0:
        return 0
    # One archive of the large set passes 4 GiB, where offsets need ZIP64.
    huge = size == "large" and number == 0
    if huge or index <= shape.bulk_per_archive:
        return shape.bulk[(number + index - 1) % len(shape.bulk)]
    if index == 2 and size != "large":
        return rng.randint(100, 900) * KIB
    return int(10 ** rng.uniform(1.5, 4.6))


def _metadata(
    rng: random.Random, job_id: str, path: str, content: Content, outcome: str
) -> dict[str, Any] | None:
    if outcome == "no-metadata":
        return None
    item: dict[str, Any] = {
        "export_job_id": job_id,
        "file_path": path,
        "size": content.size + (1 if outcome == "size-mismatch" else 0),
    }
    if outcome == "checksum-mismatch":
        item["sha256"] = "0" * 64
    elif rng.random() > 0.05:
        item["sha256"] = content.sha256()
    if rng.random() < 0.3:
        item["content_type"] = "application/json"
    if outcome == "uploaded" and rng.random() < 0.05:
        item["destination_key"] = f"exports/renamed/{job_id}/{path}"
    return item


def _members(
    rng: random.Random, shape: _Shape, entries: list[GeneratedEntry], number: int, *, zip64: bool
) -> list[Member]:
    descriptors = number % 3 == 0
    return [
        Member(
            name=entry.path,
            content=entry.content,
            deflate=entry.content.size > 0 and rng.random() < shape.deflated_share,
            descriptor=descriptors and entry.content.size > 0,
            zip64=zip64,
        )
        for entry in entries
    ]
