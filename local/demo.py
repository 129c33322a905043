"""`make demo`: the system itself, from its stacks to files in S3, with a worker killed on the way.

Ends with exit code 0 only if everything is as the generated exports say it must be, and writes
`.local/demo/summary.json`.
"""

import argparse
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.live import Live

from local import processes
from local.assembly import ROOT
from local.demo_view import Result, line, live_table, report
from local.export_api.dialects import DIALECTS
from local.export_api.generated import GeneratedExports, Size, generate
from local.overrides import BULK_TIMINGS
from local.platform import Platform
from local.progress import Snapshot, Watcher
from local.queue_metrics import queue_metrics
from local.tasks import Task
from local.verify import Verification
from ops.fleet.environment import find
from ops.page.serve import PageServer

_TOKEN = "demo-token"
_LOOK_S = 1.0
_LINE_S = 5.0
# A run that stands still this long is stuck; large objects take their time on one machine.
_STUCK_S: dict[Size, float] = {"small": 60, "medium": 120, "large": 300}
_MALFORMED = '{"export_job_ids": "not a list"}'
_UNKNOWN_JOB = "export-nobody-knows"


class DemoFailed(Exception):
    """The run cannot be judged: something did not start or did not end."""


def run(size: Size, seed: int, console: Console, profile: str = "default", *, show: bool = False) -> Result:
    """The whole demo; with `show` the operator's page beside it, until Ctrl-C.

    Raises DemoFailed, or RuntimeError and TimeoutError of what did not start.
    """

    def say(what: str) -> None:
        console.print(f"[dim]{what}[/]")

    with (
        Platform("demo", progress=say) as platform,
        export_api(platform, size, seed, profile),
        _page(console, show=show),
    ):
        exports = generate(size, seed, ids=DIALECTS[profile].ids)
        return perform(platform, exports, size, console)


def perform(platform: Platform, exports: GeneratedExports, size: Size, console: Console) -> Result:
    """The main job on a platform that knows its Export API: all exports, a kill, and the verifier."""

    def say(what: str) -> None:
        console.print(f"[dim]{what}[/]")

    say(f"{_count(exports)}; filling the metadata table")
    platform.put_metadata(entry.metadata for entry in exports.entries if entry.metadata is not None)
    for omitted in platform.left_out:
        say(f"left out: {omitted}")
    verification = Verification(platform)
    began = time.monotonic()
    say("starting two orchestrators and two workers from their task definitions")
    tasks = [
        platform.run_task(service, overrides=_timings(size), ready=False)
        for service in ("orchestrator", "worker", "orchestrator", "worker")
    ]
    for task in tasks:
        task.wait_until_ready()
    parked_jobs = _send(platform, exports)
    killed = _watch(platform, exports, size, console)
    say("checking every object, entry, event and parked message")
    judgement = verification.judge(exports, parked_jobs=parked_jobs)
    seconds = time.monotonic() - began
    platform.stop_tasks()
    problems = [
        f"{task.name} ended with exit code {task.exit_code}; see {task.log}"
        for task in platform.tasks
        if task.exit_code not in (0, -signal.SIGKILL)
    ]
    problems += [f"IAM refused {denial}" for denial in sorted(set(platform.denials()))]
    peaks = {task.name: round(task.peak_rss_mb, 1) for task in platform.tasks}
    return Result(
        judgement=judgement, problems=problems, seconds=seconds, workers_killed=killed, peak_rss_mb=peaks
    )


@contextmanager
def _page(console: Console, *, show: bool) -> Iterator[None]:
    """The operator's page while the demo runs, and after its end for as long as somebody looks."""
    if not show:
        yield
        return
    fleet = find("demo")
    with queue_metrics(fleet), PageServer(fleet) as page:
        console.print(f"the operator's page: {page.url}")
        yield
        console.print(f"the run has ended; {page.url} stays until Ctrl-C")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _timings(size: Size) -> Mapping[str, str]:
    return {} if size == "small" else BULK_TIMINGS


@contextmanager
def export_api(platform: Platform, size: Size, seed: int, profile: str = "default") -> Iterator[str]:
    """The sample Export API in a process of its own, known to the platform; gives its URL."""
    log_path = platform.directory / "export-api.log"
    command = [sys.executable, "-m", "local.export_api", "--size", size, "--seed", str(seed)]
    command += ["--profile", profile]
    with log_path.open("wb") as log:
        process = processes.spawn(
            command,
            env={"PATH": "/usr/bin:/bin", "EXPORT_API_TOKEN": _TOKEN},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        url = processes.first_line_as_json(process, "the sample Export API", log_path)["base_url"]
        platform.use_export_api(url, _TOKEN, profile)
        yield url
    finally:
        processes.stop(process, 2)


def _count(exports: GeneratedExports) -> str:
    archives = sum(len(export.files) for export in exports.catalogue.exports.values())
    return (
        f"{len(exports.catalogue.exports)} exports, {archives} archives, {len(exports.entries)} entries, "
        f"{exports.archive_bytes / 1e6:,.0f} MB of ZIPs"
    )


def _send(platform: Platform, exports: GeneratedExports) -> list[tuple[str, str]]:
    """Send every job, half of them in one message, and two messages that must be parked: (body, reason)."""
    job_ids = list(exports.catalogue.exports)
    half = len(job_ids) // 2
    platform.send_export_jobs(*job_ids[:half], correlation_id="demo")
    for job_id in job_ids[half:]:
        platform.send_export_jobs(job_id)
    platform.send_raw("ExportJobs", _MALFORMED)
    unknown = platform.send_export_jobs(_UNKNOWN_JOB)
    return [(_MALFORMED, "malformed-message"), (unknown, "unknown-job")]


def _watch(platform: Platform, exports: GeneratedExports, size: Size, console: Console) -> int:
    """Show progress until all is done, and kill a worker half-way; returns how many were killed."""
    job_ids = list(exports.catalogue.exports)
    archives = sum(len(export.files) for export in exports.catalogue.exports.values())
    watcher = Watcher(platform, job_ids)
    killed: list[Task] = []
    began = moved = printed = time.monotonic()
    last = watcher.look()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not last.finished:
            now = time.monotonic()
            look = watcher.look()
            if look != last:
                moved = now
            if not killed and look.tasks_finished * 2 >= archives:
                killed.append(_kill_a_worker(platform, size, console))
            if console.is_terminal:
                table = live_table(look, last, seconds=now - began, every_s=_LOOK_S, killed=bool(killed))
                live.update(table, refresh=True)
            elif now - printed > _LINE_S:
                console.print(line(look, archives, now - began))
                printed = now
            _require_progress(platform, look, now - moved, _STUCK_S[size])
            last = look
            time.sleep(_LOOK_S)
    return len(killed)


def _kill_a_worker(platform: Platform, size: Size, console: Console) -> Task:
    workers = [task for task in platform.tasks if task.definition.service == "worker" and task.running]
    # The busy one, if there is a difference: that is where a kill hurts.
    victim = max(workers, key=lambda task: platform.endpoints.agent.is_protected(task.task_id))
    victim.kill(signal.SIGKILL)
    console.print(f"[bold]killed {victim.name} (SIGKILL) half-way; starting another[/]")
    platform.run_task("worker", overrides=_timings(size), ready=False)
    return victim


def _require_progress(platform: Platform, look: Snapshot, still_s: float, limit_s: float) -> None:
    ended = [task for task in platform.tasks if task.exit_code not in (None, -signal.SIGKILL)]
    if ended:
        task = ended[0]
        raise DemoFailed(
            f"{task.name} ended with exit code {task.exit_code}; the end of {task.log}:\n"
            f"{processes.tail(task.log)}"
        )
    if still_s > limit_s:
        open_jobs = ", ".join(f"{job.job_id} ({job.status})" for job in look.jobs if not job.finished)
        raise DemoFailed(
            f"nothing has moved for {limit_s:g} s; not finished: {open_jobs or 'none'}; "
            f"queues {look.depths}; IAM refused {sorted(set(platform.denials())) or 'nothing'}; "
            f"the tasks' logs are in {platform.directory / 'logs'}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--size", choices=("small", "medium", "large"), default="small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", choices=tuple(DIALECTS), default="default", help="the vendor to play")
    parser.add_argument("--show", action="store_true", help="the operator's page beside it, until Ctrl-C")
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    try:
        result = run(arguments.size, arguments.seed, console, arguments.profile, show=arguments.show)
    except (DemoFailed, RuntimeError, TimeoutError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    report(result, console)
    path = ROOT / ".local" / "demo" / "summary.json"
    path.write_text(json.dumps(result.summary(), indent=2) + "\n")
    console.print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 0 if result.summary()["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
