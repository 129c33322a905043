"""The consumer, and the ledger with the modules it names, work in a package of another name."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.unit.conftest import REGION, Aws

SHARED = Path(__file__).parents[4] / "runtime" / "shared"

ROUND_TRIP = """
import sys
import threading
import boto3
from elsewhere.consumer import Consumer, ConsumerOptions, Done, SourceQueue

url, queue, dlq = sys.argv[1:4]
sqs = boto3.client("sqs", endpoint_url=url)
sqs.send_message(QueueUrl=queue, MessageBody="round trip")
seen = threading.Event()

def handle(delivery):
    assert delivery.body == "round trip"
    seen.set()
    return Done()

options = ConsumerOptions(service="s", slots=1, poll_wait_s=1)
consumer = Consumer([SourceQueue(queue, dlq)], handle, options, sqs=sqs, polling=sqs)
consumer.start()
assert seen.wait(20)
assert consumer.stop(10)
"""

LEDGER_TOO = """
from elsewhere.ledger import Ledger, WorkUnit
from elsewhere.ledger.table import LedgerTable

ledger = Ledger(LedgerTable(boto3.client("dynamodb", endpoint_url=url), sys.argv[4], retention_days=1))
claim = ledger.claim(WorkUnit(export_job_id="job", task_id="t", file_id="f"), owner="o", lease_s=60)
ledger.complete(claim, {})
"""


def test_the_copies_do_a_round_trip_without_the_rest(aws: Aws, tmp_path: Path) -> None:
    for program, parts in ((ROUND_TRIP, ["consumer"]), (ROUND_TRIP + LEDGER_TOO, ["ledger", "backoff.py"])):
        # Of its own: the poll that the program before has abandoned may still take a message.
        queue = aws.queue()
        package = tmp_path / "elsewhere"
        for part in parts:
            source = SHARED / part
            if source.is_dir():
                shutil.copytree(source, package / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, package)
        (package / "__init__.py").touch()
        finished = subprocess.run(
            [sys.executable, "-c", program, aws.url, queue.url, queue.dlq_url, aws.table()],
            cwd=tmp_path,
            env={
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": REGION,
                "PYTHONWARNINGS": "error",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        assert aws.depth(queue.url) == 0
