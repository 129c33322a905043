"""How far a run is, from the outside: the ledger's jobs, the queues, and the metrics in the tasks' logs."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.platform import Platform

_FINISHED = ("completed", "incomplete", "failed")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job as the ledger has it."""

    job_id: str
    status: str
    announced: bool
    tasks: int
    done: int
    parked: int

    @property
    def finished(self) -> bool:
        return self.status in _FINISHED and self.announced


@dataclass(frozen=True)
class Snapshot:
    """One look at everything."""

    jobs: tuple[Job, ...]
    depths: dict[str, tuple[int, int]]
    metrics: Counter[str] = field(default_factory=Counter)

    @property
    def tasks_finished(self) -> int:
        return sum(job.done + job.parked for job in self.jobs)

    @property
    def finished(self) -> bool:
        """Every job is finished and said so."""
        return all(job.finished for job in self.jobs)


class Watcher:
    """Takes snapshots of a platform's run over these jobs."""

    def __init__(self, platform: Platform, job_ids: list[str]) -> None:
        self._platform = platform
        self._job_ids = job_ids
        self._read_to: Counter[Path] = Counter()
        self._metrics: Counter[str] = Counter()

    def look(self) -> Snapshot:
        for log in (self._platform.directory / "logs").glob("*.jsonl"):
            self._read(log)
        jobs = tuple(self._job(job_id) for job_id in self._job_ids)
        return Snapshot(jobs, self._platform.depths(), Counter(self._metrics))

    def _job(self, job_id: str) -> Job:
        item = self._platform.ledger_job(job_id)
        return Job(
            job_id=job_id,
            status=str(item.get("status", "waiting")),
            announced=bool(item.get("announced")),
            tasks=int(item.get("tasks_total", 0)),
            done=int(item.get("tasks_done", 0)),
            parked=int(item.get("tasks_parked", 0)),
        )

    def _read(self, log: Path) -> None:
        with log.open("rb") as file:
            file.seek(self._read_to[log])
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read_to[log] += len(line)
                if b'"_aws"' in line:
                    self._count(json.loads(line))

    def _count(self, metrics: dict[str, Any]) -> None:
        for directive in metrics["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                if metric["Unit"] in ("Count", "Bytes"):
                    value = metrics[metric["Name"]]
                    self._metrics[metric["Name"]] += sum(value) if isinstance(value, list) else value
