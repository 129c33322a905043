"""The log lines of one correlation id, job or archive: from CloudWatch Logs Insights, or the local files."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ops.fleet.documents import Step
from ops.fleet.environment import SERVICES, SYSTEM, Fleet
from ops.fleet.refusals import Declined

MOST_LINES = 500
_POLL_S = 0.5
_PATIENCE_S = 60.0
_FIELDS = ("timestamp", "service", "level", "message", "export_job_id", "task_id", "correlation_id")


@dataclass(frozen=True)
class Query:
    """Lines of the archive where one is named, else of the job and of its correlation id."""

    export_job_id: str
    correlation_id: str
    task_id: str = ""
    since: datetime | None = None

    def holds(self, line: dict[str, Any]) -> bool:
        if self.task_id:
            return line.get("task_id") == self.task_id
        job = line.get("export_job_id")
        # A correlation id may be shared by a thousand jobs; their own lines are not this one's.
        mine = job is None and line.get("correlation_id") == self.correlation_id != ""
        return job == self.export_job_id or mine


def lines_of(
    fleet: Fleet, query: Query, progress: Callable[[str], None] = lambda _what: None
) -> tuple[list[Step], str]:
    """The lines, the oldest first, and where they are from. Raises Declined, botocore's errors."""
    if fleet.log_folder is not None:
        found = [line for line in _local_lines(fleet.log_folder) if query.holds(line)]
        steps = [step for line in found if (step := _step(line)) is not None]
        source = str(fleet.log_folder)
    else:
        groups = _groups(fleet)
        progress("asking Logs Insights")
        steps = [step for line in _insights(fleet, groups, query) if (step := _step(line)) is not None]
        source = ", ".join(groups)
    return sorted(steps, key=lambda step: step.at)[-MOST_LINES:], source


def _step(line: dict[str, Any]) -> Step | None:
    try:
        at = datetime.fromisoformat(str(line["timestamp"]))
    except (KeyError, ValueError):
        return None
    level = str(line.get("level", "INFO"))
    text = str(line.get("message", ""))
    return Step(
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        source="log",
        who=str(line.get("service", "")),
        what=text if level == "INFO" else f"{level}: {text}",
    )


def _local_lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.jsonl")):
        with file.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                if text.startswith("{") and '"_aws"' not in text:
                    try:
                        yield json.loads(text)
                    except ValueError:
                        continue  # the line is being written


def _groups(fleet: Fleet) -> list[str]:
    """The services' log groups, as their task definitions name them."""
    cloudformation = fleet.client("cloudformation")
    groups = []
    for service in SERVICES:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=f"{SYSTEM}-{fleet.name}-{service}"
        )
        groups += [
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == "AWS::Logs::LogGroup"
        ]
    return groups


def _insights(fleet: Fleet, groups: list[str], query: Query) -> Iterator[dict[str, Any]]:
    logs, now = fleet.client("logs"), datetime.now(UTC)
    since = query.since or now - timedelta(days=1)
    where = (
        f"task_id = {_quoted(query.task_id)}"
        if query.task_id
        else f"export_job_id = {_quoted(query.export_job_id)}"
        f" or (not ispresent(export_job_id) and correlation_id = {_quoted(query.correlation_id)})"
    )
    try:
        started = logs.start_query(
            logGroupNames=groups,
            startTime=int(since.timestamp()) - 60,
            endTime=int(now.timestamp()) + 60,
            queryString=f"fields {', '.join(_FIELDS)} | filter {where} | sort @timestamp desc",
            limit=MOST_LINES,
        )
    except logs.exceptions.LimitExceededException as error:
        raise Declined("Logs Insights runs as many queries as the account may; try again soon") from error
    except logs.exceptions.ResourceNotFoundException as error:
        raise Declined(f"a log group is gone ({', '.join(groups)}): is the service deployed?") from error
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        answer = logs.get_query_results(queryId=started["queryId"])
        if answer["status"] == "Complete":
            break
        if answer["status"] not in ("Scheduled", "Running") or time.monotonic() > deadline:
            raise Declined(
                f"Logs Insights did not answer ({answer['status']}); try again with a later --since"
            )
        time.sleep(_POLL_S)
    for row in islice(answer["results"], MOST_LINES):
        yield {cell["field"]: cell["value"] for cell in row}


def _quoted(text: str) -> str:
    # Insights knows JSON's escapes of quotes and backslashes, and takes every other character as it is.
    return json.dumps(text, ensure_ascii=False)
