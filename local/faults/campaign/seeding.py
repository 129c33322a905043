"""From a plan to what the API offers, what the metadata table says, and what must be true in the end."""

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from local.export_api.archives import Blob, LaidOutZip, Member
from local.export_api.catalogue import Catalogue, Export, ExportFile, Status
from local.export_api.content import Content
from local.faults.campaign.scenario import File, Job, Scenario

_CUT = 100  # bytes
_OUTCOMES = ("uploaded", "no-metadata", "size-mismatch", "checksum-mismatch")


@dataclass(kw_only=True)
class Expectations:
    """The expectations that the checker compares with: plain values only. Files are named `job/file`."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)  # key → size, sha256, file
    entries: dict[str, dict[str, str]] = field(default_factory=dict)  # file → path → outcome
    files: dict[str, str] = field(default_factory=dict)  # file → done, or the reason it is parked for
    jobs: dict[str, str | None] = field(default_factory=dict)  # job → the reason it is parked for
    missing: dict[str, list[str]] = field(default_factory=dict)  # job → expected paths that cannot be in S3
    healed: dict[str, str] = field(default_factory=dict)  # file → the reason it was parked for at first
    messages: list[dict[str, Any]] = field(default_factory=list)  # body, jobs, values that are no ids

    def to_plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Seeded:
    """Everything that a campaign starts from, and the exports that take the place of those that heal."""

    catalogue: Catalogue
    metadata: list[dict[str, Any]]
    expectations: Expectations
    mended: dict[str, Export]


def seed_campaign(plan: Scenario) -> Seeded:
    """The same plan makes the same bytes."""
    expectations = Expectations(
        messages=[
            {"body": send.body, "jobs": list(send.jobs), "refused": list(send.refused)} for send in plan.sends
        ]
    )
    metadata: list[dict[str, Any]] = []
    exports = []
    mended = {}
    for job in plan.jobs:
        expectations.jobs[job.job_id] = job.reason
        surplus = [f"surplus/{number:04d}.json" for number in range(job.surplus)]
        metadata += [{"export_job_id": job.job_id, "file_path": path, "size": 1} for path in surplus]
        expectations.missing[job.job_id] = surplus
        files = [_archives(job, file, metadata, expectations) for file in job.files]
        if job.status != "unknown":
            status: Status = job.status  # type: ignore[assignment]  # one of these: unknown is not told
            exports.append(Export(job.job_id, [first for first, _ in files], status=status))
        if job.heals:
            mended[job.job_id] = Export(job.job_id, [whole for _, whole in files])
    return Seeded(Catalogue.of(exports), metadata, expectations, mended)


def _archives(
    job: Job, file: File, metadata: list[dict[str, Any]], expectations: Expectations
) -> tuple[ExportFile, ExportFile]:
    """The file as it is at first, and when its job is sent again."""
    rng = random.Random(f"{job.job_id}/{file.file_id}")
    name = f"{job.job_id}/{file.file_id}"
    expectations.files[name] = file.ending
    first: Blob | LaidOutZip
    whole: Blob | LaidOutZip
    if file.ending == "not-a-zip":
        first = whole = Blob(b"<html>This is not an archive.</html>" * 100)
    else:
        members = list(_members(rng, job, file, metadata, expectations))
        whole = first = LaidOutZip(members=members, cut=_CUT if file.ending == "truncated-archive" else 0)
        if file.at_first == "short":
            first = LaidOutZip(members=members[: len(members) // 2])
        elif file.at_first == "cut":
            first = LaidOutZip(members=members, cut=_CUT)
            expectations.healed[name] = "truncated-archive"
    as_first = ExportFile(
        file_id=file.file_id,
        name=f"{file.file_id}.zip",
        archive=first,
        lists_size=rng.random() < 0.7,
        honours_range=file.ranges,
        relative_url=rng.random() < 0.3,
    )
    return as_first, replace(as_first, archive=whole)


def _members(
    rng: random.Random, job: Job, file: File, metadata: list[dict[str, Any]], expectations: Expectations
) -> Iterator[Member]:
    file_name = f"{job.job_id}/{file.file_id}"
    streamed = rng.random() < 0.3
    for index in range(file.entries):
        size = file.bulk_bytes if index == 1 else _small(rng, index)
        path = f"{file.file_id}/{index:04d}.json"
        content = Content(f"{job.job_id}/{path}", size)
        outcome = rng.choices(_OUTCOMES, (90, 4, 3, 3))[0] if index and not job.heals else "uploaded"
        item = {
            "export_job_id": job.job_id,
            "file_path": path,
            "size": size + (outcome == "size-mismatch"),
            "sha256": "0" * 64 if outcome == "checksum-mismatch" else content.sha256(),
        }
        if outcome != "no-metadata":
            metadata.append(item)
            if outcome != "uploaded" or file.ending != "done":
                expectations.missing[job.job_id].append(path)
        if file.ending == "done":
            expectations.entries.setdefault(file_name, {})[path] = outcome
            if outcome == "uploaded":
                expectations.objects[f"exports/{job.job_id}/{path}"] = {
                    "size": size, "sha256": content.sha256(), "job": job.job_id, "file": file.file_id,
                }  # fmt: skip
        yield Member(
            name=path,
            content=content,
            deflate=size > 0 and rng.random() < 0.7,
            descriptor=streamed and size > 0,
        )


def _small(rng: random.Random, index: int) -> int:
    return 0 if index == 0 else int(10 ** rng.uniform(1.5, 4.5))
