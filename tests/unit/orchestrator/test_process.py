"""The orchestrator as a process: exit codes, health, a graceful and an immediate end, and SIGKILL in
mid-listing.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.shared.consumer import SourceQueue
from runtime.shared.contracts import task_id_for
from runtime.shared.ledger import JobLedger
from runtime.shared.ledger.table import LedgerTable
from tests.unit.conftest import REGION, Aws, until
from tests.unit.orchestrator.vendor import Vendor, record

ROOT = Path(__file__).parents[3]


@pytest.fixture
def serve() -> Iterator[Callable[[Vendor], str]]:
    servers: list[ThreadingHTTPServer] = []

    def start(vendor: Vendor) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = vendor(httpx.Request("GET", f"http://{self.headers['Host']}{self.path}"))
                self.send_response(answer.status_code)
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()


class Processes:
    def __init__(self, aws: Aws, folder: Path) -> None:
        self.aws = aws
        self.folder = folder
        self.jobs: SourceQueue = aws.queue(visibility_s=2)
        self.tasks = aws.queue()
        self.table = aws.table()
        self.secret = aws.secrets.create_secret(Name=folder.name, SecretString='{"token": "t"}')["ARN"]
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, api_url: str, **values: str) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "SERVICE_MODE": "orchestrator",
            "ENVIRONMENT": "dev",
            "LEDGER_TABLE_NAME": self.table,
            "DOWNLOAD_TASKS_QUEUE_URL": self.tasks.url,
            "EXPORT_JOBS_QUEUE_URL": self.jobs.url,
            "EXPORT_JOBS_DLQ_URL": self.jobs.dlq_url,
            "EXPORT_API_BASE_URL": api_url,
            "EXPORT_API_SECRET_ARN": self.secret,
            "HEALTH_PORT": "0",
            "VISIBILITY_TIMEOUT_S": "3",
            "HEARTBEAT_INTERVAL_S": "1",
            "RETRY_BASE_S": "0.1",
            **values,
        }
        log = (self.folder / f"{len(self.running)}.log").open("wb")
        command = [sys.executable, "-m", "runtime.orchestrator"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self.running.append(process)
        until(lambda: self.started(len(self.running) - 1), 60)
        return process

    def log(self, number: int) -> list[dict[str, Any]]:
        """Its complete lines so far; every one of them is JSON."""
        text = (self.folder / f"{number}.log").read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def started(self, number: int) -> int:
        """Its health port once it runs."""
        assert self.running[number].poll() is None, (self.folder / f"{number}.log").read_text()
        for line in self.log(number):
            if str(line.get("message", "")).startswith("Started"):
                return int(line["message"].rpartition(" ")[2])
        return 0


@pytest.fixture
def processes(aws: Aws, tmp_path: Path) -> Iterator[Processes]:
    made = Processes(aws, tmp_path)
    yield made
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.wait()


JOB = json.dumps({"export_job_ids": ["job"], "correlation_id": "c"})


def test_an_idle_process_is_healthy_and_ends_at_once(
    processes: Processes, serve: Callable[[Vendor], str]
) -> None:
    process = processes.start(serve(Vendor([[]])))
    with urllib.request.urlopen(f"http://127.0.0.1:{processes.started(0)}/livez", timeout=5) as answer:
        assert json.load(answer)["live"] is True
    stopped_at = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert time.monotonic() - stopped_at < 1
    assert "Stopped, nothing in hand" in [line.get("message") for line in processes.log(0)]
    assert any("CircuitState" in line for line in processes.log(0))


def test_a_job_goes_through_with_its_ids_on_every_line(
    aws: Aws, processes: Processes, serve: Callable[[Vendor], str]
) -> None:
    process = processes.start(serve(Vendor([[record("a")], [record("b")]])))
    aws.sqs.send_message(QueueUrl=processes.jobs.url, MessageBody=JOB)
    until(lambda: aws.depth(processes.jobs.url) == 0)
    assert aws.depth(processes.tasks.url) == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    (line,) = [line for line in processes.log(0) if line.get("message") == "Listed 2 tasks"]
    assert (line["service"], line["correlation_id"], line["export_job_id"]) == ("orchestrator", "c", "job")
    assert line["message_id"]


def test_a_second_sigterm_does_not_wait(
    aws: Aws, processes: Processes, serve: Callable[[Vendor], str]
) -> None:
    asked, release = threading.Event(), threading.Event()

    def hang(_request: httpx.Request) -> None:
        asked.set()
        release.wait(30)

    process = processes.start(serve(Vendor([[]], override=hang)))
    aws.sqs.send_message(QueueUrl=processes.jobs.url, MessageBody=JOB)
    assert asked.wait(15)
    process.send_signal(signal.SIGTERM)
    until(lambda: any(str(line.get("message")).startswith("Stopping") for line in processes.log(0)))
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == 128 + signal.SIGTERM
    release.set()


def test_kill_in_mid_listing_loses_nothing_and_counts_nothing_twice(
    aws: Aws, processes: Processes, serve: Callable[[Vendor], str]
) -> None:
    pages = [[record(f"f{page}-{number}") for number in range(3)] for page in range(4)]
    third, release = threading.Event(), threading.Event()

    def hang_at_third(request: httpx.Request) -> None:
        if request.url.params.get("cursor") == "2" and not third.is_set():
            third.set()
            release.wait(30)

    url = serve(Vendor(pages, override=hang_at_third))
    first = processes.start(url)
    aws.sqs.send_message(QueueUrl=processes.jobs.url, MessageBody=JOB)
    assert third.wait(15)
    first.kill()
    first.wait()
    release.set()
    processes.start(url)
    until(lambda: aws.depth(processes.jobs.url) == 0, 30)
    ledger = JobLedger(LedgerTable(aws.dynamodb, processes.table, retention_days=30))
    state = ledger.job_state("job")
    assert (state.tasks_total, state.listing_complete) == (12, True)
    sent = {json.loads(message["Body"])["task_id"] for message in aws.drain(processes.tasks.url)}
    assert sent == {task_id_for("job", item["file_id"]) for items in pages for item in items}


def test_a_process_without_its_settings_ends_with_2_before_any_call() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "runtime.orchestrator"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 2
    assert b"EXPORT_JOBS_QUEUE_URL is not set" in ended.stderr
