"""A day's export jobs and their archives, drawn: when they come, how long each takes, which begin anew.

Times are seconds since midnight. A day has exactly the jobs that the load says; when they come follows the
hour of the day, with the peak on top of it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ops.scaling.simulation import log_normal

Seconds32 = npt.NDArray[np.float32]
Seconds = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ids = npt.NDArray[np.int64]

DAY_S = 86_400.0
_MINUTES = 1_440
_STATED_MATCH = 0.9


@dataclass(frozen=True, kw_only=True)
class PromisedLoad:
    """The load of an environment, and its promises at that (`stacks.values.Load`, and the alarms' wait)."""

    export_jobs_per_day: float
    archives_per_export_job: float
    mean_archive_minutes: float
    p95_archive_minutes: float
    longest_archive_hours: float
    peak_factor: float
    peak_hours: float
    completion_p95_minutes: float
    queue_wait_hours: float

    @classmethod
    def of(cls, notes: Mapping[str, Any]) -> "PromisedLoad":
        """From an assembly's notes; what a later revision says beside it is not looked at."""
        return cls(**{field.name: notes[field.name] for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """The assumptions that no template says. The tornado varies the ones that nobody has measured.

    archive_mb_s: what an archive's connections bring together: 500 MB in the stated mean of 30 minutes.
    vendor_mb_s: what the vendor sends in all, per 100,000 jobs a day. matching_share: of an archive's bytes
    are wanted. inflation: MB of output for one fetched (the benchmark's JSON lines). small_share: of the
    output lies in entries of some 10 KB. stuck_share: archives without ranged reads, which begin anew
    elsewhere. resume_s: done again by a hand-over. fargate_speed: of a vCPU, against the calibration's core.
    """

    archive_mb_s: float = 0.28
    vendor_mb_s: float = math.inf
    matching_share: float = _STATED_MATCH
    inflation: float = 2.1
    small_share: float = 0.01
    stuck_share: float = 0.005
    resume_s: float = 15.0
    peak_from_h: float = 9.0
    daily_swing: float = 0.3
    start_s: float = 90.0
    stop_s: float = 30.0
    fargate_speed: float = 1.0
    spot_interruptions_per_hour: float = 0.02
    crashes_per_hour: float = 0.0005
    entry_mb: float = 2.0
    api_call_s: float = 0.2
    page_files: float = 100.0
    kept_days: float = 30.0
    sqs_approximation: float = 0.01

    def but(self, changes: Mapping[str, float]) -> "Assumptions":
        """These with some changed, by name."""
        return replace(self, **changes)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Jobs by arrival; job j's archives are `first[j]` up to `first[j + 1]`."""

    job_at: Seconds
    first: Ids
    need: Seconds32
    """Seconds that each archive, or part of one, takes where nothing holds it up."""
    stuck: Flags

    @property
    def archives(self) -> int:
        return len(self.need)


def draw(
    load: PromisedLoad,
    assumed: Assumptions,
    chance: np.random.Generator,
    *,
    bursts: tuple[tuple[float, float], ...] = (),
    split_bytes: float = math.inf,
) -> Workload:
    """One day. `bursts`: (hour, share of a day's jobs) that come at once beside the day's own."""
    at = [_arrivals(load, assumed, chance)]
    jobs = round(load.export_jobs_per_day)
    at += [hour * 3600 + chance.uniform(0, 10, round(share * jobs)) for hour, share in bursts]
    job_at = np.sort(np.concatenate(at))
    files = (
        np.ones(len(job_at), np.int64)
        if load.archives_per_export_job == 1
        else chance.geometric(1 / load.archives_per_export_job, len(job_at))
    )
    mu, sigma = log_normal(load.mean_archive_minutes * 60, load.p95_archive_minutes * 60)
    need = chance.standard_normal(int(files.sum()), np.float32)
    np.exp(need * np.float32(sigma) + np.float32(mu), out=need)
    np.minimum(need, np.float32(load.longest_archive_hours * 3600), out=need)
    need *= np.float32(assumed.matching_share / _STATED_MATCH)
    stuck = chance.random(len(need), np.float32) < assumed.stuck_share
    parts = _parts(need, stuck, assumed.archive_mb_s * 1e6, split_bytes)
    if parts is not None:
        files = np.add.reduceat(parts, np.concatenate(([0], np.cumsum(files)[:-1])))
        need, stuck = np.repeat(need / parts, parts).astype(np.float32), np.repeat(stuck, parts)
    return Workload(job_at=job_at, first=np.concatenate(([0], np.cumsum(files))), need=need, stuck=stuck)


def _arrivals(load: PromisedLoad, assumed: Assumptions, chance: np.random.Generator) -> Seconds:
    """Exactly the day's jobs: the peak at its multiple of the average, the rest by the hour of the day."""
    hours = np.arange(_MINUTES) / 60
    peak = (hours - assumed.peak_from_h) % 24 < load.peak_hours
    rate = np.where(peak, load.peak_factor, 0.0)
    calm = 1 + assumed.daily_swing * np.sin((hours - 8) / 24 * 2 * np.pi)
    left = _MINUTES - rate.sum()
    if left < 0:
        raise ValueError("the peak alone is more than the day: peak_factor times peak_hours is above 24")
    if not peak.all():
        rate = np.where(peak, rate, calm * left / calm[~peak].sum())
    counts = chance.multinomial(round(load.export_jobs_per_day), rate / rate.sum())
    return np.repeat(np.arange(_MINUTES) * 60.0, counts) + chance.uniform(0, 60, int(counts.sum()))


def _parts(need: Seconds32, stuck: Flags, bytes_per_s: float, split_bytes: float) -> Ids | None:
    """In how many parts each archive is fetched; None where none is split."""
    if math.isinf(split_bytes) or not len(need) or need.max() * bytes_per_s <= split_bytes:
        return None
    parts = np.ceil(need * bytes_per_s / split_bytes).astype(np.int64)
    return np.where(stuck, 1, np.maximum(parts, 1))
