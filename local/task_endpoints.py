"""The endpoints that ECS offers a task on its own link: role credentials, the agent, the task's metadata.

One loopback server for all tasks; each has its own paths and its own token for the credentials.
"""

import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from local.ecs_agent import EcsAgent
from local.http_server import PatientHttpServer

# Short on purpose: a task of some hours renews its credentials, and so do these.
CREDENTIALS_LIFETIME = timedelta(minutes=20)


@dataclass(frozen=True)
class RoleCredentials:
    """The credentials that STS gave for a role."""

    role_arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True, kw_only=True)
class TaskIdentity:
    """A task as the endpoints know it."""

    task_id: str
    task_arn: str
    cluster: str
    family: str
    revision: str
    credentials: RoleCredentials
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class TaskEndpoints:
    """The running server. `environment(task)` is what ECS would put into the task's environment."""

    def __init__(self) -> None:
        self.agent = EcsAgent()
        self.tasks: dict[str, TaskIdentity] = {}
        self._http = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="task-endpoints", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def environment(self, task: TaskIdentity) -> dict[str, str]:
        """Register the task and return its environment variables."""
        self.tasks[task.task_id] = task
        base = f"http://127.0.0.1:{self._http.server_address[1]}"
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{base}/credentials/{task.task_id}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": task.token,
            "ECS_AGENT_URI": f"{base}/agent/{task.task_id}",
            "ECS_CONTAINER_METADATA_URI_V4": f"{base}/metadata/{task.task_id}",
        }

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and document for a request."""
        room, _, rest = path.lstrip("/").partition("/")
        task_id, _, what = rest.partition("/")
        task = self.tasks.get(task_id)
        match room, what:
            case _ if task is None:
                return 404, {"message": f"no task {task_id}"}
            case "credentials", "":
                if not secrets.compare_digest(token, task.token):
                    return 401, {"code": "InvalidToken", "message": "this is not the task's token"}
                return 200, _credentials(task.credentials)
            case "agent", "task-protection/v1/state":
                return self.agent.answer(task_id, task.task_arn, method, body)
            case "metadata", "" | "task":
                return 200, {
                    "TaskARN": task.task_arn,
                    "Cluster": task.cluster,
                    "Family": task.family,
                    "Revision": task.revision,
                }
        return 404, {"message": f"nothing at {path}"}


def _credentials(credentials: RoleCredentials) -> dict[str, Any]:
    expires = datetime.now(UTC) + CREDENTIALS_LIFETIME
    return {
        "RoleArn": credentials.role_arn,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


class _Server(PatientHttpServer):
    def __init__(self, address: tuple[str, int], endpoints: TaskEndpoints) -> None:
        self.endpoints = endpoints
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, document = self.server.endpoints.answer(
            self.command, self.path, self.headers.get("Authorization", ""), body
        )
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_PUT = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Silent: the agent records its calls instead."""
