"""`python -m benchmarks.page_at_scale [JOBS]`: seconds until each view of the page is answered at first.

A local AWS server holds the ledger. Its queries take longer the larger the table is, which DynamoDB's do not:
what is measured is that no view waits for it.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from local import processes
from ops.fleet.documents import STATES
from ops.page.serve import PageServer
from tests.unit.ops.site import Site

_REGION = "eu-west-1"
_VIEWS = ("", "jobs", "jobs?state=failed", "jobs?find=0004", "job?id=job-000042", "dlq", "throughput")
_BATCH = 25


def main() -> None:
    """Fill a ledger, then ask for every view once, as a browser that has never been there."""
    jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as folder, Path(folder, "aws.log").open("wb") as log:
        server = processes.spawn(
            [sys.executable, "-m", "local.aws"], env=dict(os.environ), stdout=subprocess.PIPE, stderr=log
        )
        try:
            port = processes.first_line_as_json(server, "the local AWS", Path(folder, "aws.log"))["port"]
            session = boto3.Session("test", "test", region_name=_REGION)
            site = Site.create(session, f"http://localhost:{port}", Path(folder))
            _fill(site, jobs)
            with PageServer(site.fleet) as page:
                for view in _VIEWS:
                    began = time.monotonic()
                    urllib.request.urlopen(page.url + view, timeout=60).read()
                    print(f"{time.monotonic() - began:6.3f} s  /{view}", flush=True)
        finally:
            processes.stop(server, 2)


def _fill(site: Site, jobs: int) -> None:
    table, dynamodb = site.fleet.output("LedgerTableName"), site.fleet.client("dynamodb")

    def write(start: int) -> None:
        batch = [{"PutRequest": {"Item": _job(n)}} for n in range(start, min(start + _BATCH, jobs))]
        dynamodb.batch_write_item(RequestItems={table: batch})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, jobs, _BATCH)))


def _job(number: int) -> dict[str, Any]:
    state = STATES[number % len(STATES)]
    return {
        "export_job_id": {"S": f"job-{number:06}"},
        "item": {"S": "JOB"},
        "status": {"S": state},
        "job_status": {"S": state},
        "status_since": {"N": f"{time.time() - number % 86_400:.3f}"},
    }


if __name__ == "__main__":
    main()
