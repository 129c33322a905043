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
from statistics import median
from typing import Any

from benchmarks.archives import Archive, Shape
from benchmarks.job import Export, Job
from benchmarks.services import Service, Services
from benchmarks.watch import Outcome, Watch

BUCKET = "bench"
TABLE = "metadata"
_SETTLE_S = 10

_PASSED_ON = ("PATH", "PYTHONPATH")
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


@dataclass(frozen=True, kw_only=True)
class Paced:
    """How many downloads got on that are offered at a rate each.

    A share is what a download moved of what it was offered, from the start line to its last byte; of the
    slowest and of the median download. `late_s` is how late the server's slices left: the harness's own part.
    """

    lanes: int
    offered_mb_per_s: float
    share_slowest: float
    share_median: float
    late_s: tuple[float, float, float]
    pacing_cpu_s: float

    @classmethod
    def of(cls, report: Any, shape: Shape, size: int, started_at: float, pacing_cpu_s: float) -> "Paced":
        """From what the paced server says; `size` is of each lane's archive."""
        least_s = size / shape.bytes_per_s
        ended_at = report["ended_at"]
        shares = [
            min(1.0, least_s / (ended_at[str(lane)] - started_at)) if str(lane) in ended_at else 0.0
            for lane in range(shape.lanes)
        ]
        median_late, high_late, worst_late = report["late_s"]
        return cls(
            lanes=shape.lanes,
            offered_mb_per_s=shape.lanes * shape.bytes_per_s / 1e6,
            share_slowest=min(shares),
            share_median=median(shares),
            late_s=(median_late, high_late, worst_late),
            pacing_cpu_s=pacing_cpu_s,
        )


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run. `harness_cpu_s` is what the servers, the terminator and the sink spent on it."""

    seconds: float
    cpu_s: float
    output_bytes: int
    bytes_fetched: int
    peak_rss_mb: float
    harness_cpu_s: float
    stopped: bool
    paced: Paced | None = None

    @property
    def mb_per_s(self) -> float:
        return self.output_bytes / 1e6 / self.seconds

    @property
    def cpu_s_per_gb(self) -> float:
        return self.cpu_s / (self.output_bytes / 1e9)

    @property
    def vcpu(self) -> float:
        return self.cpu_s / self.seconds

    @property
    def harness_vcpu(self) -> float:
        return self.harness_cpu_s / self.seconds

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Measurement":
        """What `dataclasses.asdict` made of one."""
        paced = fields.pop("paced")
        return cls(**fields, paced=Paced(**{**paced, "late_s": tuple(paced["late_s"])}) if paced else None)


@dataclass(frozen=True)
class Bench:
    """The services, and where jobs and logs go."""

    services: Services
    directory: Path

    def run(
        self,
        command: Sequence[str],
        archive: Archive,
        shape: Shape,
        *,
        time_box_s: float | None = None,
    ) -> Measurement:
        """Run a program over an archive, or over all lanes of it where the shape is a slow one.

        Raises WrongOutput, or RuntimeError when the program fails.
        """
        name = archive.file.name
        source = self.services.paced if shape.lanes else self.services.server
        paths = [f"/{shape.bytes_per_s}/{lane}/{name}" for lane in range(shape.lanes)] or [f"/{name}"]
        exports = [Export(f"job-{n}", f"file-{n}", source.url + path) for n, path in enumerate(paths)]
        job = self.directory / "job.json"
        Job(
            exports=tuple(exports),
            archive=str(archive.file),
            bucket=BUCKET,
            table=TABLE,
            endpoint=self.services.sink.url,
        ).write(job)
        expectation = {
            "index": str(archive.file.with_suffix(".json")),
            "bucket": BUCKET,
            "jobs": [export.export_job_id for export in exports],
        }
        self.services.sink.ask("POST", "/-/expect", json.dumps(expectation))
        source.ask("DELETE", "/-/report")
        harness_cpu_s, pacing_cpu_s = self._harness_cpu_s(), self.services.paced.cpu_seconds()
        watch, outcome = self._watch([*command, str(job)], self.directory / "last-run.log", time_box_s)
        harness_cpu_s = self._harness_cpu_s() - harness_cpu_s
        pacing_cpu_s = self.services.paced.cpu_seconds() - pacing_cpu_s
        self._check(stopped=outcome.stopped)
        start, end = outcome.start, outcome.end
        report = _settled(source)
        size = archive.file.stat().st_size
        return Measurement(
            seconds=end.at - start.at,
            cpu_s=end.cpu_s - start.cpu_s,
            output_bytes=end.output_bytes - start.output_bytes,
            bytes_fetched=sum(report["sent"].values()) if shape.lanes else report["sent"],
            peak_rss_mb=watch.peak_rss_mb,
            harness_cpu_s=harness_cpu_s,
            stopped=outcome.stopped,
            paced=Paced.of(report, shape, size, start.at, pacing_cpu_s) if shape.lanes else None,
        )

    def _watch(self, command: list[str], log: Path, time_box_s: float | None) -> tuple[Watch, Outcome]:
        certificates = self.services.certificates
        with log.open("w") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={
                    **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                    **_ENVIRONMENT,
                    **(certificates.environment if certificates else {}),
                },
            )
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin, process.stdout:
            try:
                if process.stdout.readline() != "ready\n":
                    raise RuntimeError("it did not get ready")
                watch = Watch(process, self.services.sink, time_box_s=time_box_s)
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
        report = self.services.sink.ask("GET", "/-/report")
        if report["wrong"]:
            raise WrongOutput(f"{report['wrong']} objects are not as they should be: {report['examples']}")
        if report["missing"] and not stopped:
            raise WrongOutput(f"{report['missing']} of the wanted objects never arrived")

    def _harness_cpu_s(self) -> float:
        return sum(service.cpu_seconds() for service in self.services.all)


def _settled(source: Service) -> Any:
    """The server's report when nothing is under way any more."""
    deadline = time.monotonic() + _SETTLE_S
    while (report := source.ask("GET", "/-/report"))["active"] and time.monotonic() < deadline:
        time.sleep(0.02)
    return report
