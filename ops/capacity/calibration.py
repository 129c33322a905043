"""The cost of work to a worker, as measured (calibration.json says when and on what)."""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """CPU seconds per GB (10^9 bytes) of output, resident memory in MB, the orchestrator's CPU seconds."""

    date: str
    machine: str
    cpu_s_per_gb: float
    cpu_s_per_gb_small: float
    process_mb: float
    download_mb: float
    job_cpu_s: float
    file_cpu_s: float

    def cpu_s_per_output_gb(self, small_share: float) -> float:
        """Of a mix: `small_share` of the bytes in entries of some 10 KB, the rest in larger ones."""
        return small_share * self.cpu_s_per_gb_small + (1 - small_share) * self.cpu_s_per_gb


def load_calibration(file: Path = FILE) -> Calibration:
    """The committed measurement. Many slow downloads (`many`) are what a worker of this system does."""
    measured = json.loads(file.read_text(encoding="utf-8"))
    worker, orchestrator = measured["worker"], measured["orchestrator"]
    many, one = worker["many"], worker["sparse"]
    return Calibration(
        date=measured["date"],
        machine=measured["machine"],
        cpu_s_per_gb=many["cpu_s_per_gb"],
        cpu_s_per_gb_small=worker["small"]["cpu_s_per_gb"],
        process_mb=one["peak_rss_mb"],
        download_mb=(many["peak_rss_mb"] - one["peak_rss_mb"]) / (many["downloads"] - one["downloads"]),
        job_cpu_s=orchestrator["cpu_s_per_job"],
        file_cpu_s=orchestrator["cpu_s_per_file"],
    )
