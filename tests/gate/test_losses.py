"""Changes that would lose data, each as a pair of templates through the command line."""

import pytest


def resource(type_, *, deletion=None, update=None, **properties):
    body = {"Type": type_, "Properties": properties}
    if deletion:
        body["DeletionPolicy"] = deletion
    if update:
        body["UpdateReplacePolicy"] = update
    return body


KEPT = {"deletion": "Retain", "update": "Retain"}
TABLE = resource(
    "AWS::DynamoDB::Table",
    **KEPT,
    TableName="ledger",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    DeletionProtectionEnabled=True,
    PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
)
BUCKET = resource(
    "AWS::S3::Bucket",
    **KEPT,
    VersioningConfiguration={"Status": "Enabled"},
    LifecycleConfiguration={"Rules": [{"NoncurrentVersionExpiration": {"NoncurrentDays": 90}}]},
    PublicAccessBlockConfiguration={
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    },
)
QUEUE = resource("AWS::SQS::Queue", QueueName="q", MessageRetentionPeriod=1209600, RedrivePolicy={"x": 1})
LOGS = resource("AWS::Logs::LogGroup", RetentionInDays=90)


def altered(body, **properties):
    kept = {key: value for key, value in (body["Properties"] | properties).items() if value is not None}
    return body | {"Properties": kept}


def test_an_unchanged_stack_passes(gate):
    answer = gate.change({"Table": TABLE}, {"Table": TABLE})
    assert answer.code == 0
    assert answer.kinds == set()
    assert "passes" in answer.text


@pytest.mark.parametrize("body", [TABLE, BUCKET, QUEUE, LOGS], ids=lambda body: body["Type"])
def test_removing_a_stateful_resource_is_blocked(gate, body):
    answer = gate.change({"Kept": body, "Other": QUEUE}, {"Other": QUEUE})
    assert answer.code == 1
    assert answer.kinds == {("stateful-removed", "Kept")}


def test_a_retained_resource_that_leaves_the_stack_is_blocked_and_its_fate_told(gate):
    answer = gate.change({"Table": TABLE, "Other": QUEUE}, {"Other": QUEUE})
    assert "it stays in the account, owned by nobody" in answer.text


def test_removing_a_whole_stack_removes_what_it_held(gate):
    answer = gate.compare(
        {"prod/data": {"Table": TABLE}, "prod/app": {"Q": QUEUE}}, {"prod/app": {"Q": QUEUE}}
    )
    assert answer.code == 1
    assert ("stateful-removed", "Table") in answer.kinds


def test_a_moved_logical_id_is_named_as_a_move(gate):
    answer = gate.change({"Table": TABLE}, {"LedgerTable": altered(TABLE, TableName=None)})
    assert answer.code == 1
    assert ("stateful-removed", "Table") in answer.kinds
    assert "main/LedgerTable is new and of the same type" in answer.text


def test_a_type_that_changes_under_its_logical_id_is_a_removal(gate):
    answer = gate.change({"Store": TABLE}, {"Store": BUCKET})
    assert ("stateful-removed", "Store") in answer.kinds


@pytest.mark.parametrize(
    ("before", "after", "because"),
    [
        (TABLE, altered(TABLE, TableName="other"), "TableName"),
        (TABLE, altered(TABLE, KeySchema=[{"AttributeName": "job", "KeyType": "HASH"}]), "KeySchema"),
        (QUEUE, altered(QUEUE, QueueName="renamed"), "QueueName"),
        (LOGS, altered(LOGS, LogGroupName="named"), "LogGroupName"),
        (BUCKET, altered(BUCKET, BucketName="named"), "BucketName"),
    ],
    ids=["table name", "table key", "queue name", "log group name", "bucket name"],
)
def test_a_create_only_property_replaces_a_stateful_resource(gate, before, after, because):
    answer = gate.change({"Kept": before}, {"Kept": after})
    assert answer.code == 1
    assert answer.kinds == {("stateful-replaced", "Kept")}
    assert f"because of {because}" in answer.text


def test_a_secret_whose_generated_value_changes_loses_the_one_it_has(gate):
    secret = resource("AWS::SecretsManager::Secret", GenerateSecretString={})
    answer = gate.change(
        {"Secret": secret}, {"Secret": altered(secret, GenerateSecretString={"PasswordLength": 40})}
    )
    assert answer.code == 1
    assert answer.kinds == {("stateful-replaced", "Secret")}
    assert "its present value is overwritten" in answer.text
    assert gate.change({"Secret": secret}, {"Secret": altered(secret, GenerateSecretString=None)}).code == 0


def test_a_replacement_is_followed_along_references(gate):
    vpc = resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16")
    group = resource(
        "AWS::EC2::SecurityGroup", GroupDescription="g", VpcId={"Ref": "Vpc"}, SecurityGroupEgress=[]
    )
    answer = gate.change(
        {"Vpc": vpc, "Group": group}, {"Vpc": altered(vpc, CidrBlock="10.1.0.0/16"), "Group": group}
    )
    assert answer.code == 0
    assert answer.kinds == {("replaced", "Vpc"), ("replaced", "Group")}
    assert "VpcId refers to Vpc, which is replaced" in answer.text


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (TABLE, TABLE | {"DeletionPolicy": "Delete"}, "DeletionPolicy is weakened: Retain → Delete"),
        (TABLE, TABLE | {"UpdateReplacePolicy": "Delete"}, "UpdateReplacePolicy is weakened"),
        (TABLE, altered(TABLE, DeletionProtectionEnabled=None), "DeletionProtectionEnabled is switched off"),
        (
            TABLE,
            altered(TABLE, PointInTimeRecoverySpecification=None),
            "PointInTimeRecoveryEnabled is switched",
        ),
        (BUCKET, altered(BUCKET, VersioningConfiguration={"Status": "Suspended"}), "no longer Enabled"),
        (
            BUCKET,
            altered(
                BUCKET,
                LifecycleConfiguration={"Rules": [{"NoncurrentVersionExpiration": {"NoncurrentDays": 7}}]},
            ),
            "deletes old versions earlier",
        ),
        (
            BUCKET,
            altered(BUCKET, LifecycleConfiguration={"Rules": [{"ExpirationInDays": 365}]}),
            "deletes objects earlier",
        ),
        (QUEUE, altered(QUEUE, MessageRetentionPeriod=86400), "messages expire earlier"),
        (QUEUE, altered(QUEUE, MessageRetentionPeriod=None), "messages expire earlier"),
        (QUEUE, altered(QUEUE, RedrivePolicy=None), "failing messages are dropped"),
        (QUEUE, altered(QUEUE, SqsManagedSseEnabled=False), "SqsManagedSseEnabled is switched off"),
        (LOGS, altered(LOGS, RetentionInDays=7), "older logs are deleted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_weakening_what_guards_data_is_blocked(gate, before, after, text):
    answer = gate.change({"Kept": before}, {"Kept": after})
    assert answer.code == 1
    assert ("protection-weakened", "Kept") in answer.kinds
    assert text in answer.text


def test_strengthening_what_guards_data_passes(gate):
    weak = altered(TABLE, DeletionProtectionEnabled=None) | {"DeletionPolicy": "Delete"}
    answer = gate.change(
        {"Table": weak, "Logs": LOGS}, {"Table": TABLE, "Logs": altered(LOGS, RetentionInDays=365)}
    )
    assert answer.code == 0
    assert answer.kinds == {("changed", "Table"), ("changed", "Logs")}


def test_termination_protection_switched_off_is_blocked(gate):
    answer = gate.change({"Q": QUEUE}, {"Q": QUEUE}, properties_after={"protected": False})
    assert answer.code == 1
    assert answer.kinds == {("protection-weakened", "(stack)")}


def test_a_stack_that_moves_to_another_region_leaves_its_data_behind(gate):
    answer = gate.change(
        {"Q": QUEUE}, {"Q": QUEUE}, properties_after={"target": "aws://111122223333/us-east-1"}
    )
    assert answer.code == 1
    assert answer.kinds == {("stateful-removed", "Q")}


@pytest.mark.parametrize(
    ("body", "resource"), [(TABLE, "Thing"), ({"Type": "AWS::SSM::Parameter"}, "(stack)")]
)
def test_a_stack_of_another_name_is_another_stack(gate, body, resource):
    answer = gate.change({"Thing": body}, {"Thing": body}, properties_after={"stack_name": "prod-other"})
    assert answer.code == 1
    assert answer.kinds == {("stateful-removed", resource)}
    assert "renamed from prod-main to prod-other" in answer.text


def test_a_clean_failed_creation_is_no_weakening(gate):
    retained, cleaned = (
        TABLE | {"DeletionPolicy": "Retain"},
        TABLE | {"DeletionPolicy": "RetainExceptOnCreate"},
    )
    assert gate.change({"Table": retained}, {"Table": cleaned}).code == 0
    assert gate.change({"Table": cleaned}, {"Table": retained}).code == 0
    assert gate.change({"Table": cleaned}, {"Table": TABLE | {"DeletionPolicy": "Delete"}}).code == 1


def test_a_condition_on_a_stateful_resource_is_a_removal_where_it_is_false(gate):
    answer = gate.change({"Table": TABLE}, {"Table": TABLE | {"Condition": "Sometimes"}})
    assert ("stateful-removed", "Table") in answer.kinds


def test_other_changes_are_shown_and_pass(gate):
    task = resource("AWS::ECS::TaskDefinition", Cpu="512", Tags=[{"Key": "a", "Value": "b"}])
    alarm = resource("AWS::CloudWatch::Alarm", Threshold=1)
    before = {"Task": task, "Gone": alarm, "Alarm": alarm, "Asset": resource("Custom::X", Hash="0" * 64)}
    after = {
        "Task": altered(task, Cpu="1024"),
        "New": alarm,
        "Alarm": altered(alarm, Threshold=2),
        "Asset": resource("Custom::X", Hash="1" * 64),
    }
    answer = gate.change(before, after)
    assert answer.code == 0
    assert answer.kinds == {("replaced", "Task"), ("removed", "Gone"), ("added", "New"), ("changed", "Alarm")}
    assert "Threshold: 1 → 2" in answer.text
    assert "Cpu: 512 → 1024" in answer.markdown


def test_the_same_finding_in_several_environments_is_told_once(gate):
    environments = ("dev", "staging", "prod")
    answer = gate.compare(
        {f"{name}/main": {"Table": TABLE, "Q": QUEUE} for name in environments},
        {f"{name}/main": {"Q": QUEUE} for name in environments},
    )
    assert answer.text.count("stateful-removed:") == 1
    assert "[dev, prod, staging]" in answer.text
