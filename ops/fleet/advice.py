"""The meaning and owner of each reason by which the services park, reject, miss or try again."""

import re

from runtime.shared.contracts import EntryOutcome, MissingReason, ParkReason

CRASHED = "no reason"
"""How a message without a reason is listed: SQS moved it after its last receive."""

_VENDOR = "the vendor's to mend; then"
PARKED: dict[str, str] = {
    ParkReason.MALFORMED_MESSAGE: "the producer sent what is not the contract: have it mended, then drop it",
    ParkReason.UNSUPPORTED_SCHEMA_VERSION: "written by a newer version: deploy the worker, then redrive",
    ParkReason.UNKNOWN_JOB: "the vendor knows no such export: a wrong id of the producer's; then drop it",
    ParkReason.UNKNOWN_FILE: "the vendor no longer has the file: retry the job to list it afresh",
    ParkReason.EXPORT_FAILED: f"the export failed at the vendor's: {_VENDOR} retry the job",
    ParkReason.EXPORT_EXPIRED: "the vendor has deleted the export: have it made again, then retry the job",
    ParkReason.EXPORT_NOT_READY: "the vendor never finished the export: ask there, then retry the job",
    ParkReason.LISTING_LOOP: f"the vendor's listing goes in circles: {_VENDOR} retry the job",
    ParkReason.LISTING_TOO_LONG: "more pages than EXPORT_API_MAX_PAGES allows: raise it, or ask the vendor",
    ParkReason.DOWNLOAD_FORBIDDEN: "its URL leads to a host or address that is not allowed: "
    "add it to DOWNLOAD_ALLOWED_HOSTS, then redrive",
    ParkReason.NOT_A_ZIP: f"what the vendor serves is no ZIP: {_VENDOR} redrive",
    ParkReason.TRUNCATED_ARCHIVE: f"the archive is cut off: {_VENDOR} redrive",
    ParkReason.INVALID_ARCHIVE: f"the archive contradicts itself: {_VENDOR} redrive",
    ParkReason.MULTI_DISK_ARCHIVE: f"the archive is one disk of several: {_VENDOR} redrive",
    ParkReason.ENCRYPTED_ARCHIVE: f"the archive is encrypted: {_VENDOR} redrive",
    ParkReason.ARCHIVE_LIMIT_EXCEEDED: "beyond a limit (MAX_ENTRIES, MAX_ENTRY_BYTES, …): raise it if the "
    "archive is right, then redrive",
    ParkReason.RETRIES_EXHAUSTED: "an outage outlasted longest_outage_hours: is it over? then redrive",
    ParkReason.CRASH_LOOP: "its process ended each time (memory?): see `export-ops why`, mend, then redrive",
    CRASHED: "SQS moved it after a crash at each receive: look at the logs, mend, then redrive",
}
MISSING: dict[str, str] = {
    MissingReason.NOT_IN_ANY_ARCHIVE: "the vendor's export lacks it, or the metadata expects too much",
    MissingReason.METADATA_CHANGED: "its metadata changed after it had been fetched: retry the job",
    EntryOutcome.NO_METADATA: "nobody expected it then; if its metadata came later: retry the job",
    EntryOutcome.CHECKSUM_MISMATCH: "archive and metadata disagree: the vendor and the metadata's owners",
    EntryOutcome.SIZE_MISMATCH: "archive and metadata disagree: the vendor and the metadata's owners",
    EntryOutcome.CORRUPT_DATA: "the archive is broken, and was when fetched again: the vendor",
    EntryOutcome.INVALID_METADATA: "its metadata item is not usable: the metadata's owners",
    EntryOutcome.DESTINATION_NOT_ALLOWED: "its destination_key is outside DESTINATION_PREFIXES",
}
_BY_ITSELF = "it is tried again by itself"
_AWS = "aws-error"
# A download's, the worker's calls of the API, and the orchestrator's by the name of the error.
_VENDORS = (
    "download-failed|export-api-error|refused|unauthorised|no-credentials|invalid-answer|"
    "unavailable|rate-limited"
)
FAILING: tuple[tuple[str, str, str], ...] = (
    (
        _AWS,
        r"AccessDenied|Forbidden|\b403\b|not authorized",
        f"the service's role, or the policy of the bucket, key or table, forbids it: mend that; {_BY_ITSELF}",
    ),
    (
        _AWS,
        r"Throttl|ProvisionedThroughput|SlowDown|RequestLimit|TooManyRequests",
        f"AWS throttles us: look at the table's or bucket's limits; {_BY_ITSELF}",
    ),
    (
        _AWS,
        r"ResourceNotFound|NoSuchBucket|NonExistentQueue|NotFoundException",
        "what the settings name is not there: deploy it, or correct the name",
    ),
    (_AWS, "", f"AWS did not answer as it should: look at its health page; {_BY_ITSELF}"),
    (
        _VENDORS,
        r"\b40[13]\b",
        "the vendor refuses our credentials or the URL: correct the secret, or ask the vendor",
    ),
    (
        _VENDORS,
        r"\b429\b|Too Many Requests",
        f"the vendor asks for fewer calls: lower its limits in the settings, or pause it; {_BY_ITSELF}",
    ),
    (_VENDORS, "", f"the vendor's server, or the way to it; {_BY_ITSELF}"),
    ("circuit-open", "", "it waits for a circuit: export-ops circuits"),
    (
        "not-the-archive",
        "",
        f"what came is no ZIP, perhaps an error page: the vendor; {_BY_ITSELF} for a while",
    ),
    ("no-scratch-space", "", "the scratch disk is full of other archives: a larger disk, or fewer SLOTS"),
)
"""For a reason and an error, both as patterns, what to do; the first that fits counts."""
_BROKEN = "the archive's entry cannot be taken as it is: the vendor"


def of_parking(reason: str) -> str:
    """The advice for a message that was parked for this."""
    return PARKED.get(reason or CRASHED, f"parked as {reason}: see docs/runbook.md")


def of_missing(reason: str) -> str:
    """Whose a missing or rejected file is."""
    return MISSING.get(reason, _BROKEN)


def of_failing(reason: str, error: str) -> str:
    """The advice for a failure that is tried again; "" where there is nothing better to say."""
    for reasons, errors, told in FAILING:
        if re.fullmatch(reasons, reason) and re.search(errors, error):
            return told
    return ""
