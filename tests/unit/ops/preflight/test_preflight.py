"""What an account lacks, against an account that moto keeps; quotas are stubbed, as moto has none."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from ops.preflight import Verdict, as_table, preflight
from ops.preflight.demand import ON_DEMAND, SPOT, demand
from tests.unit.ops.stacks import ACCOUNT, REGION, resource, stack

OLD = [["1", "2", "3", "4", "5"], {"Ref": "BootstrapVersion"}]
BOOTSTRAP: dict[str, Any] = {
    "Parameters": {"BootstrapVersion": {"Default": "/cdk-bootstrap/hnb659fds/version"}},
    "Rules": {
        "CheckBootstrapVersion": {
            "Assertions": [{"Assert": {"Fn::Not": [{"Fn::Contains": OLD}]}}],
        }
    },
}
TABLE_KEYS = [
    {"AttributeName": "export_job_id", "KeyType": "HASH"},
    {"AttributeName": "file_path", "KeyType": "RANGE"},
]


def service(
    *, cpu="2048", least=6, most=200, surge=200, strategy=(("FARGATE", 6, 1), ("FARGATE_SPOT", 0, 4))
):
    return {
        "Task": resource(
            "AWS::ECS::TaskDefinition",
            Cpu=cpu,
            ContainerDefinitions=[
                {"Name": "app", "Environment": [{"Name": "METADATA_TABLE_NAME", "Value": "export-metadata"}]}
            ],
        ),
        "Service": resource(
            "AWS::ECS::Service",
            TaskDefinition={"Ref": "Task"},
            DeploymentConfiguration={"MaximumPercent": surge},
            CapacityProviderStrategy=[
                {"CapacityProvider": name, "Base": base, "Weight": weight} for name, base, weight in strategy
            ],
        ),
        "Target": resource(
            "AWS::ApplicationAutoScaling::ScalableTarget",
            MinCapacity=least,
            MaxCapacity=most,
            ResourceId={"Fn::Join": ["/", ["service", "c", {"Fn::GetAtt": ["Service", "Name"]}]]},
        ),
    }


SECRET = {"Secret": resource("AWS::SecretsManager::Secret", Name="export-api")}
NETWORK = {
    "Vpc": resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Eip": resource("AWS::EC2::EIP", Domain="vpc"),
}


@pytest.mark.parametrize(
    ("body", "on_demand", "spot"),
    [
        # Six of the base; above it one in five on demand: 6 + 39 and 155 of 200, 6 + 79 and 316 of 400.
        (service(), (12, 90, 170), (0, 312, 632)),
        (service(cpu="512", least=3, most=20, strategy=(("FARGATE", 0, 1),)), (1.5, 10, 20), (0, 0, 0)),
        (service(least=1, most=4, surge=100, strategy=(("FARGATE_SPOT", 0, 1),)), (0, 0, 0), (2, 8, 8)),
        (service(least=2, most=4, strategy=()), (4, 8, 16), (0, 0, 0)),
    ],
)
def test_vcpus_follow_base_weights_and_surge(body, on_demand, spot):
    for provider, expected in ((ON_DEMAND, on_demand), (SPOT, spot)):
        found = demand([stack("worker", body)], provider)
        assert (found.least, found.most, found.deploying) == expected


class Made:
    """What stacks have made, as CloudFormation lists it (moto's knows no secrets)."""

    def __init__(self):
        self.stacks = {}

    def get_paginator(self, operation):
        assert operation == "list_stack_resources"
        return self

    def paginate(self, *, StackName):  # noqa: N803 (boto3's name)
        if StackName not in self.stacks:
            error = {"Code": "ValidationError", "Message": f"Stack with id {StackName} does not exist"}
            raise ClientError({"Error": error}, "ListStackResources")
        yield {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": physical,
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for logical, physical in self.stacks[StackName].items()
            ]
        }


@pytest.fixture
def account(monkeypatch):
    """Clients of an account that moto keeps; `quotas` are what Service Quotas says, in order of asking."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        quotas = boto3.client("service-quotas", region_name=REGION)
        stub = Stubber(quotas)

        made = Made()

        def client(name):
            other = {"service-quotas": quotas, "cloudformation": made}
            return other.get(name) or boto3.client(name, region_name=REGION)

        client.stub, client.made = stub, made
        with stub:
            yield client


def say(account, *values):
    for value in values:
        if value is None:
            for operation in ("get_service_quota", "get_aws_default_service_quota"):
                account.stub.add_client_error(operation, "NoSuchResourceException")
        else:
            account.stub.add_response("get_service_quota", {"Quota": {"Value": value}})


def prepare(account):
    """All that the environment needs."""
    account("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    account("dynamodb").create_table(
        TableName="export-metadata",
        KeySchema=TABLE_KEYS,
        AttributeDefinitions=[
            {"AttributeName": key["AttributeName"], "AttributeType": "S"} for key in TABLE_KEYS
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    arn = account("secretsmanager").create_secret(Name="export-api", SecretString='{"token": "t"}')["ARN"]
    account.made.stacks["prod-storage"] = {"Secret": arn}


STACKS = (
    stack("storage", SECRET, **BOOTSTRAP),
    stack("network", NETWORK, **BOOTSTRAP),
    stack("worker", service(), **BOOTSTRAP),
)


def verdicts(checks):
    return {check.what: check.verdict for check in checks}


def test_an_account_with_everything_passes(account):
    prepare(account)
    say(account, 1000.0, 1000.0, 5.0, 5.0)
    checks = preflight(STACKS, account)
    assert set(verdicts(checks).values()) == {Verdict.HAS}
    assert "To do" not in as_table(checks)


def test_a_new_account_is_told_each_thing_and_what_to_type(account):
    say(account, None, None, 0.0, 1.0)
    checks = preflight(STACKS, account)
    assert verdicts(checks) == {
        "account": Verdict.HAS,
        "CDK bootstrap stack": Verdict.LACKS,
        "Fargate on-demand vCPUs": Verdict.LACKS,
        "Fargate Spot vCPUs": Verdict.LACKS,
        "elastic IP addresses": Verdict.LACKS,
        # A new account has a default VPC, which counts.
        "VPCs": Verdict.LACKS,
        "metadata table export-metadata": Verdict.LACKS,
        "value of the secret export-api": Verdict.LATER,
    }
    table = as_table(checks)
    assert "cdk bootstrap aws://123456789012/eu-west-1" in table
    assert "12 at least, 90 at most, 170 deploying at most" in table
    assert "--service-code fargate --quota-code L-3032A538 --desired-value 170" in table


def test_a_quota_that_deploying_at_most_would_exceed_is_tight(account):
    prepare(account)
    say(account, 100.0, 400.0, 5.0, 5.0)
    found = verdicts(preflight(STACKS, account))
    assert (found["Fargate on-demand vCPUs"], found["Fargate Spot vCPUs"]) == (Verdict.TIGHT, Verdict.TIGHT)


def test_a_secret_without_a_value_lacks_it(account):
    prepare(account)
    empty = account("secretsmanager").create_secret(Name="empty")["ARN"]
    account.made.stacks["prod-storage"] = {"Secret": empty}
    say(account, 1000.0, 1000.0, 5.0, 5.0)
    checks = preflight(STACKS, account)
    assert verdicts(checks)["value of the secret export-api"] is Verdict.LACKS
    assert f"put-secret-value --secret-id {empty}" in as_table(checks)


def test_what_a_stack_has_made_already_is_not_needed_again(account):
    prepare(account)
    account.made.stacks["prod-network"] = {"Vpc": "vpc-1", "Eip": "eipalloc-1"}
    say(account, 1000.0, 1000.0, 0.0, 1.0)
    assert set(verdicts(preflight(STACKS, account)).values()) == {Verdict.HAS}


def test_a_metadata_table_with_other_keys_lacks_them(account):
    prepare(account)
    account("dynamodb").delete_table(TableName="export-metadata")
    account("dynamodb").create_table(
        TableName="export-metadata",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    say(account, 1000.0, 1000.0, 5.0, 5.0)
    assert verdicts(preflight(STACKS, account))["metadata table export-metadata"] is Verdict.LACKS


def test_another_account_is_asked_nothing_further(account):
    other = stack("storage", SECRET, **BOOTSTRAP)
    (check,) = preflight([other], lambda name: _Elsewhere())
    assert (check.verdict, check.needed, check.found) == (Verdict.LACKS, ACCOUNT, "999999999999")


class _Elsewhere:
    def get_caller_identity(self):
        return {"Account": "999999999999"}


def test_a_refusal_is_not_taken_for_a_lack(account):
    prepare(account)
    account.stub.add_client_error("get_service_quota", "AccessDeniedException", "not authorized", 403)
    with pytest.raises(ClientError, match="not authorized"):
        preflight(STACKS, account)
