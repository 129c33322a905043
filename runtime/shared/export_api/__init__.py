"""The vendor's Export API as both services need it: authenticated, retried, guarded by a circuit breaker.

`profile.py` says how a vendor speaks; `client.py` is the door, `records.py` and `pagination.py` read what
comes through it, `body.py` and `transport.py` bound it; `auth.py` and `oauth.py` keep the credentials,
`circuit.py` the breaker, `errors.py` what can go wrong.
"""

from runtime.shared.export_api.client import ExportApi, Page
from runtime.shared.export_api.errors import (
    ApiError,
    CircuitOpen,
    Gone,
    InvalidAnswer,
    NotFound,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
)
from runtime.shared.export_api.profile import JobStatus, VendorProfile
from runtime.shared.export_api.records import FileRecord

__all__ = [
    "ApiError",
    "CircuitOpen",
    "ExportApi",
    "FileRecord",
    "Gone",
    "InvalidAnswer",
    "JobStatus",
    "NotFound",
    "Page",
    "RateLimited",
    "Refused",
    "Unauthorised",
    "Unavailable",
    "VendorProfile",
]
