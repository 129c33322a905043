"""Priorities add queues of their own to everything that works on queues, and are nowhere without them."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest

from stacks.application import synthesize
from stacks.environments import DEV
from stacks.validation.plugin import findings
from tests.stacks.conftest import CONTEXT, read
from tests.stacks.test_permissions import listed, statements

WITH = DEV.derive(
    messaging={"priorities": {"high": 6}},
    producers={"sns_topics": ("arn:aws:sns:eu-west-1:777788889999:jobs",)},
)
KINDS = ("export-jobs", "download-tasks")


@pytest.fixture(scope="module")
def prioritised(tmp_path_factory):
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    return read(synthesize(app, (WITH,)), WITH)


def test_without_priorities_nothing_speaks_of_them(deployment):
    for resource in deployment.resources:
        text = json.dumps(resource.properties)
        assert "PRIORITY_WEIGHT" not in text, resource.path
        assert "jobs-high" not in text, resource.path
        assert "tasks-low" not in text, resource.path


def test_each_priority_has_a_pair_of_each_kind(prioritised):
    names = {queue.properties["QueueName"] for queue in prioritised.of_type("AWS::SQS::Queue")}
    assert {name.removeprefix("export-processing-dev-messaging-") for name in names} == {
        f"{kind}{priority}{dlq}"
        for kind in KINDS
        for priority in ("", "-high", "-low")
        for dlq in ("", "-dlq")
    }
    assert list(findings(prioritised)) == []
    template = json.loads(Path(prioritised.of_type("AWS::SQS::Queue")[0].template).read_text())
    assert {"ExportJobsHighQueueArn", "DownloadTasksLowDlqUrl"} <= template["Outputs"].keys()


def test_services_are_told_of_all_and_work_through_their_own(prioritised):
    for service, kind in zip(("orchestrator", "worker"), KINDS, strict=True):
        (view,) = [s for s in prioritised.services() if s.name == service]
        prefix = kind.upper().replace("-", "_")
        told = {name for name in view.variables if name.startswith(prefix)}
        assert told >= {
            f"{prefix}_{priority}{part}_URL"
            for priority in ("", "HIGH_", "LOW_")
            for part in ("QUEUE", "DLQ")
        }
        weights = {name: view.variables[f"PRIORITY_WEIGHT_{name}"] for name in ("HIGH", "NORMAL", "LOW")}
        assert weights == {"HIGH": "6", "NORMAL": "4", "LOW": "1"}
        received = {
            prioritised.target(view.task.template, resource)
            for statement in statements(prioritised, view)
            if "sqs:ReceiveMessage" in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        }
        assert received == {queue for queue, _ in view.pairs}
        assert len(view.pairs) == 3


def test_scaling_and_alarms_see_all_of_them(prioritised):
    for service in prioritised.services():
        names = {queue.properties["QueueName"] for queue, _ in service.pairs}
        for metric in ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"):
            text = json.dumps([policy.properties for policy in service.policies])
            assert text.count(metric + '"') == len(names)
    for alarm in prioritised.of_type("AWS::CloudWatch::Alarm"):
        metrics = [m for m in alarm.properties.get("Metrics", ()) if "MetricStat" in m]
        assert len(metrics) <= 10, "CloudWatch takes no more in one alarm"
    (expiring, _) = [a for a in prioritised.of_type("AWS::CloudWatch::Alarm") if "Expiring" in a.path]
    assert len([m for m in expiring.properties["Metrics"] if "MetricStat" in m]) == 6


def test_producers_may_send_at_every_priority(prioritised):
    admitting = [
        policy.path
        for policy in prioritised.of_type("AWS::SQS::QueuePolicy")
        if any(s["Effect"] == "Allow" for s in policy.properties["PolicyDocument"]["Statement"])
    ]
    assert len(admitting) == 3
    assert all("/export-jobs" in path and "DeadLetter" not in path for path in admitting)
