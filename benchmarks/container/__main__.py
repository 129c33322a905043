"""How much memory the deployed containers take, with the largest that they may be asked for.

    python -m benchmarks.container [--archives 32] [--entries 1000000] [--entry-gb 20] [--limit-s 3600]

The image is built and the stacks are deployed as in a rehearsal, and both services run as containers of the
registered task definitions, with their limits of CPU and memory (no swap). What they are given: a listing of
more files than the demo's largest job has, an archive with one entry of 20 GB, and archives of a million
entries each, all at once. Archives are computed while they are sent (archives.py); objects and the metadata's
reads go to a sink (sink.py) that checks every object and keeps none; queues and ledger are the local AWS's.

Peaks of resident memory go into `.local/rehearsal/summary.json` (`peak_rss_mb`). Exit code 0 when every
object arrived, no container was ended for its memory, and the orchestrator stayed below 200 MiB.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.container.archives import ManyEntries
from benchmarks.services import Service, service
from local.assembly import LOCAL
from local.export_api.archives import Archive, Blob, LaidOutZip, Member
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.content import Content
from local.export_api.server import ExportApiServer
from local.rehearsal.container_task import ContainerTask
from local.rehearsal.engine_client import started_engine
from local.rehearsal.platform import RehearsalPlatform
from local.rehearsal.steps import Rehearsal, StepFailed

SUMMARY = LOCAL / "rehearsal" / "summary.json"
_TOKEN = "memory"
_LISTED_FILES = 1_000
_ORCHESTRATOR_MIB = 200
_ENDED = ("completed", "incomplete", "failed")
_LOOK_S = 2.0
# A local AWS that shares two cores with a busy worker answers late; an account's does not.
_PATIENT = {"VISIBILITY_TIMEOUT_S": "600", "HEARTBEAT_INTERVAL_S": "60", "EXPORT_API_TIMEOUT_S": "60"}


class Stage:
    """A deployed platform with a sink in place of its bucket."""

    def __init__(self, platform: RehearsalPlatform, sink: Service, folder: Path, limit_s: float) -> None:
        self._platform = platform
        self._sink = sink
        self._folder = folder
        self._limit_s = limit_s

    def listing(self) -> float:
        """MiB of an orchestrator that lists a job of many files; nobody works them off."""
        files = [_file(f"f{number:05d}", Blob(b"")) for number in range(_LISTED_FILES)]
        platform = self._platform
        with self._api({"listing": files}):
            orchestrator = platform.run_task("orchestrator")
            platform.send_export_jobs("listing")
            self._wait(lambda: platform.depths()["download-tasks"][0] == _LISTED_FILES, [orchestrator])
        sqs, url = platform.client("sqs"), platform.output("DownloadTasksQueueUrl")
        sqs.purge_queue(QueueUrl=url)
        return self._end(orchestrator)

    def working(self, jobs: Mapping[str, Archive], wanted: Sequence[dict[str, Any]]) -> float:
        """MiB of a worker that has these jobs, of one archive each, in hand at once."""
        platform = self._platform
        index = self._folder / "wanted.json"
        index.write_text(json.dumps(wanted))
        expectation = {"index": str(index), "bucket": platform.output("BucketName"), "jobs": list(jobs)}
        self._sink.ask("POST", "/-/expect", json.dumps(expectation))
        platform.put_metadata(
            {"export_job_id": job, "file_path": entry["path"], **{k: entry[k] for k in ("size", "sha256")}}
            for job in jobs
            for entry in wanted
        )
        with self._api({job: [_file(job, archive)] for job, archive in jobs.items()}):
            orchestrator = platform.run_task("orchestrator")
            worker = platform.run_task(
                "worker",
                overrides={
                    **_PATIENT,
                    "AWS_ENDPOINT_URL_S3": self._sink.url,
                    "AWS_ENDPOINT_URL_DYNAMODB": self._sink.url,
                },
            )
            platform.send_export_jobs(*jobs)
            left = set(jobs)

            def ended() -> bool:
                left.difference_update(
                    [job for job in left if platform.ledger_job(job).get("status") in _ENDED]
                )
                return not left

            self._wait(ended, [orchestrator, worker])
        report = self._sink.ask("GET", "/-/report")
        print(json.dumps(report), flush=True)
        peak = self._end(worker)
        self._end(orchestrator)
        if report["missing"] or report["wrong"] or report["objects"] != len(jobs) * len(wanted):
            raise StepFailed(f"the sink did not get what it must: {report}")
        return peak

    @contextmanager
    def _api(self, jobs: Mapping[str, list[ExportFile]]) -> Iterator[None]:
        catalogue = Catalogue.of([Export(job, files) for job, files in jobs.items()])
        with ExportApiServer(catalogue, token=_TOKEN, url_lifetime_s=86_400) as api:
            self._platform.use_export_api(api.base_url, _TOKEN)
            yield

    def _wait(self, done: Callable[[], bool], tasks: Sequence[Any]) -> None:
        """Raises StepFailed when a container ends before, or after the time limit with what was in hand."""
        began = time.monotonic()
        while not done():
            for task in tasks:
                if not task.running:
                    killed = isinstance(task, ContainerTask) and task.killed_for_memory
                    raise StepFailed(f"{task.name} ended with {task.exit_code}; OOMKilled={killed}")
            if time.monotonic() - began > self._limit_s:
                peaks = {task.name: round(task.peak_rss_mb) for task in tasks}
                report = self._sink.ask("GET", "/-/report")
                raise StepFailed(f"not done after {self._limit_s:g} s; MiB so far: {peaks}; sink: {report}")
            time.sleep(_LOOK_S)

    def _end(self, task: Any) -> float:
        task.stop()
        if task.killed_for_memory:
            raise StepFailed(f"{task.name} was ended for its memory")
        peak: float = round(task.peak_rss_mb, 1)
        return peak


def _file(file_id: str, archive: Archive) -> ExportFile:
    return ExportFile(file_id=file_id, name=f"{file_id}.zip", archive=archive)


def entry_of(path: str, content: Content) -> dict[str, Any]:
    """A wanted file as the sink's index has it."""
    return {
        "path": path,
        "size": content.size,
        "crc32": content.crc32(),
        "sha256": content.sha256(),
        "wanted": True,
    }


def run(options: argparse.Namespace, rehearsal: Rehearsal, peaks: dict[str, float]) -> None:
    """Adds each load's peak in MiB as it is known, by what it was. Raises StepFailed."""
    with started_engine(LOCAL / "engine.log") as engine:
        platform = RehearsalPlatform(engine, rehearsal, print)
        with platform, service("benchmarks.container.sink", platform.account.endpoint_url) as sink:
            stage = Stage(platform, sink, platform.directory, options.limit_s)
            with rehearsal.step(f"the orchestrator lists {_LISTED_FILES:,} files"):
                peaks[f"orchestrator: {_LISTED_FILES:,} files"] = peak = stage.listing()
                if peak > _ORCHESTRATOR_MIB:
                    raise StepFailed(f"it took {peak} MiB, more than {_ORCHESTRATOR_MIB}")
            if options.entry_gb:
                name = f"an entry of {options.entry_gb:g} GB"
                with rehearsal.step(f"a worker with {name}"):
                    content = Content("large.jsonl", int(options.entry_gb * 1e9))
                    archive = LaidOutZip(members=[Member(name="large.jsonl", content=content)])
                    wanted = [entry_of("large.jsonl", content)]
                    peaks[f"worker: {name}"] = stage.working({"large": archive}, wanted)
            name = f"{options.archives} archives of {options.entries:,} entries"
            with rehearsal.step(f"a worker with {name}, all at once"):
                many = ManyEntries(platform.directory, options.entries)
                jobs = {f"many-{number:02d}": many for number in range(options.archives)}
                peaks[f"worker: {name}"] = stage.working(jobs, many.wanted)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.container",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--archives", type=int, default=32)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--entry-gb", type=float, default=20)
    parser.add_argument("--limit-s", type=float, default=3_600)
    options = parser.parse_args()
    # All that was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # The deployment makes its folder anew.
    summary = json.loads(SUMMARY.read_text()) if SUMMARY.exists() else {}
    peaks: dict[str, float] = {}
    try:
        run(options, Rehearsal(say=lambda line: print(line, flush=True)), peaks)
    except StepFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        print(json.dumps(peaks))
        summary["peak_rss_mb"] = summary.get("peak_rss_mb", {}) | peaks
        SUMMARY.parent.mkdir(parents=True, exist_ok=True)
        SUMMARY.write_text(json.dumps(summary, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
