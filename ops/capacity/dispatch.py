"""The first stage: orchestrators list jobs and send a task per archive.

A job takes seconds here, so the stage is a fluid: so many jobs a second as slots, CPU and the vendor's limit
on calls let through, first in, first out. Its scaling is played minute by minute, as deployed.
"""

from dataclasses import dataclass

import numpy as np

from ops.capacity.calibration import Calibration
from ops.capacity.read import Service
from ops.capacity.scaling import Scaling
from ops.capacity.scenarios import Scenario
from ops.capacity.workload import Assumptions, Ids, Seconds, Workload


@dataclass(frozen=True, kw_only=True)
class Dispatched:
    """`at`: when each job's tasks are sent. By minute: jobs waiting and in hand, and running tasks."""

    at: Seconds
    backlog: Seconds
    tasks: Ids


def dispatch(
    workload: Workload,
    service: Service,
    assumed: Assumptions,
    calibration: Calibration,
    scenario: Scenario,
    *,
    minutes: int,
) -> Dispatched:
    """Jobs through the orchestrator."""
    jobs = len(workload.job_at)
    files = workload.archives / max(1, jobs)
    service_s = assumed.api_call_s * (1 + files / assumed.page_files)
    cpu_s = (calibration.job_cpu_s + files * calibration.file_cpu_s) / assumed.fargate_speed
    per_task = min(service.slots / service_s, service.cores / cpu_s)
    calls_per_s = float(service.settings.get("EXPORT_API_CALLS_PER_S", 0)) or float("inf")
    most_per_s = calls_per_s / (1 + np.ceil(files / assumed.page_files))
    arrived = np.searchsorted(workload.job_at, np.arange(1, minutes + 1) * 60.0)
    away = _away(scenario, minutes)
    scaling, running, starting, passed, sent = Scaling(service), service.least, [0, 0], [0.0], 0.0
    backlog, tasks = np.zeros(minutes), np.zeros(minutes, np.int64)
    for minute in range(minutes):
        running += starting.pop(0)
        rate = min(running * per_task, most_per_s) * (0 if away[minute] else 60)
        done = min(rate, arrived[minute] - sent)
        passed.append(passed[-1] + rate)
        sent += done
        waiting = float(arrived[minute] - sent)
        in_hand = min(running * service.slots, done / 60 * service_s + waiting)
        cpu = 100 * done / 60 * cpu_s / (running * service.cores)
        backlog[minute], tasks[minute] = waiting, running
        desired = scaling.minute(
            {
                "ApproximateNumberOfMessagesVisible": max(0.0, waiting - in_hand),
                "ApproximateNumberOfMessagesNotVisible": in_hand,
                "DesiredTaskCount": float(scaling.desired),
                "RunningTaskCount": float(running),
                "CPUUtilization": cpu,
            }
        )
        more = desired - running - sum(starting)
        running += min(0, more)
        starting.append(max(0, more))
    return Dispatched(at=_through(workload.job_at, np.array(passed), service_s), backlog=backlog, tasks=tasks)


def _through(job_at: Seconds, passed: Seconds, service_s: float) -> Seconds:
    """First in, first out through a server whose work done by each minute is `passed`, in jobs."""
    edges = np.arange(len(passed)) * 60.0
    number = np.arange(len(job_at))
    # In the server's own time every job takes one unit, so each begins at its coming or one unit after the
    # one before, whichever is later: Lindley's recursion as a running maximum.
    ends = np.maximum.accumulate(np.interp(job_at, edges, passed) - number) + number
    # A thousandth of a job later, so that a job that finds the server standing begins when it goes on.
    begins = np.interp(ends + 1e-3, passed, edges)
    return np.asarray(np.maximum(begins, job_at) + service_s)


def _away(scenario: Scenario, minutes: int) -> list[bool]:
    hours = np.arange(minutes) / 60
    away = np.zeros(minutes, np.bool_)
    for begin, length in scenario.outages:
        away |= (hours >= begin) & (hours < begin + length)
    return [bool(value) for value in away]
