"""What a campaign does and when: a pure function of the seed and the length."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal

KIB, MIB = 1 << 10, 1 << 20
_JOBS_PER_S = 0.25
_FEWEST_JOBS = 8
_LONGEST_DRAIN_S = 150.0

CRASH_LOOP = "crash-loop"

Service = Literal["orchestrator", "worker"]


class Kind(StrEnum):
    """What can befall a process, its machine, or everything at once."""

    KILL = "sigkill"
    TERMINATE = "sigterm"
    TERMINATE_TWICE = "sigterm-twice"
    FREEZE = "sigstop"  # longer than the visibility timeout, then SIGCONT
    FILL_DISK = "disk-full"
    SQUEEZE_MEMORY = "memory-squeezed"  # the process may hardly take more for a while
    SHRINK_MEMORY = "memory-small"  # killed as if out of memory; its successor has a small budget
    BREAK_AGENT = "agent-broken"
    ROTATE_TOKEN = "token-rotated"
    API_DOWN = "api-down"
    ONE_DOWN = "one-down"  # one dependency, for longer than a slot, a retry or a circuit waits
    STORM = "storm"  # one AWS service breaks many times as often


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong at `at_s` for `for_s`; `pick` chooses among what runs then. `of` is an AWS
    service in a storm, `dependency/how` where one is down.
    """

    at_s: float
    kind: Kind
    service: Service
    pick: int
    for_s: float
    of: str = ""


@dataclass(frozen=True)
class File:
    """One archive. `ending` is `done` or the reason it will be parked for.

    At first it may lack its last entries or its end (`at_first`); it is as it should be when its job is sent
    again. More than one of `nodes` gives validators of its own for the same bytes.
    """

    file_id: str
    entries: int
    bulk_bytes: int
    ranges: bool
    ending: str = "done"
    at_first: Literal["", "short", "cut"] = ""
    nodes: int = 1


@dataclass(frozen=True)
class Job:
    """One export. `status` is what the API says of it; `unknown` is one that the API has never heard of.

    `surplus` files are expected by the metadata and in no archive. Whoever works on a message of a job that
    `crashes` is killed.
    """

    job_id: str
    status: str
    files: tuple[File, ...]
    surplus: int = 0
    crashes: bool = False

    @property
    def heals(self) -> bool:
        """It ends badly at first and well when it is sent again."""
        return any(file.at_first for file in self.files)

    @property
    def reason(self) -> str | None:
        """Why the job as a whole is parked, if it is."""
        if self.crashes:
            return CRASH_LOOP
        return {"failed": "export-failed", "expired": "export-expired", "unknown": "unknown-job"}.get(
            self.status
        )


@dataclass(frozen=True)
class Send:
    """One message for `export-jobs`; without jobs it is malformed. `refused` are values among its ids that
    are none; `attributes` are a producer's own.
    """

    at_s: float
    body: str
    jobs: tuple[str, ...]
    refused: tuple[str, ...] = ()
    attributes: int = 0


@dataclass(frozen=True)
class Scenario:
    """Everything that is decided beforehand. Times count from the moment the services run."""

    seed: int
    seconds: float
    faults_s: float
    jobs: tuple[Job, ...]
    sends: tuple[Send, ...]
    troubles: tuple[Trouble, ...]
    aws_rates: Mapping[str, float]
    api_rates: Mapping[str, float]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def fingerprint(self) -> str:
        """The same for the same plan, to compare at a glance."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]


AWS_RATES: Mapping[str, float] = {
    "throttled": 0.015, "server-error": 0.008, "server-error-after": 0.004, "timeout-before": 0.003,
    "timeout-after": 0.003, "reset-before": 0.004, "reset-after": 0.004, "partial": 0.06, "conflict": 0.02,
    "duplicate": 0.08, "receipt-expired": 0.04, "shuffled": 0.15, "withheld": 0.04, "corrupted": 0.01,
    "error-in-200": 0.08,
}  # fmt: skip
API_RATES: Mapping[str, float] = {
    "server-error": 0.02, "throttled": 0.02, "unauthorised": 0.01, "expired-url": 0.02, "reset": 0.02,
    "cut": 0.02, "drip": 0.01, "changed-etag": 0.01, "shuffled-page": 0.15, "not-ready": 0.05,
    "expired-token": 0.02, "html": 0.02, "flipped": 0.03, "zeros": 0.02,
}  # fmt: skip

# How often each befalls, and for how long (seconds, at least and at most). Outages of one dependency have
# times of their own.
_TROUBLES: dict[Kind, tuple[int, float, float]] = {
    Kind.KILL: (5, 0, 0),
    Kind.TERMINATE: (3, 0, 0),
    Kind.TERMINATE_TWICE: (1, 0.1, 0.5),
    Kind.FREEZE: (4, 7, 12),
    Kind.FILL_DISK: (2, 3, 8),
    Kind.SQUEEZE_MEMORY: (1, 2, 4),
    Kind.SHRINK_MEMORY: (1, 0, 0),
    Kind.BREAK_AGENT: (1, 3, 8),
    Kind.ROTATE_TOKEN: (1, 0, 0),
    Kind.API_DOWN: (1, 2, 5),
    Kind.STORM: (3, 2, 6),
}
# A pause is 2 s at most here and a circuit's reset 2 s, a message's visibility 8 s, a slot's patience 20 s.
_OUTAGE_S, _BETWEEN_OUTAGES_S = (10.0, 22.0), (5.0, 15.0)
OUTAGES = (
    "status/503", "status/hangs", "listing/503", "listing/hangs", "downloads/503", "downloads/hangs",
    "secret/503", "secret/hangs", "secret/empty",
)  # fmt: skip
_STORMS = ("sqs", "s3", "dynamodb", "events", "secretsmanager")
# Process troubles leave the work this long on average to get somewhere.
_MEAN_PAUSE_S = 2.5
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


def make_scenario(seed: int, seconds: float) -> Scenario:
    """The campaign of this seed and length; the last part of the time is for draining."""
    faults_s = seconds - min(seconds / 2, _LONGEST_DRAIN_S)
    jobs = tuple(_jobs(random.Random(f"jobs/{seed}"), seed, max(_FEWEST_JOBS, round(faults_s * _JOBS_PER_S))))
    troubles = [
        *_troubles(random.Random(f"troubles/{seed}"), faults_s),
        *_outages(random.Random(f"outages/{seed}"), faults_s),
    ]
    return Scenario(
        seed,
        seconds,
        faults_s,
        jobs,
        tuple(_sends(random.Random(f"sends/{seed}"), jobs, faults_s)),
        tuple(sorted(troubles, key=lambda trouble: trouble.at_s)),
        AWS_RATES,
        API_RATES,
    )


def _jobs(rng: random.Random, seed: int, count: int) -> list[Job]:
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
        jobs.append(Job(_job_id(rng, seed, number), status, files, surplus))
    return jobs


def _job_id(rng: random.Random, seed: int, number: int) -> str:
    """Some are what SQS refuses as a MessageGroupId: not ASCII, or longer than 128 characters."""
    name = f"export-{seed}-{number:04d}"
    return rng.choices((name, f"{name}-\u00e9t\u00e9-\u2713", f"{name}-{'x' * 120}"), (8, 1, 1))[0]


def _crashing_job(seed: int, number: int) -> Job:
    return Job(f"export-{seed}-{number:04d}-kills", "completed", (), crashes=True)


def _crashing_archive(rng: random.Random, seed: int, number: int) -> Job:
    """An archive whose workers die, beside one that is well."""
    files = (
        File("file-000", rng.randint(3, 24), 0, ranges=True),
        File("file-001-kills", 3, 0, ranges=True, ending=CRASH_LOOP),
    )
    return Job(f"export-{seed}-{number:04d}", "completed", files)


def _healing(rng: random.Random, seed: int, number: int, at_first: Literal["short", "cut"]) -> Job:
    files = (
        File(
            "file-000", rng.randint(3, 24), rng.choice((0, 700 * KIB)), rng.random() < 0.8, at_first=at_first
        ),
        File("file-001", rng.randint(3, 24), 0, ranges=True),
    )
    return Job(f"export-{seed}-{number:04d}", "completed", files)


def _file(rng: random.Random, index: int) -> File:
    ending = rng.choices(("done", "truncated-archive", "not-a-zip"), (40, 1, 1))[0]
    return File(
        rng.choices(
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


def _sends(rng: random.Random, jobs: tuple[Job, ...], faults_s: float) -> list[Send]:
    """Each job at least once; some in one message with others, some twice, some wrapped, some nonsense."""
    # A message that crashes its service takes its time to be known as one, and one more run takes its own.
    alone = [job.job_id for job in jobs if job.crashes or job.heals or _has_crashing(job)]
    sends = [Send(0.0, _body(rng, (job_id,)), (job_id,)) for job_id in alone[:_AT_ONCE]]
    sends += [
        Send(round(rng.uniform(0, faults_s * 0.6), 2), _body(rng, (job_id,)), (job_id,))
        for job_id in alone[_AT_ONCE:]
    ]
    rest = [job.job_id for job in jobs if job.job_id not in alone]
    while rest:
        together = rng.choices((1, 2, 5), (6, 1, 1))[0]
        ids, rest = tuple(rest[:together]), rest[together:]
        at_s = rng.uniform(0, faults_s * 0.9)
        refused = (f"no id {rng.getrandbits(32):08x}",) if together > 1 and rng.random() < 0.5 else ()
        attributes = _MOST_ATTRIBUTES if rng.random() < 0.2 else 0
        sends.append(Send(round(at_s, 2), _body(rng, ids + refused), ids, refused, attributes))
        if rng.random() < 0.15:
            again_s = min(at_s + rng.uniform(0, 10), faults_s)
            sends.append(Send(round(again_s, 2), _body(rng, ids), ids))
    sends += [
        Send(
            round(rng.uniform(0, faults_s), 2), rng.choice(_MALFORMED) % rng.getrandbits(32), (),
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


def _troubles(rng: random.Random, faults_s: float) -> list[Trouble]:
    """Every kind once in a random order as far as there is time, then by weight."""
    once = list(_TROUBLES)
    rng.shuffle(once)
    troubles = []
    at_s = 2.0
    while at_s < faults_s:
        kind = once.pop() if once else rng.choices(list(_TROUBLES), [w for w, _, _ in _TROUBLES.values()])[0]
        _, least, most = _TROUBLES[kind]
        worker_only = kind in (Kind.FILL_DISK, Kind.SHRINK_MEMORY)
        troubles.append(
            Trouble(
                round(at_s, 2),
                kind,
                "worker" if worker_only or rng.random() < 0.65 else "orchestrator",
                rng.randrange(1_000),
                round(rng.uniform(least, most), 2),
                rng.choice(_STORMS) if kind is Kind.STORM else "",
            )
        )
        at_s += rng.expovariate(1 / _MEAN_PAUSE_S)
    return troubles


def _outages(rng: random.Random, faults_s: float) -> list[Trouble]:
    """One dependency after the other is down, each in each of its ways before any comes again."""
    outages: list[Trouble] = []
    left: list[str] = []
    at_s = rng.uniform(*_BETWEEN_OUTAGES_S)
    while at_s < faults_s - _OUTAGE_S[0] / 2:
        if not left:
            left = rng.sample(OUTAGES, len(OUTAGES))
        for_s = rng.uniform(*_OUTAGE_S)
        outages.append(Trouble(round(at_s, 2), Kind.ONE_DOWN, "worker", 0, round(for_s, 2), left.pop()))
        at_s += for_s + rng.uniform(*_BETWEEN_OUTAGES_S)
    return outages
