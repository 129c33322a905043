"""The model against a run of the real services: the same arrivals, sizes, rate and settings.

`local.capacity_run` makes the run and writes it down (local_run.json, with date and machine).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ops.capacity.calibration import load_calibration
from ops.capacity.dispatch import dispatch
from ops.capacity.model import Day, Play, run
from ops.capacity.read import Deployed, Service
from ops.capacity.scenarios import Scenario
from ops.capacity.workload import Assumptions, PromisedLoad, Seconds, Workload
from runtime.worker.archive.tail import TAIL_BYTES

FILE = Path(__file__).with_name("local_run.json")
ALLOWED = 0.15
_STEP_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A run. Times in seconds from its start, one value for each archive, which is a job of its own.

    sizes: bytes of the archive's one file; archive_sizes: of the ZIP around it. visible and in_flight: the
    download queue's, every `look_s`. cpu_full_share: of the time, that in which this machine's CPU was
    full.
    """

    date: str
    machine: str
    seed: int
    workers: int
    settings: Mapping[str, Mapping[str, str]]
    bytes_per_s: int
    look_s: float
    peak_rss_mb: float
    bytes_sent: int
    cpu_full_share: float
    sizes: Sequence[int]
    archive_sizes: Sequence[int]
    sent_at: Sequence[float]
    finished_at: Sequence[float]
    visible: Sequence[int]
    in_flight: Sequence[int]

    def as_json(self) -> str:
        """A name a line, so that two runs can be compared."""
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in asdict(self).items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome that is compared, in seconds and messages. busy_s: archive-seconds in workers' hands."""

    p50_s: float
    p95_s: float
    makespan_s: float
    busy_s: float
    worst_backlog: float
    mean_backlog: float


def load_recorded(file: Path = FILE) -> Recorded:
    """The committed run."""
    return Recorded(**json.loads(file.read_text(encoding="utf-8")))


def measured(recorded: Recorded) -> Outcome:
    """The outcome of the real services."""
    sent, finished = np.array(recorded.sent_at), np.array(recorded.finished_at)
    return _outcome(
        finished - sent,
        float(finished.max()),
        np.array(recorded.visible, float),
        np.array(recorded.in_flight, float),
        recorded.look_s,
    )


def modelled(recorded: Recorded) -> Outcome:
    """The outcome that the model predicts for them."""
    day = play_recorded(recorded)
    return _outcome(
        day.completion_s.astype(float),
        float(day.done_at.max()),
        day.track.visible.astype(float),
        day.track.in_flight.astype(float),
        day.play.step_s,
    )


def report(recorded: Recorded) -> tuple[str, bool]:
    """A table, and whether any figure is further apart than it may be."""
    real, model = asdict(measured(recorded)), asdict(modelled(recorded))
    apart = {name: model[name] / real[name] - 1 for name in real}
    lines = [
        f"{len(recorded.sizes)} archives, {recorded.workers} workers, {recorded.date}, {recorded.machine}",
        f"{'':<16}{'run':>10}{'model':>10}{'apart':>8}",
    ]
    lines += [f"{name:<16}{real[name]:>10.1f}{model[name]:>10.1f}{apart[name]:>+8.1%}" for name in real]
    if recorded.cpu_full_share:
        lines.append(f"This machine's CPU was full for {recorded.cpu_full_share:.0%} of the run.")
    return "\n".join(lines), any(abs(value) > ALLOWED for value in apart.values())


def _outcome(
    completion: Seconds, makespan: float, visible: Seconds, in_flight: Seconds, every_s: float
) -> Outcome:
    within = round(makespan / every_s)
    p50, p95 = np.percentile(completion, [50, 95])
    return Outcome(
        p50_s=float(p50),
        p95_s=float(p95),
        makespan_s=makespan,
        busy_s=float(in_flight.sum()) * every_s,
        worst_backlog=float(visible.max()),
        mean_backlog=float(visible[:within].mean()),
    )


def play_recorded(recorded: Recorded) -> Day:
    """The run's archives through the model, with its settings."""
    # The last bytes are read first, for the directory; then the file.
    tails = np.minimum(recorded.archive_sizes, TAIL_BYTES)
    need = (tails + np.array(recorded.sizes)) / recorded.bytes_per_s
    workload = Workload(
        job_at=np.array(recorded.sent_at),
        first=np.arange(len(need) + 1),
        need=need.astype(np.float32),
        stuck=np.zeros(len(need), np.bool_),
    )
    assumed = Assumptions(
        archive_mb_s=recorded.bytes_per_s / 1e6,
        inflation=1.0,
        stuck_share=0,
        spot_interruptions_per_hour=0,
        crashes_per_hour=0,
    )
    scenario = Scenario(what="a run of the local platform")
    deployed, calibration = _deployed(recorded), load_calibration()
    how = Play(step_s=_STEP_S, hours=float(max(recorded.sent_at)) / 3600)
    return run(
        deployed=deployed,
        scenario=scenario,
        assumed=assumed,
        calibration=calibration,
        how=how,
        workload=workload,
        dispatched=dispatch(workload, deployed.orchestrator, assumed, calibration, scenario, minutes=60),
        chance=np.random.default_rng(recorded.seed),
    )


def _deployed(recorded: Recorded) -> Deployed:
    """The run's tasks: as many as there were, on demand, and nothing that scales."""

    def service(name: str, tasks: int) -> Service:
        return Service(
            name=name,
            cpu=2048,
            memory_mib=4096,
            container_mib=3840,
            disk_gib=20,
            arm=False,
            least=tasks,
            most=tasks,
            surge_percent=200,
            on_demand_base=tasks,
            on_demand_weight=1,
            spot_weight=0,
            public_ip=False,
            policies=(),
            settings=dict(recorded.settings[name]),
        )

    return Deployed(
        environment="local",
        region="local",
        worker=service("worker", recorded.workers),
        orchestrator=service("orchestrator", 1),
        load=PromisedLoad(
            export_jobs_per_day=100_000,
            archives_per_export_job=1,
            mean_archive_minutes=1,
            p95_archive_minutes=1,
            longest_archive_hours=1,
            peak_factor=1,
            peak_hours=1,
            completion_p95_minutes=1,
            queue_wait_hours=1,
        ),
        nat_gateways=0,
        endpoint_interfaces=0,
        sqs_endpoint=False,
        zones=1,
        keys=0,
        secrets=0,
        alarms=0,
        composite_alarms=0,
        dashboards=0,
        insights=False,
    )
