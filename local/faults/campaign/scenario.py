"""The events of a campaign, as plain values: `planning` makes them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Literal

CRASH_LOOP = "crash-loop"

Service = Literal["orchestrator", "worker"]


class TroubleKind(StrEnum):
    """The troubles that can befall a process, its machine, or everything at once."""

    KILL = "sigkill"
    TERMINATE = "sigterm"
    TERMINATE_TWICE = "sigterm-twice"
    FREEZE = "sigstop"  # longer than the visibility timeout, then SIGCONT
    FILL_DISK = "disk-full"
    SQUEEZE_MEMORY = "memory-squeezed"  # the process may hardly take more for a while
    SHRINK_MEMORY = "memory-small"  # killed as if out of memory; its successor has a small budget
    BREAK_AGENT = "agent-broken"
    ROTATE_TOKEN = "token-rotated"
    API_DOWN = "api-down"
    ONE_DOWN = "one-down"  # one dependency, for longer than a slot, a retry or a circuit waits
    STORM = "storm"  # one AWS service breaks many times as often


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One thing that goes wrong at `at_s` for `for_s`; `pick` chooses among what runs then.

    `of` is an AWS service in a storm, `dependency/how` where one is down.
    """

    at_s: float
    kind: TroubleKind
    service: Service
    pick: int
    for_s: float
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class File:
    """One archive. `ending` is `done` or the reason it will be parked for.

    At first it may lack its last entries or its end (`at_first`); it is as it should be when its job is sent
    again. More than one of `nodes` gives validators of its own for the same bytes.
    """

    file_id: str
    entries: int
    bulk_bytes: int
    ranges: bool
    ending: str = "done"
    at_first: Literal["", "short", "cut"] = ""
    nodes: int = 1


@dataclass(frozen=True, kw_only=True)
class Job:
    """One export. `status` is what the API says of it; `unknown` is one that the API has never heard of.

    `surplus` files are expected by the metadata and in no archive. Whoever works on a message of a job that
    `crashes` is killed.
    """

    job_id: str
    status: str
    files: tuple[File, ...]
    surplus: int = 0
    crashes: bool = False

    @property
    def heals(self) -> bool:
        """It ends badly at first and well when it is sent again."""
        return any(file.at_first for file in self.files)

    @property
    def reason(self) -> str | None:
        """Why the job as a whole is parked, if it is."""
        if self.crashes:
            return CRASH_LOOP
        return {"failed": "export-failed", "expired": "export-expired", "unknown": "unknown-job"}.get(
            self.status
        )


@dataclass(frozen=True, kw_only=True)
class Send:
    """One message for `export-jobs`; without jobs it is malformed.

    `refused` are values among its ids that are none; `attributes` are a producer's own.
    """

    at_s: float
    body: str
    jobs: tuple[str, ...]
    refused: tuple[str, ...] = ()
    attributes: int = 0


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that is decided beforehand. Times count from the moment the services run."""

    seed: int
    seconds: float
    faults_s: float
    jobs: tuple[Job, ...]
    sends: tuple[Send, ...]
    troubles: tuple[Trouble, ...]
    aws_rates: Mapping[str, float]
    api_rates: Mapping[str, float]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @property
    def fingerprint(self) -> str:
        """The same for the same plan, to compare at a glance."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:12]
