"""The queues' metrics that CloudWatch has and a moto server does not: how much waits, over time.

Beside the page it is written every few seconds into `queues.jsonl` in the platform's folder, each time a line
of embedded metric format; `ops.fleet.throughput` reads it as it would ask CloudWatch.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.fleet.environment import Fleet
from ops.fleet.queues import depths
from ops.fleet.throughput import QUEUES_FILE, WAITING

_EVERY_S = 5.0


@contextmanager
def queue_metrics(fleet: Fleet) -> Iterator[None]:
    """Write them for the duration of a `with` block."""
    assert fleet.log_folder is not None
    file, over = fleet.log_folder.parent / QUEUES_FILE, threading.Event()
    thread = threading.Thread(target=_write, args=(fleet, file, over), name="queue-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=_EVERY_S)


def _write(fleet: Fleet, file: Path, over: threading.Event) -> None:
    while not over.is_set():
        levels = {f"{WAITING}{queue.name}": queue.waiting for queue in depths(fleet)}
        directive = {
            "Namespace": "AWS/SQS",
            "Dimensions": [[]],
            "Metrics": [{"Name": name, "Unit": "Count"} for name in levels],
        }
        told = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"_aws": told, **levels}) + "\n")
        over.wait(_EVERY_S)
