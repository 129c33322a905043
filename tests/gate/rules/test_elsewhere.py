"""What goes to another account or domain: blocked."""

import pytest

from tests.gate.rules.templates import (
    KMS,
    LOG_GROUP,
    OTHER,
    OWN,
    RULE,
    STORE,
    SUBSCRIPTION,
    TASK,
    WORK,
    C,
    changed,
)
from tests.gate.test_losses import BUCKET, QUEUE, altered, resource

SUBSCRIBED = resource(
    "AWS::SNS::Subscription", Endpoint=f"arn:aws:sqs:eu-west-1:{OWN}:q", Protocol="sqs", TopicArn="t"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (WORK, changed(WORK, "RedrivePolicy.deadLetterTargetArn", f"arn:aws:sqs:eu-west-1:{OTHER}:dlq")),
        (
            WORK,
            changed(
                WORK,
                "RedrivePolicy.deadLetterTargetArn",
                {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, f":sqs:eu-west-1:{OTHER}:dlq"]]},
            ),
        ),
        (WORK, changed(WORK, "KmsMasterKeyId", f"arn:aws:kms:eu-west-1:{OTHER}:key/1")),
        (STORE, changed(STORE, "ReplicationConfiguration.Rules.0.Destination.Account", OTHER)),
        (
            BUCKET,
            altered(
                BUCKET,
                ReplicationConfiguration={
                    "Role": f"arn:aws:iam::{OWN}:role/r",
                    "Rules": [
                        {
                            "Status": "Enabled",
                            "Destination": {"Bucket": "arn:aws:s3:::theirs", "Account": OTHER},
                        }
                    ],
                },
            ),
        ),
        (STORE, changed(STORE, f"{KMS}.KMSMasterKeyID", f"arn:aws:kms:eu-west-1:{OTHER}:key/1")),
        (LOG_GROUP, changed(LOG_GROUP, "KmsKeyId", f"arn:aws:kms:eu-west-1:{OTHER}:key/1")),
        (SUBSCRIBED, changed(SUBSCRIBED, "Endpoint", f"arn:aws:sqs:eu-west-1:{OTHER}:q")),
        (None, changed(SUBSCRIBED, "Endpoint", f"arn:aws:sqs:eu-west-1:{OTHER}:q")),
        (SUBSCRIPTION, changed(SUBSCRIPTION, "Endpoint", "oncall@example.org")),
        (SUBSCRIPTION, changed(SUBSCRIPTION, "Endpoint", "https://collector.example.net/in")),
        (
            None,
            resource(
                "AWS::Logs::SubscriptionFilter",
                DestinationArn=f"arn:aws:logs:eu-west-1:{OTHER}:destination:d",
            ),
        ),
        (
            RULE,
            changed(RULE, "Targets.1", {"Id": "x", "Arn": f"arn:aws:events:eu-west-1:{OTHER}:event-bus/b"}),
        ),
        (TASK, changed(TASK, f"{C}.Image", f"{OTHER}.dkr.ecr.eu-west-1.amazonaws.com/assets:1")),
        (
            TASK,
            changed(TASK, f"{C}.Environment.0.Value", f"https://sqs.eu-west-1.amazonaws.com/{OTHER}/work"),
        ),
    ],
)
def test_what_goes_to_somebody_else_is_blocked(gate, before, after):
    answer = gate.change({"Q": QUEUE} | ({"Thing": before} if before else {}), {"Q": QUEUE, "Thing": after})
    assert answer.code == 1
    assert ("sent-elsewhere", "Thing") in answer.kinds
