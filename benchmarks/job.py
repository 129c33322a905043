"""What every program of the benchmark is given, and the lines between which it is measured.

A program is started with one argument, the job's JSON file. It gets ready (imports, clients), says so on
standard output, waits for a line on standard input, does the job, says "done" and exits 0. What comes before
and after is not measured: a service starts once and works for days.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Export:
    """One archive of one export job."""

    export_job_id: str
    file_id: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """Addresses and names; every program writes the wanted entries to `exports/{export_job_id}/{path}`."""

    exports: tuple[Export, ...]
    archive: str
    bucket: str
    table: str
    endpoint: str  # answers for S3 and DynamoDB

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls) -> "Job":
        """The job named on the command line."""
        fields = json.loads(Path(sys.argv[1]).read_text())
        exports = tuple(Export(**export) for export in fields.pop("exports"))
        return cls(exports=exports, **fields)


def wait_for_start() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def say_done() -> None:
    print("done", flush=True)
