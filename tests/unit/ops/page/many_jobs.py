"""A ledger of many jobs behind DynamoDB's protocol: pages of 1 MB, an index in order, a wait for each call.

moto goes through every item at each query; with a hundred thousand that would measure moto. What is asked is
noted, and how many items each call read. It is a process of its own, as DynamoDB is.
"""

import json
import subprocess
import sys
import time
import urllib.request
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from ops.fleet.documents import STATES

LATENCY_S = 0.01
_PAGE_BYTES = 1_000_000
# Of an index entry: its keys, and 100 bytes that DynamoDB counts on top.
_ENTRY_BYTES = 200


class Asked(NamedTuple):
    operation: str
    read: int


class ManyJobs(ThreadingHTTPServer):
    """Job `n` changed its state `n` seconds ago; the states take turns."""

    daemon_threads = True

    def __init__(self, jobs: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        now = time.time()
        self.asked: list[Asked] = []
        self._jobs: dict[str, tuple[str, float]] = {}
        # By state, the earliest first, as an index has them.
        self._index: dict[str, list[tuple[float, str]]] = {state: [] for state in STATES}
        for number in range(jobs - 1, -1, -1):
            job, state, since = f"job-{number:06}", STATES[number % len(STATES)], round(now - number, 3)
            self._index[state].append((since, job))
            self._jobs[job] = (state, since)

    def answer(self, operation: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        time.sleep(LATENCY_S)
        if operation == "Query" and "IndexName" in body:
            answer, read = self._from_index(body)
        elif operation == "Query":
            named = [value.get("S") for value in body["ExpressionAttributeValues"].values()]
            items = [self._item(job) for job in named if job in self._jobs]
            answer, read = {"Items": items}, len(items)
        elif operation == "GetItem":
            job = body["Key"]["export_job_id"]["S"]
            answer, read = {"Item": self._item(job)} if job in self._jobs else {}, 1
        elif operation == "BatchGetItem":
            ((table, asked),) = body["RequestItems"].items()
            items = [self._item(key["export_job_id"]["S"]) for key in asked["Keys"]]
            answer, read = {"Responses": {table: items}}, len(items)
        else:
            self.asked.append(Asked(operation, len(self._jobs)))
            return 400, {"__type": "ValidationException", "message": f"nobody should {operation} this table"}
        self.asked.append(Asked(operation, read))
        return 200, answer

    def _item(self, job: str) -> dict[str, Any]:
        state, since = self._jobs[job]
        error = {"reason": {"S": "not-a-zip"}, "error": {"S": f"{job}: <!DOCTYPE"}}
        numbers = {"status_since": since, "created_at": since - 60, "tasks_total": 3, "tasks_done": 1}
        return {
            "export_job_id": {"S": job},
            "item": {"S": "JOB"},
            "status": {"S": state},
            "job_status": {"S": state},
            **{name: {"N": str(value)} for name, value in numbers.items()},
            **(error if state == "failed" else {}),
        }

    def _from_index(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        values = body["ExpressionAttributeValues"]
        entries = self._index[values[":state"]["S"]]
        first = bisect_left(entries, (float(values[":since"]["N"]), ""))
        start = body.get("ExclusiveStartKey")
        last = len(entries)
        if start:
            last = bisect_left(entries, (float(start["status_since"]["N"]), start["export_job_id"]["S"]))
        least = max(first, last - min(body.get("Limit", last), _PAGE_BYTES // _ENTRY_BYTES))
        found = [
            {"export_job_id": {"S": job}, "status_since": {"N": f"{since:.3f}"}}
            for since, job in reversed(entries[least:last])
        ]
        more = {"LastEvaluatedKey": found[-1]} if least > first and found else {}
        items = {} if body.get("Select") == "COUNT" else {"Items": found}
        return {"Count": len(found), **items, **more}, len(found)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ManyJobs

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answer(self.headers["X-Amz-Target"].rpartition(".")[2], body)
        self._say(status, answer)

    def _say(self, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        """What was asked since the last time."""
        asked, self.server.asked = self.server.asked, []
        self._say(200, asked)

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


@dataclass(frozen=True)
class Served:
    url: str

    def asked(self) -> list[Asked]:
        """Since the last time."""
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            return [Asked(*one) for one in json.load(answer)]


@contextmanager
def many_jobs(jobs: int) -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.unit.ops.page.many_jobs", str(jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Served(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


if __name__ == "__main__":
    with ManyJobs(int(sys.argv[1])) as served:
        print(served.server_port, flush=True)
        served.serve_forever()
