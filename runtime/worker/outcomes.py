"""The outcome that an error on an archive's way asks for its message: wait, try again, or park."""

import sqlite3

from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.circuits import CircuitOpen
from runtime.shared.consumer import Outcome, Park, Retry, Yield
from runtime.shared.contracts import ParkReason
from runtime.shared.events import EventNotSent
from runtime.shared.export_api import ApiError, NotFound
from runtime.shared.ledger import Busy
from runtime.shared.sending import NotSent
from runtime.worker.archive import ArchiveRejected
from runtime.worker.fetch.errors import DownloadFailed, NoScratchSpace, NotTheArchive
from runtime.worker.fetch.guard import ForbiddenDownload


def outcome_of(error: Exception) -> Outcome | None:
    """The outcome that an error asks for; None for one that nobody foresaw."""
    match error:
        case ArchiveRejected():
            return Park(error.reason, error.text)
        case ForbiddenDownload():
            return Park(ParkReason.DOWNLOAD_FORBIDDEN, str(error))
        case NotFound():
            return Park(ParkReason.UNKNOWN_FILE, str(error))
        case Busy():
            return Yield("busy", delay_s=error.retry_after_s)
        case CircuitOpen():
            return Retry(reason="circuit-open", error=str(error), at_least_s=error.retry_after_s)
        case ApiError():
            return Retry(reason="export-api-error", error=str(error), at_least_s=error.retry_after_s)
        case DownloadFailed():
            return Retry(reason="download-failed", error=str(error), at_least_s=error.retry_after_s)
        case NotTheArchive():
            return Retry(
                reason="not-the-archive",
                error=str(error),
                exhausted=error.reason,
                exhausted_after_s=error.within_s,
            )
        case NoScratchSpace():
            return Retry(reason="no-scratch-space", error=str(error))
        case AwsError() | AwsUnreachable() | ClientError() | BotoCoreError() | NotSent() | EventNotSent():
            return Retry(reason="aws-error", error=str(error))
        case OSError() | sqlite3.Error():
            return Retry(reason="system-error", error=str(error))
    return None
