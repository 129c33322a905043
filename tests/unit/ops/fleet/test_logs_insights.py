"""`why` against Logs Insights: the question, the waiting, the answer, and what can go wrong.

The server answers in the shapes that CloudWatch Logs answers in, one after the other; moto has the operations
but not the stages of a query, nor its language.
"""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest

from ops.fleet import logs
from ops.fleet.environment import Fleet
from ops.fleet.logs import Query, lines_of
from ops.fleet.refusals import Declined
from tests.unit.conftest import REGION

GROUPS = ("/exports/orchestrator", "/exports/worker")
RESOURCES = """<ListStackResourcesResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
<ListStackResourcesResult><StackResourceSummaries>
<member><ResourceType>AWS::ECS::Service</ResourceType><PhysicalResourceId>service</PhysicalResourceId></member>
<member><ResourceType>AWS::Logs::LogGroup</ResourceType><PhysicalResourceId>{group}</PhysicalResourceId></member>
</StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>"""


def row(second: int, **fields: str) -> list[dict[str, str]]:
    """One row as GetQueryResults gives it: cells, a pointer among them, and none for what is absent."""
    at = f"2026-11-25 10:00:{second:02}.000+00:00"
    cells = {"timestamp": at, "service": "worker", "level": "INFO", **fields, "@ptr": "CmEKJgoi"}
    return [{"field": name, "value": value} for name, value in cells.items()]


class CloudWatch(ThreadingHTTPServer):
    """Answers StartQuery, and each GetQueryResults with the next of `stages`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.stages: list[dict[str, Any]] = []
        self.refusal = ""
        self.asked: list[dict[str, Any]] = []
        self.polls = 0

    def answer(self, target: str, body: str) -> tuple[int, str]:
        if target.endswith(".StartQuery"):
            self.asked.append(json.loads(body))
            if self.refusal:
                return 400, json.dumps({"__type": self.refusal, "message": "no"})
            return 200, json.dumps({"queryId": "q-1"})
        if target.endswith(".GetQueryResults"):
            assert json.loads(body) == {"queryId": "q-1"}
            stage = self.stages[min(self.polls, len(self.stages) - 1)]
            self.polls += 1
            return 200, json.dumps({"results": [], "statistics": {"recordsMatched": 0.0}, **stage})
        service = re.search(r"StackName=export-processing-prod-(\w+)", body)
        assert service is not None
        return 200, RESOURCES.format(group=f"/exports/{service[1]}")


class Handler(BaseHTTPRequestHandler):
    server: CloudWatch

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status, text = self.server.answer(self.headers.get("X-Amz-Target", ""), body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


@pytest.fixture(scope="module")
def server() -> Iterator[CloudWatch]:
    with CloudWatch() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def cloudwatch(server: CloudWatch, monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    """With nothing asked or told yet."""
    monkeypatch.setattr(logs, "_POLL_S", 0.01)
    server.stages, server.refusal, server.asked, server.polls = [], "", [], 0
    return server


@pytest.fixture(scope="module")
def fleet(server: CloudWatch) -> Fleet:
    session = boto3.Session("key", "secret", region_name=REGION)
    return Fleet(
        name="prod", outputs={}, session=session, endpoint_url=f"http://127.0.0.1:{server.server_port}"
    )


def test_the_lines_come_once_the_query_is_complete_in_order(cloudwatch: CloudWatch, fleet: Fleet) -> None:
    early = [row(9, message="only a part of the answer")]
    complete = [
        row(3, message="Done"),
        row(2, message="Failure 1", level="WARNING"),
        row(1, message="Claimed"),
    ]
    cloudwatch.stages = [
        {"status": "Scheduled"},
        {"status": "Running", "results": early},
        {"status": "Running", "results": early},
        {"status": "Complete", "results": complete},
    ]
    steps, source = lines_of(fleet, Query("job-1", "trail"))
    assert [step.what for step in steps] == ["Claimed", "WARNING: Failure 1", "Done"]
    assert cloudwatch.polls == 4
    assert source == ", ".join(GROUPS)


@pytest.mark.parametrize(
    ("query", "filtered"),
    [
        (
            Query("job-1", "trail"),
            'export_job_id = "job-1" or (not ispresent(export_job_id) and correlation_id = "trail")',
        ),
        (Query("job-1", "trail", "task-9"), 'task_id = "task-9"'),
        (Query("job-1", "", 'a" or 1 = 1 | fields @log #'), 'task_id = "a\\" or 1 = 1 | fields @log #"'),
        (Query("job-1", "", "back\\slash"), 'task_id = "back\\\\slash"'),
        (Query("job-1", "", "\u00fcber"), 'task_id = "\u00fcber"'),
    ],
)
def test_the_question_is_of_the_services_own_groups_and_no_name_gets_out_of_its_quotes(
    cloudwatch: CloudWatch, fleet: Fleet, query: Query, filtered: str
) -> None:
    cloudwatch.stages = [{"status": "Complete"}]
    assert lines_of(fleet, query)[0] == []
    (asked,) = cloudwatch.asked
    assert asked["logGroupNames"] == list(GROUPS)
    assert f"| filter {filtered} | sort @timestamp desc" in asked["queryString"]
    assert asked["limit"] == 500
    assert 0 < asked["endTime"] - asked["startTime"] <= 86_400 + 120


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "Timeout", "Unknown"])
def test_a_query_that_does_not_end_well_is_said(cloudwatch: CloudWatch, fleet: Fleet, status: str) -> None:
    cloudwatch.stages = [{"status": "Running"}, {"status": status}]
    with pytest.raises(Declined, match=status):
        lines_of(fleet, Query("job-1", "trail"))


def test_a_query_that_never_ends_is_not_waited_for_for_ever(
    cloudwatch: CloudWatch, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_PATIENCE_S", 0.1)
    cloudwatch.stages = [{"status": "Running"}]
    with pytest.raises(Declined, match="did not answer"):
        lines_of(fleet, Query("job-1", "trail"))


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ("LimitExceededException", "try again soon"),
        ("ResourceNotFoundException", "is the service deployed"),
    ],
)
def test_a_query_that_is_not_taken_is_said(
    cloudwatch: CloudWatch, fleet: Fleet, refusal: str, told: str
) -> None:
    cloudwatch.refusal = refusal
    with pytest.raises(Declined, match=told):
        lines_of(fleet, Query("job-1", "trail"))


def test_lines_without_a_time_or_a_level_do_no_harm(cloudwatch: CloudWatch, fleet: Fleet) -> None:
    bare = [{"field": "@ptr", "value": "CmEK"}]
    cloudwatch.stages = [{"status": "Complete", "results": [bare, row(1, message="Claimed")]}]
    assert [step.what for step in lines_of(fleet, Query("job-1", "trail"))[0]] == ["Claimed"]
