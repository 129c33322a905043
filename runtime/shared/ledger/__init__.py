"""Where every job, task and part stands, on one DynamoDB table; every write is conditional and fenced.

`types.py` holds the words, `jobs.py` what the orchestrator does, `tasks.py`, `parts.py` and `checkpoints.py`
what the worker does, `counts.py` how a job comes to its end, `messages.py` what both remember of a message.
"""

from .jobs import JobLedger
from .messages import MessageLedger, Place, place_of_body, place_of_job
from .parts import Ledger
from .types import (
    AlreadyFinished,
    Busy,
    Claim,
    CountClaim,
    Duplicate,
    JobClaim,
    JobCount,
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
    "CountClaim",
    "Duplicate",
    "JobClaim",
    "JobCount",
    "JobLedger",
    "JobState",
    "LeaseLost",
    "Ledger",
    "ListingState",
    "MessageLedger",
    "PartsState",
    "Place",
    "Split",
    "Superseded",
    "WorkUnit",
    "place_of_body",
    "place_of_job",
]
