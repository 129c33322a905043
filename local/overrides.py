"""Every environment variable that differs from the registered task definition, in one place.

They are what ECS calls container overrides. Anything else a task sees comes from its definition or from ECS.
"""

from collections.abc import Mapping
from pathlib import Path

MIB = 1 << 20

# Minutes in an account become seconds here, so that a lost worker's messages come back while somebody
# watches.
FAST_TIMINGS: Mapping[str, str] = {
    "VISIBILITY_TIMEOUT_S": "8",
    "HEARTBEAT_INTERVAL_S": "2",
    "POLL_WAIT_S": "1",
    "RETRY_BASE_S": "0.5",
    "RETRY_MAX_S": "2",
    "BREAKER_RESET_S": "2",
    "STOP_TIMEOUT_S": "10",
    "STOP_MARGIN_S": "2",
    "EXPORT_API_TIMEOUT_S": "10",
    "METRICS_INTERVAL_S": "1",
}

# With gigabytes passing through the one process that is AWS here, its SQS answers seconds late.
BULK_TIMINGS: Mapping[str, str] = {
    "VISIBILITY_TIMEOUT_S": "90",
    "HEARTBEAT_INTERVAL_S": "15",
    "EXPORT_API_TIMEOUT_S": "60",
}

# What a task would find in its own container: a share of this machine instead of 2 vCPU and 4 GB.
LOCAL_SHARE: Mapping[str, Mapping[str, str]] = {
    "orchestrator": {},
    "worker": {
        "SLOTS": "8",
        "MEMORY_BUDGET_BYTES": str(192 * MIB),
        "SCRATCH_BUDGET_BYTES": str(2_048 * MIB),
        # The sample API is neither HTTPS nor on a public address.
        "DOWNLOAD_ALLOW_HTTP": "true",
        "DOWNLOAD_ALLOW_PRIVATE_ADDRESSES": "true",
        "NOT_THE_ARCHIVE_MAX_WAIT_S": "3",
    },
}


def container_overrides(
    service: str, *, export_api: Mapping[str, str], health_port: int, scratch: Path, traces: Path | None
) -> dict[str, str]:
    """The overrides of one task of this service; `export_api` are the vendor's, `traces` gets the spans."""
    values = {
        **export_api,
        # Tasks share this machine's network; on Fargate each has its own.
        "HEALTH_PORT": str(health_port),
        **FAST_TIMINGS,
        **LOCAL_SHARE[service],
    }
    if traces is not None:
        values |= {"TRACING": "file", "TRACING_FILE": str(traces), "TRACING_SAMPLE_RATIO": "1"}
    if service == "worker":
        values["SCRATCH_DIR"] = str(scratch)
    return values
