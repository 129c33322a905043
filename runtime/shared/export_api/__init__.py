"""The vendor's Export API as both services need it: authenticated, retried, guarded by a circuit breaker.

`client.py` is the door; `auth.py` keeps the credentials, `circuit.py` the breaker, `errors.py` what can go
wrong.
"""

from runtime.shared.export_api.client import ExportApi, FileRecord, JobStatus
from runtime.shared.export_api.errors import (
    ApiError,
    CircuitOpen,
    InvalidAnswer,
    NotFound,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
)

__all__ = [
    "ApiError",
    "CircuitOpen",
    "ExportApi",
    "FileRecord",
    "InvalidAnswer",
    "JobStatus",
    "NotFound",
    "RateLimited",
    "Refused",
    "Unauthorised",
    "Unavailable",
]
