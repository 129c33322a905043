"""What a campaign does and when: a pure function of the seed and the length."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal

KIB, MIB = 1 << 10, 1 << 20
_JOBS_PER_S = 0.25
_FEWEST_JOBS = 8
_LONGEST_DRAIN_S = 150.0

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
    STORM = "storm"  # one AWS service breaks many times as often


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong at `at_s` for `for_s`; `pick` chooses among what runs then."""

    at_s: float
    kind: Kind
    service: Service
    pick: int
    for_s: float
    aws_service: str = ""


@dataclass(frozen=True)
class File:
    """One archive. `ending` is `done` or the reason it will be parked for."""

    file_id: str
    entries: int
    bulk_bytes: int
    ranges: bool
    ending: str


@dataclass(frozen=True)
class Job:
    """One export. `status` is what the API says of it; `unknown` is one that the API has never heard of."""

    job_id: str
    status: str
    files: tuple[File, ...]

    @property
    def reason(self) -> str | None:
        """Why the job as a whole is parked, if it is."""
        return {"failed": "export-failed", "expired": "export-expired", "unknown": "unknown-job"}.get(
            self.status
        )


@dataclass(frozen=True)
class Send:
    """One message for `export-jobs`; without jobs it is malformed."""

    at_s: float
    body: str
    jobs: tuple[str, ...]


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
}  # fmt: skip

# How often each befalls, and for how long (seconds, at least and at most).
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
)


def make_scenario(seed: int, seconds: float) -> Scenario:
    """The campaign of this seed and length; the last part of the time is for draining."""
    faults_s = seconds - min(seconds / 2, _LONGEST_DRAIN_S)
    jobs = tuple(_jobs(random.Random(f"jobs/{seed}"), seed, max(_FEWEST_JOBS, round(faults_s * _JOBS_PER_S))))
    return Scenario(
        seed,
        seconds,
        faults_s,
        jobs,
        tuple(_sends(random.Random(f"sends/{seed}"), jobs, faults_s)),
        tuple(_troubles(random.Random(f"troubles/{seed}"), faults_s)),
        AWS_RATES,
        API_RATES,
    )


def _jobs(rng: random.Random, seed: int, count: int) -> list[Job]:
    jobs = []
    for number in range(count):
        status = rng.choices(("completed", "failed", "expired", "unknown"), (20, 1, 1, 1))[0]
        files = (
            tuple(_file(rng, index) for index in range(rng.randint(2, 5))) if status == "completed" else ()
        )
        jobs.append(Job(f"export-{seed}-{number:04d}", status, files))
    return jobs


def _file(rng: random.Random, index: int) -> File:
    return File(
        f"file-{index:03d}",
        entries=rng.randint(3, 24),
        bulk_bytes=_bulk(rng),
        ranges=rng.random() < 0.8,
        ending=rng.choices(("done", "truncated-archive", "not-a-zip"), (40, 1, 1))[0],
    )


def _bulk(rng: random.Random) -> int:
    """Most archives are small; some are split, with entries that go up in several parts."""
    if rng.random() < 0.9:
        return rng.choice((0, 200 * KIB, 700 * KIB, 2 * MIB))
    return rng.randint(9, 14) * MIB


def _sends(rng: random.Random, jobs: tuple[Job, ...], faults_s: float) -> list[Send]:
    """Each job at least once; some in one message with others, some twice, some wrapped, some nonsense."""
    sends: list[Send] = []
    rest = [job.job_id for job in jobs]
    while rest:
        together = rng.choices((1, 2, 5), (6, 1, 1))[0]
        ids, rest = tuple(rest[:together]), rest[together:]
        # The first message goes at once, so that there is something to break.
        at_s = rng.uniform(0, faults_s * 0.9) if sends else 0.0
        sends.append(Send(round(at_s, 2), _body(rng, ids), ids))
        if rng.random() < 0.15:
            again_s = min(at_s + rng.uniform(0, 10), faults_s)
            sends.append(Send(round(again_s, 2), _body(rng, ids), ids))
    sends += [
        Send(round(rng.uniform(0, faults_s), 2), rng.choice(_MALFORMED) % rng.getrandbits(32), ())
        for _ in range(max(1, len(jobs) // 10))
    ]
    return sorted(sends, key=lambda send: send.at_s)


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
