"""One run of one program: started fresh, timed from the start line to its last line, and checked by the sink.

A run counts only when every wanted object arrived with the right size and CRC-32 and nothing else did. A run
with a time box is stopped when the box is used up: its rates count from the first object on, so what the
program did before that is in its favour, and what did arrive must be right.
"""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.archives import Archive
from benchmarks.job import Export, Job
from benchmarks.services import Service
from benchmarks.watch import Outcome, Watch

BUCKET = "bench"
TABLE = "metadata"
_SETTLE_S = 10

# Nothing of the machine's own AWS settings may reach a program under test.
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class WrongOutput(Exception):
    """The program did not send what it was to send; its figures mean nothing."""


@dataclass(frozen=True)
class Measurement:
    """One run.

    `harness_cpu_s` is what the server and the sink spent on it. `half_way` is how much of their archives the
    slowest and the fastest export had when half of all bytes were sent (slow lanes only).
    """

    seconds: float
    cpu_s: float
    output_bytes: int
    bytes_fetched: int
    peak_rss_mb: float
    harness_cpu_s: float
    stopped: bool
    half_way: tuple[float, float] | None

    @property
    def mb_per_s(self) -> float:
        return self.output_bytes / 1e6 / self.seconds

    @property
    def cpu_s_per_gb(self) -> float:
        return self.cpu_s / (self.output_bytes / 1e9)


@dataclass(frozen=True)
class Bench:
    """The two services, and where jobs and logs go."""

    server: Service
    sink: Service
    directory: Path

    def run(
        self,
        command: Sequence[str],
        archive: Archive,
        *,
        slow_lanes: int = 0,
        time_box_s: float | None = None,
    ) -> Measurement:
        """Run a program over an archive, or over so many slow copies of it.

        Raises WrongOutput, or RuntimeError when the program fails.
        """
        paths = [f"/slow/{n}/{archive.file.name}" for n in range(slow_lanes)] or [f"/{archive.file.name}"]
        exports = [Export(f"job-{n}", f"file-{n}", self.server.url + path) for n, path in enumerate(paths)]
        job = self.directory / "job.json"
        Job(tuple(exports), str(archive.file), BUCKET, TABLE, self.sink.url).write(job)
        expectation = {
            "index": str(archive.file.with_suffix(".json")),
            "bucket": BUCKET,
            "jobs": [export.export_job_id for export in exports],
        }
        self.sink.ask("POST", "/-/expect", json.dumps(expectation))
        self.server.ask("DELETE", "/-/report")
        harness_cpu_s = self._harness_cpu_s()
        size = archive.file.stat().st_size
        log = self.directory / "last-run.log"
        watch, outcome = self._watch(
            [*command, str(job)], log, time_box_s, size * slow_lanes // 2 if slow_lanes else None
        )
        harness_cpu_s = self._harness_cpu_s() - harness_cpu_s
        self._check(stopped=outcome.stopped)
        start, end = outcome.start, outcome.end
        lanes = [watch.lanes_at_half_way.get(str(n), 0) / size for n in range(slow_lanes)]
        return Measurement(
            seconds=end.at - start.at,
            cpu_s=end.cpu_s - start.cpu_s,
            output_bytes=end.output_bytes - start.output_bytes,
            bytes_fetched=self._bytes_fetched(),
            peak_rss_mb=watch.peak_rss_mb,
            harness_cpu_s=harness_cpu_s,
            stopped=outcome.stopped,
            half_way=(min(lanes), max(lanes)) if lanes else None,
        )

    def _watch(
        self, command: list[str], log: Path, time_box_s: float | None, half_way_bytes: int | None
    ) -> tuple[Watch, Outcome]:
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={"PATH": os.environ["PATH"], **_ENVIRONMENT},
            )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            try:
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError("it did not get ready")
                watch = Watch(
                    process, self.sink, self.server, time_box_s=time_box_s, half_way_bytes=half_way_bytes
                )
                process.stdin.write("\n")
                process.stdin.flush()
                return watch, watch.until_end()
            except RuntimeError as error:
                raise RuntimeError(f"{command}: {error}:\n{log.read_text()[-2000:]}") from error
            finally:
                if process.returncode is None:
                    process.kill()
                    process.wait()

    def _check(self, *, stopped: bool) -> None:
        report = self.sink.ask("GET", "/-/report")
        if report["wrong"]:
            raise WrongOutput(f"{report['wrong']} objects are not as they should be: {report['examples']}")
        if report["missing"] and not stopped:
            raise WrongOutput(f"{report['missing']} of the wanted objects never arrived")

    def _bytes_fetched(self) -> int:
        deadline = time.monotonic() + _SETTLE_S
        while (report := self.server.ask("GET", "/-/report"))["active"] and time.monotonic() < deadline:
            time.sleep(0.02)
        return sum(report["sent"].values())

    def _harness_cpu_s(self) -> float:
        return self.server.cpu_seconds() + self.sink.cpu_seconds()
