"""SQS, DynamoDB, EventBridge and Secrets Manager for the orchestrator, as cheaply as Python can answer.

A thread for each connection and the state that the answers need: messages in order, the items of jobs as
their updates leave them, and which tasks were sent. Conditions always hold, because one process at a time is
measured, and items of tasks are only counted.

Control: `POST /-/feed` with `{"bodies"}` puts messages on the queue of jobs, `GET /-/report` says what came
of them, `POST /-/reset` forgets everything. Prints the port it listens on.
"""

import itertools
import json
import re
import socketserver
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from typing import Any

JOBS_QUEUE, TASKS_QUEUE = "jobs", "tasks"
_TASK_ID = re.compile(r'"task_id":"([0-9a-f]{32})"')
_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE) ")
_TERMS = re.compile(r", ?(?![^(]*\))")
_SECRET = json.dumps({"token": "sample-token"})

Item = dict[str, dict[str, Any]]


class State:
    """What the services know, under one lock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self.reset()

    def reset(self) -> dict[str, Any]:
        with self._changed:
            self._waiting: deque[str] = deque()
            self._jobs: dict[str, Item] = {}
            self._task_items = 0
            self._tasks: set[str] = set()
            self._sent: Counter[str] = Counter()
            self._deleted = 0
            self._claimed_at: list[float] = []
            self._forwarded_at = 0.0
            self._calls: Counter[str] = Counter()
        return {}

    def feed(self, bodies: list[str]) -> dict[str, Any]:
        with self._changed:
            self._waiting += bodies
            self._changed.notify_all()
        return {"at": time.monotonic()}

    def report(self) -> dict[str, Any]:
        """Moments are on the machine's monotonic clock."""
        with self._changed:
            listed = [item for item in self._jobs.values() if "listing_complete" in item]
            return {
                "deleted": self._deleted,
                "sent": self._sent[TASKS_QUEUE],
                "distinct_tasks": len(self._tasks),
                "task_items": self._task_items,
                "jobs_listed": len(listed),
                "tasks_counted": sum(int(item["tasks_total"]["N"]) for item in listed),
                "forwarded": self._sent[JOBS_QUEUE],
                "forwarded_at": self._forwarded_at,
                "claimed_at": self._claimed_at,
                "calls": dict(self._calls),
            }

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The service's answer to one call of the JSON protocol."""
        with self._changed:
            self._calls[operation] += 1
        name = f"_{re.sub(r'(?<!^)(?=[A-Z])', '_', operation).lower()}"
        answer: dict[str, Any] = getattr(self, name)(asked)
        return answer

    # --- SQS ---------------------------------------------------------------------------------------------

    def _receive_message(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, asked["WaitTimeSeconds"])
            most = min(asked["MaxNumberOfMessages"], len(self._waiting))
            bodies = [self._waiting.popleft() for _ in range(most)]
        return {"Messages": [self._message(body) for body in bodies]} if bodies else {}

    def _message(self, body: str) -> dict[str, Any]:
        number = next(self._numbers)
        return {
            "MessageId": f"{number:08x}-0000-4000-8000-000000000000",
            "ReceiptHandle": f"receipt-{number}" + 180 * "x",
            "MD5OfBody": 32 * "0",
            "Body": body,
            "Attributes": {
                "SenderId": "AIDAEXAMPLE",
                "ApproximateReceiveCount": "1",
                "SentTimestamp": str(int(time.time() * 1000)),
                "ApproximateFirstReceiveTimestamp": str(int(time.time() * 1000)),
            },
        }

    def _send_message_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        queue, entries = asked["QueueUrl"].rpartition("/")[2], asked["Entries"]
        with self._changed:
            self._sent[queue] += len(entries)
            if queue == JOBS_QUEUE:
                self._waiting += [entry["MessageBody"] for entry in entries]
                self._forwarded_at = time.monotonic()
                self._changed.notify_all()
            else:
                self._tasks.update(*(_TASK_ID.findall(entry["MessageBody"]) for entry in entries))
        return {
            "Successful": [
                {"Id": entry["Id"], "MessageId": f"{entry['Id']:>036}", "MD5OfMessageBody": 32 * "0"}
                for entry in entries
            ]
        }

    def _delete_message_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        with self._changed:
            self._deleted += len(asked["Entries"])
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]]}

    def _change_message_visibility_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]]}

    # --- DynamoDB ----------------------------------------------------------------------------------------

    def _update_item(self, asked: dict[str, Any]) -> dict[str, Any]:
        item = self._apply(asked)
        return {"Attributes": item} if asked.get("ReturnValues") == "ALL_NEW" else {}

    def _transact_write_items(self, asked: dict[str, Any]) -> dict[str, Any]:
        for operation in asked["TransactItems"]:
            ((_, change),) = operation.items()
            if change["Key"]["item"]["S"].startswith("TASK#"):
                with self._changed:
                    self._task_items += 1
            else:
                self._apply(change)
        return {}

    def _get_item(self, asked: dict[str, Any]) -> dict[str, Any]:
        item = self._jobs.get(asked["Key"]["export_job_id"]["S"])
        return {"Item": item} if item else {}

    def _apply(self, change: dict[str, Any]) -> Item:
        """The item as the update expression leaves it."""
        job = change["Key"]["export_job_id"]["S"]
        values = change.get("ExpressionAttributeValues", {})
        with self._changed:
            before = self._jobs.get(job)
            item = dict(before or change["Key"])
            parts = _CLAUSE.split(change["UpdateExpression"])[1:]
            for clause, text in zip(parts[::2], parts[1::2], strict=True):
                for term in _TERMS.split(text.strip()):
                    _apply_term(item, clause, term, change["ExpressionAttributeNames"], values)
            if before is None:
                self._claimed_at.append(time.monotonic())
            self._jobs[job] = item
        return item

    # --- the others --------------------------------------------------------------------------------------

    def _put_events(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in asked["Entries"]]}

    def _get_secret_value(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"ARN": asked["SecretId"], "Name": "token", "VersionId": "1", "SecretString": _SECRET}


def _apply_term(item: Item, clause: str, term: str, names: dict[str, str], values: dict[str, Any]) -> None:
    """`#a = :b`, `#a = if_not_exists(#a, :b)`, `#a :b` (ADD) or `#a` (REMOVE)."""
    name = names[term.split(maxsplit=1)[0]]
    if clause == "REMOVE":
        item.pop(name, None)
        return
    value = values[term.rstrip(")").split()[-1]]
    if clause == "ADD":
        item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(value["N"]))}
    elif "if_not_exists" not in term or name not in item:
        item[name] = value


class _Connection(socketserver.StreamRequestHandler):
    """Requests of one kept connection, one after the other."""

    disable_nagle_algorithm = True
    state: State

    def handle(self) -> None:
        with suppress(ConnectionError):
            self._converse()

    def _converse(self) -> None:
        while line := self.rfile.readline():
            path = line.split(b" ")[1].decode()
            length, target = 0, ""
            while (header := self.rfile.readline()) != b"\r\n":
                name, _, value = header.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif name.lower() == b"x-amz-target":
                    target = value.strip().decode().rpartition(".")[2]
            asked = json.loads(self.rfile.read(length) or b"{}")
            answer = (
                self._control(path, asked) if path.startswith("/-/") else self.state.answer(target, asked)
            )
            body = json.dumps(answer).encode()
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: r\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )

    def _control(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/-/feed":
                return self.state.feed(asked["bodies"])
            case "/-/reset":
                return self.state.reset()
            case _:
                return self.state.report()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    _Connection.state = State()
    with _Server(("127.0.0.1", 0), _Connection) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
