"""Who may act, and as whom: blocked when it is more."""

import pytest

from tests.gate.rules.templates import KEY, OTHER, OWN, TASK, changed
from tests.gate.test_losses import QUEUE, resource

ROLE = resource("AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": []})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TASK, changed(TASK, "TaskRoleArn", "arn:aws:iam::111122223333:role/admin")),
        (TASK, changed(TASK, "ExecutionRoleArn", {"Fn::GetAtt": ["Role", "Arn"]})),
        (None, resource("AWS::IAM::User", UserName="u")),
        # https://github.com/aws/aws-cdk/issues/29835: a security diff that knew IAM and networks alone.
        (None, resource("AWS::SSO::Assignment", PrincipalId="p", PermissionSetArn="arn:x")),
        (None, resource("AWS::IAM::AccessKey", UserName="u")),
        (None, resource("AWS::IAM::OIDCProvider", Url="https://login.example.com")),
        (ROLE, changed(ROLE, "MaxSessionDuration", 43_200)),
        (
            None,
            resource(
                "AWS::Events::EventBusPolicy", StatementId="s", Action="events:PutEvents", Principal="*"
            ),
        ),
        (KEY, changed(KEY, "KeyPolicy.Statement.0.Principal", "*")),
        (
            KEY,
            changed(
                KEY,
                "KeyPolicy.Statement.0.Principal",
                {"AWS": [f"arn:aws:iam::{OWN}:root", f"arn:aws:iam::{OTHER}:root"]},
            ),
        ),
    ],
)
def test_somebody_else_may_do_more(gate, before, after):
    answer = gate.change({"Q": QUEUE} | ({"Thing": before} if before else {}), {"Q": QUEUE, "Thing": after})
    assert answer.code == 1
    assert ("iam-broadened", "Thing") in answer.kinds


CONDITION = {
    "StringEquals": {"sts:ExternalId": "e", "aws:SourceAccount": OWN},
    "ArnLike": {"aws:SourceArn": "arn:x:*"},
}
TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/partner"},
    "Condition": {
        "StringEquals": {"sts:ExternalId": "e", "aws:SourceAccount": OWN},
        "ArnLike": {"aws:SourceArn": "arn:x:*"},
    },
}


@pytest.mark.parametrize(
    "loosened",
    [
        {"Principal": {"AWS": "*"}},
        {"Principal": "*"},
        {"Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}},
        {"Principal": {"AWS": [f"arn:aws:iam::{OTHER}:role/partner", f"arn:aws:iam::{OWN}:root"]}},
        {"Principal": {"Service": "lambda.amazonaws.com"}},
        {"Principal": {"Federated": "cognito-identity.amazonaws.com"}},
        {"Principal": {"CanonicalUser": "79a59d"}},
        {"NotPrincipal": {"AWS": "arn:x"}, "Principal": None},
        {"Action": "sts:*"},
        {"Action": ["sts:AssumeRole", "sts:TagSession"]},
        {"NotAction": "sts:GetSessionToken", "Action": None},
        {"Condition": {}},
        {"Condition": {"StringEquals": {"sts:ExternalId": "e"}}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": OWN}, "ArnLike": {"aws:SourceArn": "arn:x:*"}}},
        {"Condition": CONDITION | {"ArnLike": {"aws:SourceArn": "*"}}},
        {
            "Condition": {
                **CONDITION,
                "StringEquals": {"sts:ExternalId": ["e", "f"], "aws:SourceAccount": OWN},
            }
        },
        {
            "Condition": {
                "StringEqualsIfExists": CONDITION["StringEquals"],
                "ArnLike": {"aws:SourceArn": "arn:x:*"},
            }
        },
        {
            "Condition": {
                "StringLike": CONDITION["StringEquals"],
                "ArnLike": {"aws:SourceArn": "arn:x:*"},
            }
        },
    ],
)
def test_a_trust_policy_that_lets_more_in_is_blocked(gate, loosened):
    def role(statement):
        kept = {key: value for key, value in statement.items() if value is not None}
        return {"Role": resource("AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": [kept]})}

    answer = gate.change(role(TRUST), role(TRUST | loosened))
    assert answer.code == 1
    assert ("iam-broadened", "Role") in answer.kinds
