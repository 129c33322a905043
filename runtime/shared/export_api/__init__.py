"""The vendor's Export API as both services need it: authenticated, retried, guarded by circuits.

`profile.py` says how a vendor speaks; `client.py` is the door, `records.py` and `pagination.py` read what
comes through it, `body.py` and `transport.py` bound it; `auth.py` and `oauth.py` keep the credentials,
`errors.py` says what can go wrong.
"""

from runtime.shared.export_api.client import ExportApi, Page
from runtime.shared.export_api.errors import (
    ApiError,
    Gone,
    InvalidAnswer,
    NoCredentials,
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
    "ExportApi",
    "FileRecord",
    "Gone",
    "InvalidAnswer",
    "JobStatus",
    "NoCredentials",
    "NotFound",
    "Page",
    "RateLimited",
    "Refused",
    "Unauthorised",
    "Unavailable",
    "VendorProfile",
]
