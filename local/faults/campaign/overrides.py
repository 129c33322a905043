"""How the services are set in a campaign, beside what differs on this machine anyway (`local.overrides`)."""

from pathlib import Path

MIB = 1 << 20
# As in production. What is received once more is parked as a crash loop.
MAX_RECEIVE_COUNT = 5
# What boto3 adds to its User-Agent, so that the proxy knows who calls.
NAME_VARIABLE = "AWS_SDK_UA_APP_ID"
_TIMINGS = {
    "HANDOVER_AFTER_S": "9",
    "EXPORT_API_TIMEOUT_S": "5",
    "STALL_WINDOW_S": "4",
    "LIVENESS_LIMIT_S": "15",
    "STALL_LIMIT_S": "60",
    "STOP_TIMEOUT_S": "8",
    "STOP_MARGIN_S": "3",
    "MAX_RECEIVE_COUNT": str(MAX_RECEIVE_COUNT),
}
_WORKER = {
    "SPLIT_BYTES": str(6 * MIB),
    "MEMORY_BUDGET_BYTES": str(64 * MIB),
    "SCRATCH_BUDGET_BYTES": str(40 * MIB),
    # Longer than several wrong answers in a row; what is no archive for good is given up after it.
    "NOT_THE_ARCHIVE_MAX_WAIT_S": "6",
}


def campaign_overrides(service: str, name: str, disk: Path | None) -> dict[str, str]:
    """The variables of one task; a worker gets a room of its own on the disk that can be filled."""
    values = {**_TIMINGS, NAME_VARIABLE: name}
    if service == "worker":
        values |= _WORKER
        if disk is not None:
            room = disk / name
            room.mkdir()
            values["SCRATCH_DIR"] = str(room)
    return values
