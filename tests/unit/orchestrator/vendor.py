"""A vendor's API in memory: any pagination mode, any misbehaviour of its pages."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared.export_api import ExportApi
from tests.unit.shared.circuits.fleet import unshared

BASE = "https://api.example"


class Wire(httpx.MockTransport):
    """Answers made in memory, their bodies still to be read, as when they come from a socket."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if not answer.is_stream_consumed:
            return answer
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content)
        )


class NoAuth:
    def headers(self, *, fresh: bool = False) -> dict[str, str]:
        return {}


def settings(**values: Any) -> OrchestratorSettings:
    return OrchestratorSettings(
        **{
            "environment": "dev",
            "ledger_table_name": "ledger",
            "download_tasks_queue_url": "https://sqs/tasks",
            "export_api_base_url": BASE,
            "export_api_secret_arn": "arn",
            "export_jobs_queue_url": "https://sqs/jobs",
            "export_jobs_dlq_url": "https://sqs/jobs-dlq",
            **values,
        }
    )


def record(file_id: str) -> dict[str, Any]:
    return {"file_id": file_id, "name": f"{file_id}.zip", "download_url": f"/d/{file_id}"}


@dataclass
class Vendor:
    """Serves `pages` (lists of anything) in the given mode; `order` maps a page's position to the next
    one's.
    """

    pages: Sequence[Sequence[Any]]
    mode: str = "cursor"
    status: str = "completed"
    following: Callable[[int], int | None] | None = None
    override: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
    requests: list[str] = field(default_factory=list)

    def next_of(self, page: int) -> int | None:
        if self.following is not None:
            return self.following(page)
        return page + 1 if page + 1 < len(self.pages) else None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(str(request.url))
        overridden = self.override(request)
        if overridden is not None:
            return overridden
        if not request.url.path.endswith("/files"):
            return httpx.Response(200, json={"export_job_id": "job", "status": self.status})
        query = request.url.params
        document: dict[str, Any] = {}
        headers: dict[str, str] = {}
        page = int(query.get("cursor", "0"))
        if self.mode == "page":
            page = int(query["page"]) - 1
        if self.mode == "offset":
            flat = [item for items in self.pages for item in items]
            start = int(query["offset"])
            # A vendor that gives fewer than it was asked for.
            return httpx.Response(200, json={"files": flat[start : start + 3]})
        files = list(self.pages[page]) if page < len(self.pages) else []
        following = self.next_of(page)
        if following is not None:
            match self.mode:
                case "cursor":
                    document["next_cursor"] = str(following)
                case "next-url":
                    document["next"] = f"?cursor={following}"
                case "link-header":
                    headers["Link"] = (
                        f'</other>; rel="prev", <{request.url.path}?cursor={following}>; rel="next"'
                    )
        return httpx.Response(200, content=json.dumps({"files": files, **document}), headers=headers)

    def api(self, *, failures: int = 99, **profile: Any) -> ExportApi:
        http = httpx.Client(transport=Wire(self), trust_env=False)
        values = {"export_api_attempts": 2, "export_api_pagination": self.mode} | profile
        return ExportApi(settings(**values), http, NoAuth(), unshared(failures=failures))
