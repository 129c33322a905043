"""The orchestrator's benchmark in one go: `make bench-orchestrator`. See ../README.md.

The real entry module, started afresh for each run and warmed by one job, beside a stub of AWS and the sample
Export API, each a process of its own. CPU time is the process's own (user and system), so a busy machine
changes it little. BENCH_SCALE (1) scales the number of jobs and files. Exits 1 when a run did not send each
task once; a missed target is said, not an error.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.orchestrator.aws import JOBS_QUEUE, TASKS_QUEUE
from benchmarks.services import Service, cpu_seconds, service

RESULT = Path(".local/bench/orchestrator.json")
LOG = Path(".local/bench/orchestrator.log")
ROUNDS = 3
# Files of a job: how many such jobs a run has.
SHAPES = {10: 300, 1_000: 20, 100_000: 1}
_GIVE_UP_S = 900


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run: what it cost beyond the warm-up."""

    files: int
    jobs: int
    cpu_s: float
    wall_s: float
    peak_rss_mib: float
    calls: Mapping[str, int]

    @property
    def cpu_ms_per_event(self) -> float:
        return self.cpu_s * 1e3 / self.jobs

    @property
    def cpu_us_per_file(self) -> float:
        return self.cpu_s * 1e6 / (self.jobs * self.files)


class Wrong(Exception):
    """Tasks are missing or were sent twice."""


@contextmanager
def orchestrator(aws: Service, api: Service, **values: str) -> Iterator[int]:
    """`python -m runtime.orchestrator` beside these two, started; gives its process id."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SERVICE_MODE": "orchestrator",
        "ENVIRONMENT": "bench",
        "LEDGER_TABLE_NAME": "ledger",
        "DOWNLOAD_TASKS_QUEUE_URL": f"{aws.url}/000000000000/{TASKS_QUEUE}",
        "EXPORT_JOBS_QUEUE_URL": f"{aws.url}/000000000000/{JOBS_QUEUE}",
        "EXPORT_JOBS_DLQ_URL": f"{aws.url}/000000000000/parked",
        "EXPORT_API_BASE_URL": api.url,
        "EXPORT_API_SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:000000000000:secret:token",
        "HEALTH_PORT": "0",
        **values,
    }
    command = [sys.executable, "-m", "runtime.orchestrator"]
    with LOG.open("wb") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
        try:
            _until(lambda: '"Started' in LOG.read_text(), process)
            yield process.pid
        finally:
            process.terminate()


def measure(files: int, jobs: int, *, page: int = 0) -> Run:
    """Jobs of so many files, all on the queue at once. Raises Wrong."""
    with (
        service("benchmarks.orchestrator.aws") as aws,
        service("benchmarks.orchestrator.export_api", str(max(files, 10)), str(page)) as api,
        orchestrator(aws, api) as pid,
    ):
        _deliver(aws, ["10-warm-up"])
        aws.ask("POST", "/-/reset")
        began, cpu = time.monotonic(), cpu_seconds(pid)
        report = _deliver(aws, [f"{files}-{number}" for number in range(jobs)])
        cpu_s, wall_s = cpu_seconds(pid) - cpu, time.monotonic() - began
        check(report, files, jobs)
        return Run(
            files=files,
            jobs=jobs,
            cpu_s=cpu_s,
            wall_s=wall_s,
            peak_rss_mib=_peak_rss_mib(pid),
            calls=report["calls"],
        )


def check(report: Mapping[str, Any], files: int, jobs: int) -> None:
    """Each task of each job was sent once and counted once. Raises Wrong."""
    counts = {name: report[name] for name in ("sent", "distinct_tasks", "task_items", "tasks_counted")}
    if report["jobs_listed"] != jobs or any(count != files * jobs for count in counts.values()):
        raise Wrong(f"{jobs} jobs of {files} files: {report['jobs_listed']} listed, {counts}")


def fan_out(ids: int) -> dict[str, float]:
    """Seconds after one message of so many ids until all are on the queue, and the first and last begun."""
    with (
        service("benchmarks.orchestrator.aws") as aws,
        service("benchmarks.orchestrator.export_api", "10", "0") as api,
        orchestrator(aws, api),
    ):
        _deliver(aws, ["10-warm-up"])
        aws.ask("POST", "/-/reset")
        body = json.dumps({"export_job_ids": [f"10-{number}" for number in range(ids)]})
        at = aws.ask("POST", "/-/feed", json.dumps({"bodies": [body]}))["at"]
        report = _settled(aws, ids + 1)
        claimed = sorted(report["claimed_at"])
        if report["forwarded"] != ids or len(claimed) != ids:
            raise Wrong(f"{ids} ids: {report['forwarded']} forwarded, {len(claimed)} begun")
        return {
            "forwarded_s": report["forwarded_at"] - at,
            "first_begun_s": claimed[0] - at,
            "all_begun_s": claimed[-1] - at,
        }


def _deliver(aws: Service, jobs: list[str]) -> dict[str, Any]:
    bodies = [json.dumps({"export_job_ids": [job], "correlation_id": f"bench-{job}"}) for job in jobs]
    aws.ask("POST", "/-/feed", json.dumps({"bodies": bodies}))
    return _settled(aws, len(jobs))


def _settled(aws: Service, messages: int) -> dict[str, Any]:
    deadline = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < deadline:
        report: dict[str, Any] = aws.ask("GET", "/-/report")
        if report["deleted"] >= messages:
            return report
        time.sleep(0.1)
    raise Wrong(f"not settled after {_GIVE_UP_S} s; {LOG} says why")


def _until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the orchestrator did not start; {LOG} says why")
        time.sleep(0.05)


def _peak_rss_mib(pid: int) -> float:
    # The kernel's own high-water mark.
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(line) / 1024


def main() -> None:
    scale = float(os.environ.get("BENCH_SCALE") or 1)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    by_files: dict[int, list[Run]] = {files: [] for files in SHAPES}
    for number in range(ROUNDS):
        for files, runs in by_files.items():
            run = measure(files, max(1, round(SHAPES[files] * scale)))
            runs.append(run)
            print(
                f"round {number + 1}/{ROUNDS}  {files:7} files  {run.cpu_ms_per_event:10.2f} ms CPU an event "
                f"{run.cpu_us_per_file:6.0f} µs a file  {run.peak_rss_mib:4.0f} MB",
                flush=True,
            )
    one_page = measure(100_000, 1, page=100_000)
    million = measure(round(1_000_000 * scale), 1)
    begun = fan_out(1_000)
    medians = {str(files): _medians(runs) for files, runs in by_files.items()}
    result = {
        "cpu_ms_per_event_10_files": medians["10"]["cpu_ms_per_event"],
        "by_files": medians,
        "peak_rss_mb_1m_files": round(million.peak_rss_mib, 1),
        "peak_rss_mb_100k_in_one_page": round(one_page.peak_rss_mib, 1),
        "cpu_us_per_file_1m_files": round(million.cpu_us_per_file, 1),
        "message_of_1000_ids": {name: round(seconds, 2) for name, seconds in begun.items()},
        "scale": scale,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for target, measured, limit, unit in (
        ("an event of 10 files", medians["10"]["cpu_ms_per_event"], 4, "ms CPU"),
        ("a file of 100,000", medians["100000"]["cpu_us_per_file"], 150, "µs CPU"),
        (
            "1,000,000 files",
            million.peak_rss_mib,
            200,
            "MiB at most",
        ),
        ("100,000 records in one page", one_page.peak_rss_mib, 200, "MiB at most"),
        ("1,000 ids in one message, the first begun", begun["first_begun_s"], 3, "s"),
        ("1,000 ids in one message, all on the queue", begun["forwarded_s"], 3, "s"),
    ):
        verdict = "reached" if measured <= limit else "MISSED"
        print(f"{verdict:8} {target}: {measured:.4g} {unit} (target {limit})")
    print(f"Medians are in {RESULT}.")


def _medians(runs: Sequence[Run]) -> dict[str, float]:
    figures = ("cpu_ms_per_event", "cpu_us_per_file", "wall_s", "peak_rss_mib")
    return {
        **{name: round(median(getattr(run, name) for run in runs), 2) for name in figures},
        "aws_calls_per_event": round(median(sum(run.calls.values()) / run.jobs for run in runs), 1),
    }


if __name__ == "__main__":
    try:
        main()
    except Wrong as error:
        sys.exit(f"the run does not count: {error}")
