"""`make capacity-compare`: a small day on the local platform, recorded for the capacity model to be held to.

The vendor sends every archive at a fixed rate, so that the network decides how long things take, and not how
busy this machine is. What came when, with which settings, and what became of it goes into one dated file;
`ops.capacity.compare` plays the same through the model.
"""

import argparse
import os
import platform as machine
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.export_api import faults
from local.export_api.archives import LaidOutZip, Member
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.content import Content
from local.export_api.server import ExportApiServer
from local.platform import Platform
from local.processes import wait_for
from ops.capacity.compare import FILE, Recorded, report

# One download each: a worker takes this machine's CPU for its container's, and with more places than one it
# would take less on whenever something else works here.
_WORKERS, _SLOTS, _BYTES_PER_S = 14, "1", 25_000
# (seconds, archives a second): calm, a peak above the 1.4 a second that the workers can take, calm again.
_ARRIVALS = ((60, 0.7), (50, 2.4), (80, 0.5))
_MEAN_S, _SIGMA, _LEAST_S, _LONGEST_S = 10.0, 0.7, 4.0, 60.0
_LOOK_S = 0.5
_LOOKS_A_WINDOW = 10
_CPU_FULL = 0.95
_LIMIT_S = 240.0
# As deployed, and not as the demo has it: nothing here waits for a message to come back.
_TIMINGS = {"VISIBILITY_TIMEOUT_S": "60", "HEARTBEAT_INTERVAL_S": "15", "EXPORT_API_TIMEOUT_S": "60"}
_TOKEN = "capacity"


@dataclass(frozen=True)
class _Planned:
    """An archive: when its job is sent, in seconds from the start, and how large its one stored file is."""

    job_id: str
    at: float
    size: int

    @property
    def content(self) -> Content:
        return Content(f"{self.job_id}/data.jsonl", self.size)


class _Paced(faults.NoFaults):
    """Every download comes at the vendor's rate."""

    def decide(self, request: faults.Request) -> faults.Fault | None:
        return faults.Drip(_BYTES_PER_S) if request.kind == "download" else None


def record(seed: int) -> Recorded:
    """Run it. Raises RuntimeError or TimeoutError of what did not start or did not end."""
    planned = list(_plan(random.Random(seed)))
    with Platform("capacity", progress=_say) as platform:
        catalogue, metadata = _exports(planned)
        platform.put_metadata(metadata)
        with ExportApiServer(catalogue, token=_TOKEN, plan=_Paced()) as api:
            platform.use_export_api(api.base_url, _TOKEN)
            tasks = [platform.run_task("orchestrator", overrides=_TIMINGS, ready=False)]
            tasks += [
                platform.run_task("worker", overrides=_TIMINGS | {"SLOTS": _SLOTS}, ready=False)
                for _ in range(_WORKERS)
            ]
            for task in tasks:
                task.wait_until_ready()
            seen = _send(platform, planned)
            finished_at = [_finished_at(platform, archive.job_id) for archive in planned]
            settings = {task.definition.service: task.environment for task in tasks}
            peak = max(task.peak_rss_mb for task in tasks)
            platform.stop_tasks()
    codes = {task.name: task.exit_code for task in tasks}
    if any(codes.values()):
        raise RuntimeError(f"tasks ended with {codes}; their logs are in {platform.directory / 'logs'}")
    kept = ("SLOTS", "VISIBILITY_TIMEOUT_S", "HEARTBEAT_INTERVAL_S", "POLL_WAIT_S")
    return Recorded(
        date=datetime.now(UTC).date().isoformat(),
        machine=f"{os.cpu_count()} cores, Linux {machine.release()}, Python {machine.python_version()}, "
        f"load average {os.getloadavg()[1]:.1f}",
        seed=seed,
        workers=_WORKERS,
        settings={
            service: {name: values[name] for name in kept if name in values}
            for service, values in settings.items()
        },
        bytes_per_s=_BYTES_PER_S,
        look_s=_LOOK_S,
        peak_rss_mb=round(peak, 1),
        bytes_sent=api.bytes_sent,
        sizes=[archive.size for archive in planned],
        archive_sizes=[catalogue.exports[a.job_id].files[0].archive.size for a in planned],
        cpu_full_share=round(seen.cpu_full_share, 3),
        sent_at=[round(at - seen.began, 2) for at in seen.sent_at],
        finished_at=[round(at - seen.began, 2) for at in finished_at],
        visible=[visible for visible, _ in seen.depths],
        in_flight=[in_flight for _, in_flight in seen.depths],
    )


def _plan(chance: random.Random) -> Iterator[_Planned]:
    """Poisson arrivals; log-normal times, cut at both ends."""
    begin = 0.0
    for seconds, rate in _ARRIVALS:
        at = begin + chance.expovariate(rate)
        while at < begin + seconds:
            takes = chance.lognormvariate(0, _SIGMA) * _MEAN_S / 2.718281828 ** (_SIGMA**2 / 2)
            size = round(min(_LONGEST_S, max(_LEAST_S, takes)) * _BYTES_PER_S)
            yield _Planned(f"capacity-{int(at * 1000):06d}", at, size)
            at += chance.expovariate(rate)
        begin += seconds


def _exports(planned: Sequence[_Planned]) -> tuple[Catalogue, list[dict[str, Any]]]:
    catalogue, metadata = Catalogue(), []
    for archive in planned:
        content = archive.content
        zipped = LaidOutZip(members=[Member(name="data.jsonl", content=content, deflate=False)])
        file = ExportFile(file_id="file-0", name="0.zip", archive=zipped)
        catalogue.add(Export(archive.job_id, [file]))
        metadata.append(
            {
                "export_job_id": archive.job_id,
                "file_path": "data.jsonl",
                "size": content.size,
                "sha256": content.sha256(),
            }
        )
    return catalogue, metadata


@dataclass
class _Seen:
    """From outside: start and sendings (epoch seconds), the download queue's depth, the machine's CPU."""

    began: float = field(default_factory=time.time)
    sent_at: list[float] = field(default_factory=list)
    depths: list[tuple[int, int]] = field(default_factory=list)
    windows: list[float] = field(default_factory=list)

    @property
    def cpu_full_share(self) -> float:
        """Of windows of five seconds, those in which nothing was idle."""
        return sum(busy > _CPU_FULL for busy in self.windows) / max(1, len(self.windows))

    def watch(self, platform: Platform, ended: threading.Event) -> None:
        """Look every half second until it has ended."""
        due, cpu = time.monotonic(), _cpu_times()
        while not ended.wait(max(0.0, due - time.monotonic())):
            self.depths.append(platform.depths()["download-tasks"])
            if len(self.depths) % _LOOKS_A_WINDOW == 0:
                (idle, every), (idle_before, every_before) = _cpu_times(), cpu
                self.windows.append(1 - (idle - idle_before) / (every - every_before))
                cpu = idle, every
            due += _LOOK_S


def _cpu_times() -> tuple[int, int]:
    """Idle and all of the machine's CPU time so far (proc_stat(5))."""
    times = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return times[3] + times[4], sum(times)


def _send(platform: Platform, planned: Sequence[_Planned]) -> _Seen:
    """Send each job at its time, and return when both queues are empty. Raises TimeoutError."""
    seen, ended = _Seen(), threading.Event()
    watcher = threading.Thread(target=seen.watch, args=(platform, ended), name="watch")
    watcher.start()
    try:
        for archive in planned:
            time.sleep(max(0.0, seen.began + archive.at - time.time()))
            seen.sent_at.append(time.time())
            platform.send_export_jobs(archive.job_id)
        wait_for(lambda: platform.queued() == 0, "both queues empty", _LIMIT_S)
    finally:
        ended.set()
        watcher.join()
    return seen


def _finished_at(platform: Platform, job_id: str) -> float:
    item = platform.ledger_job(job_id)
    if item.get("status") != "completed":
        raise RuntimeError(f"job {job_id} has not completed: {item}")
    return float(item["finished_at"])


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> int:
    """Record, store and compare; 1 where the model is further off than it may be."""
    parser = argparse.ArgumentParser(prog="python -m local.capacity_run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", type=Path, default=FILE, help="where the record goes")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        recorded = record(arguments.seed)
    except (RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    arguments.file.write_text(recorded.as_json(), encoding="utf-8")
    text, apart = report(recorded)
    print(text)
    return int(apart)


if __name__ == "__main__":
    sys.exit(main())
