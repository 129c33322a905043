"""What a synth promises: no look-ups, findings that fail it, and acknowledgements that stay true."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from stacks.acknowledgements import StaleAcknowledgements, acknowledge, inventory
from stacks.application import synthesize
from stacks.environments import DEV, ENVIRONMENTS
from tests.stacks.conftest import CONTEXT


def bare_app(tmp_path) -> cdk.App:
    return cdk.App(context=CONTEXT, outdir=str(tmp_path / "cdk.out"))


def test_nothing_is_looked_up(assembly):
    for environment in ENVIRONMENTS:
        manifest = json.loads((assembly / f"assembly-{environment.name}" / "manifest.json").read_text())
        assert manifest.get("missing", []) == []


def test_the_policy_packs_ran_and_left_not_even_a_warning(assembly):
    reports = json.loads((assembly / "validation-report.json").read_text())["pluginReports"]

    assert {report["pluginName"] for report in reports} >= {
        "AwsSolutions",
        "CloudFormation Validate",
        "NIST.800.53.R5",
    }
    assert [report for report in reports if report["violations"] or report["conclusion"] != "success"] == []


def test_every_acknowledgement_is_scoped_and_reasoned(assembly):
    for item in inventory(assembly):
        assert item.scope.count("/") >= 2, f"{item.rule} is acknowledged for all of {item.scope}"
        assert len(item.reason.split()) >= 6, f"{item.rule} at {item.scope}: {item.reason!r} is no reason"


def test_a_finding_fails_the_synth(tmp_path):
    app = bare_app(tmp_path)
    sqs.Queue(cdk.Stack(app, "open"), "Queue")

    with pytest.raises(RuntimeError, match=r"(?s)ValidationFailed.*AwsSolutions-SQS4"):
        synthesize(app, ())


def test_a_breached_invariant_fails_the_synth(tmp_path):
    slow = DEV.derive(messaging={"heartbeat_interval_s": 200})

    with pytest.raises(RuntimeError, match="one lost heartbeat gives the message to another task"):
        synthesize(bare_app(tmp_path), (slow,))


def test_an_acknowledgement_that_matches_nothing_fails(tmp_path):
    app = bare_app(tmp_path)
    stage = cdk.Stage(app, "old")
    queue = sqs.Queue(cdk.Stack(stage, "messages"), "Queue", enforce_ssl=True)
    acknowledge(queue, {"AwsSolutions-SQS3": "It is the dead-letter queue of another stack"})
    acknowledge(queue, {"AwsSolutions-SQS4": "It used to take messages without TLS"})

    with pytest.raises(
        StaleAcknowledgements, match=r"old/messages/Queue: .*AwsSolutions-SQS4 matches no finding"
    ) as stale:
        synthesize(app, ())
    assert "SQS3" not in str(stale.value)
