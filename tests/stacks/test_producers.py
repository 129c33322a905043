"""Who may send export jobs is what the environment names, and nobody through it."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from pydantic import ValidationError

from ops.assembly.load import load_assembly
from ops.diagram.producers import producers_of
from ops.diagram.templates import Templates
from stacks.application import synthesize
from stacks.environments import DEV
from stacks.values import Producers
from tests.stacks.conftest import CONTEXT, read

TOPIC = "arn:aws:sns:eu-west-1:777788889999:export-events"
RULE = "arn:aws:events:eu-west-1:777788889999:rule/exports/nightly"
ROLE = "arn:aws:iam::777788889999:role/team/exporter"
ALL = Producers(sns_topics=(TOPIC,), event_rules=(RULE,), roles=(ROLE,), organisation="o-a1b2c3d4e5")


def allowed(deployment, name):
    """The Allow statements of the policy of a queue, by what its path holds."""
    return [
        statement
        for policy in deployment.of_type("AWS::SQS::QueuePolicy")
        if name in policy.path
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]


@pytest.fixture(scope="module")
def open_assembly(tmp_path_factory) -> Path:
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    return synthesize(app, (DEV.derive(producers=ALL),))


def test_each_producer_may_send_under_its_own_condition(open_assembly):
    deployment = read(open_assembly, DEV)
    statements = allowed(deployment, "export-jobs/Queue")
    assert {json.dumps((s["Principal"], s.get("Condition")), sort_keys=True) for s in statements} == {
        json.dumps(pair, sort_keys=True)
        for pair in (
            ({"Service": "sns.amazonaws.com"}, {"ArnEquals": {"aws:SourceArn": [TOPIC]}}),
            ({"Service": "events.amazonaws.com"}, {"ArnEquals": {"aws:SourceArn": [RULE]}}),
            ({"AWS": ROLE}, None),
            ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        )
    }
    assert {s["Action"] for s in statements} == {"sqs:SendMessage"}
    for closed in ("download-tasks", "DeadLetterQueue"):
        assert allowed(deployment, closed) == []


def test_the_diagram_names_them(open_assembly):
    templates = Templates(load_assembly(open_assembly), "dev")
    (queue,) = [
        (stack.name, resource.logical_id)
        for stack, resource in templates.every("AWS::SQS::Queue")
        if resource.properties["QueueName"].endswith("export-jobs")
    ]
    assert producers_of(templates, queue) == [
        "SNS topic export-events",
        "rule exports/nightly",
        "role/team/exporter",
        "organisation o-a1b2c3d4e5",
    ]


def test_nobody_is_admitted_who_was_not_named(deployment):
    named = deployment.environment.producers.sns_topics
    statements = allowed(deployment, "messaging/")
    assert [s["Condition"]["ArnEquals"]["aws:SourceArn"] for s in statements] == (
        [list(named)] if named else []
    )


@pytest.mark.parametrize(
    "named",
    [
        {"sns_topics": ("arn:aws:sns:eu-west-1:777788889999:*",)},
        {"sns_topics": ("export-events",)},
        {"event_rules": ("arn:aws:events:eu-west-1:777788889999:event-bus/default",)},
        {"event_rules": ("arn:aws:events:*:777788889999:rule/nightly",)},
        {"roles": ("arn:aws:iam::777788889999:root",)},
        {"roles": ("arn:aws:iam::777788889999:role/*",)},
        {"roles": ("*",)},
        {"organisation": "*"},
        {"topics": (TOPIC,)},
    ],
)
def test_a_producer_is_somebody(named):
    with pytest.raises(ValidationError):
        Producers(**named)
