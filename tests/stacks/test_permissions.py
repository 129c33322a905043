"""Task roles hold what the runtime does and no more, in both directions.

`recorded_actions.json` is what the services really needed while the end-to-end tests ran, recorded by the
local AWS and the ECS agent where permissions are checked; `python -m tests.recorder` refreshes it.
"""

import json
from pathlib import Path

import pytest

from tests.stacks.conftest import ROOT

RECORDED = json.loads((Path(__file__).parent / "recorded_actions.json").read_text())

# Granted though no end-to-end run shows the call. A waiver that is no longer needed fails.
WAIVERS = {
    "orchestrator": {},
    "worker": {
        "dynamodb:ConditionCheckItem": "Only a part of a split task is written on condition of the others",
        "ecs:DescribeServices": "The local platform runs tasks of no service, and they have none to look at",
        "s3:ListMultipartUploadParts": "Only an interrupted multipart upload of a huge entry is resumed",
    },
}
# KMS is called by S3, Secrets Manager and DynamoDB in the role's name, never by the runtime itself.
ON_BEHALF = {"kms:Decrypt", "kms:GenerateDataKey"}
# Only "any log-in token" has no resource of its own, and that is the execution role's.
STATEMENTS_WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken"}


def statements(deployment, service):
    for policy in deployment.of_type("AWS::IAM::Policy"):
        roles = [deployment.target(policy.template, role) for role in policy.properties["Roles"]]
        if deployment.target(service.task.template, service.task.properties["TaskRoleArn"]) in roles:
            yield from policy.properties["PolicyDocument"]["Statement"]


def listed(value):
    return value if isinstance(value, list) else [value]


def granted(deployment, service):
    return {action for statement in statements(deployment, service) for action in listed(statement["Action"])}


def test_nothing_needed_is_missing(deployment):
    for service in deployment.services():
        assert set(RECORDED[service.name]) - granted(deployment, service) == set(), service.name


def test_nothing_granted_is_unused(deployment):
    for service in deployment.services():
        unused = granted(deployment, service) - set(RECORDED[service.name]) - ON_BEHALF
        assert unused == set(WAIVERS[service.name]), service.name


def test_no_action_is_a_wildcard_and_every_statement_names_its_resources(deployment):
    for policy in deployment.of_type("AWS::IAM::Policy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            actions = set(listed(statement["Action"]))
            assert not any("*" in action for action in actions), policy.path
            if "*" in listed(statement["Resource"]):
                assert actions <= STATEMENTS_WITHOUT_RESOURCE, policy.path


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("orchestrator", {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "dynamodb:BatchGetItem"}),
        ("worker", {"s3:DeleteObject", "dynamodb:DeleteItem", "sqs:PurgeQueue"}),
    ],
)
def test_what_a_role_must_never_hold(deployment, name, forbidden):
    service = next(service for service in deployment.services() if service.name == name)
    assert granted(deployment, service) & forbidden == set()


def test_the_worker_sees_its_own_service_and_no_other(deployment):
    service = next(service for service in deployment.services() if service.name == "worker")
    seen = [s for s in statements(deployment, service) if "ecs:DescribeServices" in listed(s["Action"])]
    assert [deployment.target(service.task.template, s["Resource"]) for s in seen] == [service.service]
    assert [listed(s["Action"]) for s in seen] == [["ecs:DescribeServices"]]


def test_each_service_works_through_its_own_queue_only(deployment):
    for service in deployment.services():
        for statement in statements(deployment, service):
            if "sqs:ReceiveMessage" in listed(statement["Action"]):
                queues = {
                    deployment.target(service.task.template, resource)
                    for resource in listed(statement["Resource"])
                }
                assert queues == {service.queue}


def test_only_this_accounts_resources_get_a_role_assumed_for_them(deployment):
    sources = {
        "ecs-tasks.amazonaws.com": "ecs:{region}:{account}:*",
        "vpc-flow-logs.amazonaws.com": "ec2:{region}:{account}:vpc-flow-log/*",
    }
    values = {"region": deployment.environment.region, "account": deployment.environment.account}
    roles = deployment.of_type("AWS::IAM::Role")
    assert len(roles) == 5
    for role in roles:
        (trust,) = role.properties["AssumeRolePolicyDocument"]["Statement"]
        condition = trust["Condition"]
        assert condition["StringEquals"] == {"aws:SourceAccount": values["account"]}, role.path
        source = sources[trust["Principal"]["Service"]].format(**values)
        assert json.dumps(condition["ArnLike"]["aws:SourceArn"]).rstrip('"]}').endswith(source), role.path


def test_a_task_speaks_on_the_bus_in_this_systems_name_only(deployment):
    schemas = (ROOT / "docs" / "events").glob("*.schema.json")
    titles = {json.loads(schema.read_text())["title"] for schema in schemas}
    for service in deployment.services():
        (publish,) = [s for s in statements(deployment, service) if s["Action"] == "events:PutEvents"]
        said = publish["Condition"]["StringEquals"]
        assert said["events:source"] == "export-processing"
        assert set(said["events:detail-type"]) == titles


VIA = {
    "orchestrator": {"dynamodb": {"kms:Decrypt"}, "secretsmanager": {"kms:Decrypt"}},
    "worker": {
        "dynamodb": {"kms:Decrypt"},
        "s3": {"kms:Decrypt", "kms:GenerateDataKey"},
        "secretsmanager": {"kms:Decrypt"},
    },
}


def test_keys_are_used_through_the_services_that_hold_the_data_only(deployment):
    for service in deployment.services():
        used = {}
        for statement in statements(deployment, service):
            actions = {action for action in listed(statement["Action"]) if action.startswith("kms:")}
            if actions:
                via = statement["Condition"]["StringEquals"]["kms:ViaService"]
                used.setdefault(via, set()).update(actions)
        region = deployment.environment.region
        expected = VIA[service.name] if deployment.environment.storage.customer_managed_key else {}
        assert used == {f"{via}.{region}.amazonaws.com": actions for via, actions in expected.items()}


def test_the_worker_only_reads_the_metadata_whoever_owns_the_table(deployment):
    environment = deployment.environment
    name = environment.storage.existing_metadata_table
    worker = next(service for service in deployment.services() if service.name == "worker")
    tables = {}
    for statement in statements(deployment, worker):
        for resource in listed(statement["Resource"]):
            actions = set(listed(statement["Action"]))
            if any(action.startswith("dynamodb:") for action in actions):
                tables.setdefault(json.dumps(resource), set()).update(actions)
    readers = [table for table, actions in tables.items() if "dynamodb:BatchGetItem" in actions]

    assert len(tables) == 2
    (metadata,) = readers
    assert tables[metadata] == {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}
    if name is None:
        assert deployment.target(worker.task.template, json.loads(metadata)).path.endswith(
            "Metadata/Table/Resource"
        )
    else:
        assert f":dynamodb:{environment.region}:{environment.account}:table/{name}" in metadata


def test_the_worker_writes_under_its_two_prefixes_only(deployment):
    worker = next(service for service in deployment.services() if service.name == "worker")
    for statement in statements(deployment, worker):
        if "s3:PutObject" in listed(statement["Action"]):
            suffixes = {resource["Fn::Join"][1][-1] for resource in listed(statement["Resource"])}
            assert suffixes == {"/exports/*", "/manifests/*"}


def test_the_services_may_say_each_documented_event(deployment):
    documented = {json.loads(path.read_text())["title"] for path in (ROOT / "docs/events").glob("*.json")}
    for service in deployment.services():
        (allowed,) = [
            s for s in statements(deployment, service) if listed(s["Action"]) == ["events:PutEvents"]
        ]
        assert set(allowed["Condition"]["StringEquals"]["events:detail-type"]) == documented
