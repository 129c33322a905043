"""Which exports there are, and who sends what about them: good, broken, deadly, and healing ones."""

import json
import random
from collections.abc import Callable
from typing import Literal

from local.faults.campaign.scenario import CRASH_LOOP, File, Job, Send

KIB, MIB = 1 << 10, 1 << 20
# Each with a number of its own, so that every single one can be found again.
_MALFORMED = (
    "{%s",
    "[%s]",
    '{"export_job_ids": [], "n": %s}',
    '{"export_job_ids": "one%s"}',
    "not JSON \u2713 %s",
    '{"export_job_ids": ["an id with spaces %s"]}',
)
_MOST_ATTRIBUTES = 10  # SQS takes no more, so none of ours finds room
_AT_ONCE = 4


def plan_jobs(rng: random.Random, seed: int, count: int) -> list[Job]:
    """One of each special kind, then by chance."""
    special: list[Callable[[int], Job]] = [
        lambda number: _crashing_job(seed, number),
        lambda number: _crashing_archive(rng, seed, number),
        lambda number: _healing(rng, seed, number, "short"),
        lambda number: _healing(rng, seed, number, "cut"),
    ]
    jobs = [make(number) for number, make in enumerate(special)]
    for number in range(len(jobs), len(jobs) + count):
        if number % 20 == 0:
            jobs.append(_healing(rng, seed, number, rng.choice(("short", "cut"))))
            continue
        status = rng.choices(("completed", "failed", "expired", "unknown"), (20, 1, 1, 1))[0]
        files = (
            tuple(_file(rng, index) for index in range(rng.randint(2, 5))) if status == "completed" else ()
        )
        surplus = rng.randint(1, 3) if files and rng.random() < 0.15 else 0
        jobs.append(Job(job_id=_job_id(rng, seed, number), status=status, files=files, surplus=surplus))
    return jobs


def _job_id(rng: random.Random, seed: int, number: int) -> str:
    """Some are what SQS refuses as a MessageGroupId: not ASCII, or longer than 128 characters."""
    name = f"export-{seed}-{number:04d}"
    return rng.choices((name, f"{name}-\u00e9t\u00e9-\u2713", f"{name}-{'x' * 120}"), (8, 1, 1))[0]


def _crashing_job(seed: int, number: int) -> Job:
    return Job(job_id=f"export-{seed}-{number:04d}-kills", status="completed", files=(), crashes=True)


def _crashing_archive(rng: random.Random, seed: int, number: int) -> Job:
    """An archive whose workers die, beside one that is well."""
    files = (
        File(file_id="file-000", entries=rng.randint(3, 24), bulk_bytes=0, ranges=True),
        File(file_id="file-001-kills", entries=3, bulk_bytes=0, ranges=True, ending=CRASH_LOOP),
    )
    return Job(job_id=f"export-{seed}-{number:04d}", status="completed", files=files)


def _healing(rng: random.Random, seed: int, number: int, at_first: Literal["short", "cut"]) -> Job:
    files = (
        File(
            file_id="file-000",
            entries=rng.randint(3, 24),
            bulk_bytes=rng.choice((0, 700 * KIB)),
            ranges=rng.random() < 0.8,
            at_first=at_first,
        ),
        File(file_id="file-001", entries=rng.randint(3, 24), bulk_bytes=0, ranges=True),
    )
    return Job(job_id=f"export-{seed}-{number:04d}", status="completed", files=files)


def _file(rng: random.Random, index: int) -> File:
    ending = rng.choices(("done", "truncated-archive", "not-a-zip"), (40, 1, 1))[0]
    return File(
        file_id=rng.choices(
            (f"file-{index:03d}", f"file-{index:03d}-\u00fc", f"file-{index:03d}-{'y' * 120}"), (8, 1, 1)
        )[0],
        entries=rng.randint(3, 24),
        bulk_bytes=_bulk(rng),
        ranges=rng.random() < 0.8,
        ending=ending,
        nodes=3 if ending == "done" and rng.random() < 0.1 else 1,
    )


def _bulk(rng: random.Random) -> int:
    """Most archives are small; some are split, with entries that go up in several parts."""
    if rng.random() < 0.9:
        return rng.choice((0, 200 * KIB, 700 * KIB, 2 * MIB))
    return rng.randint(9, 14) * MIB


def plan_sends(rng: random.Random, jobs: tuple[Job, ...], faults_s: float) -> list[Send]:
    """Each job at least once; some in one message with others, some twice, some wrapped, some nonsense."""
    # A message that crashes its service takes its time to be known as one, and one more run takes its own.
    alone = [job.job_id for job in jobs if job.crashes or job.heals or _has_crashing(job)]
    sends = [Send(at_s=0.0, body=_body(rng, (job_id,)), jobs=(job_id,)) for job_id in alone[:_AT_ONCE]]
    sends += [
        Send(at_s=round(rng.uniform(0, faults_s * 0.6), 2), body=_body(rng, (job_id,)), jobs=(job_id,))
        for job_id in alone[_AT_ONCE:]
    ]
    rest = [job.job_id for job in jobs if job.job_id not in alone]
    while rest:
        together = rng.choices((1, 2, 5), (6, 1, 1))[0]
        ids, rest = tuple(rest[:together]), rest[together:]
        at_s = rng.uniform(0, faults_s * 0.9)
        refused = (f"no id {rng.getrandbits(32):08x}",) if together > 1 and rng.random() < 0.5 else ()
        attributes = _MOST_ATTRIBUTES if rng.random() < 0.2 else 0
        sends.append(
            Send(
                at_s=round(at_s, 2),
                body=_body(rng, ids + refused),
                jobs=ids,
                refused=refused,
                attributes=attributes,
            )
        )
        if rng.random() < 0.15:
            again_s = min(at_s + rng.uniform(0, 10), faults_s)
            sends.append(Send(at_s=round(again_s, 2), body=_body(rng, ids), jobs=ids))
    sends += [
        Send(
            at_s=round(rng.uniform(0, faults_s), 2),
            body=rng.choice(_MALFORMED) % rng.getrandbits(32), jobs=(),
            attributes=_MOST_ATTRIBUTES if rng.random() < 0.3 else 0,
        )
        for _ in range(max(2, len(jobs) // 10))
    ]  # fmt: skip
    return sorted(sends, key=lambda send: send.at_s)


def _has_crashing(job: Job) -> bool:
    return any(file.ending == CRASH_LOOP for file in job.files)


def _body(rng: random.Random, ids: tuple[str, ...]) -> str:
    message = {"export_job_ids": list(ids), "correlation_id": f"campaign-{rng.getrandbits(32):08x}"}
    match rng.randrange(6):
        case 0:
            return json.dumps({"Type": "Notification", "Message": json.dumps(message)})
        case 1:
            return json.dumps({"source": "producer", "detail-type": "Exports Ready", "detail": message})
    return json.dumps(message)
