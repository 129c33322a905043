"""Where every job, task and part stands, on one DynamoDB table; every write is conditional and fenced.

`types.py` holds the words, `jobs.py` what the orchestrator does, `tasks.py` and `parts.py` what the worker
does.
"""

from runtime.shared.ledger.jobs import JobLedger
from runtime.shared.ledger.parts import Ledger
from runtime.shared.ledger.types import (
    AlreadyFinished,
    Busy,
    Claim,
    JobClaim,
    JobState,
    LeaseLost,
    ListingState,
    PartsState,
    Split,
    Superseded,
    WorkUnit,
)

__all__ = [
    "AlreadyFinished",
    "Busy",
    "Claim",
    "JobClaim",
    "JobLedger",
    "JobState",
    "LeaseLost",
    "Ledger",
    "ListingState",
    "PartsState",
    "Split",
    "Superseded",
    "WorkUnit",
]
