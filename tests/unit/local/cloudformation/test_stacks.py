"""What stacks do as they change and go, through the server's own API, against what AWS documents."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local import processes
from local.assembly import ROOT

Template = dict[str, Any]


class Account:
    """A local AWS of this module's own."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url
        self.cloudformation = self.client("cloudformation")

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # a name known only at run time
            service,
            endpoint_url=self.endpoint_url,
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def create(self, stack: str, template: Template) -> None:
        self.cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template))

    def update(self, stack: str, template: Template, **arguments: Any) -> str:
        """The stack's status afterwards."""
        self.cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(template), **arguments)
        return self.status(stack)

    def status(self, stack: str) -> str:
        return str(self.cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    def reasons(self, stack: str) -> str:
        events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return " ".join(event.get("ResourceStatusReason", "") for event in events)

    def physical_id(self, stack: str, logical_id: str) -> str:
        resources = self.cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        return next(r["PhysicalResourceId"] for r in resources if r["LogicalResourceId"] == logical_id)

    def drift(self, stack: str) -> tuple[str, list[dict[str, Any]]]:
        detection = self.cloudformation.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
        found = self.cloudformation.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        drifts = self.cloudformation.describe_stack_resource_drifts(
            StackName=stack, StackResourceDriftStatusFilters=["MODIFIED", "DELETED"]
        )
        return found["StackDriftStatus"], drifts["StackResourceDrifts"]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    log_path: Path = tmp_path_factory.mktemp("aws") / "aws.log"
    with log_path.open("wb") as log:
        server = processes.spawn(
            [sys.executable, "-m", "local.aws"],
            env=os.environ | {"MOTO_ACCOUNT_ID": "123456789012"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    port = processes.first_line_as_json(server, "the local AWS", log_path)["port"]
    yield Account(f"http://localhost:{port}")
    processes.stop(server, 1)


def queue(**properties: Any) -> Template:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def one(**resources: Any) -> Template:
    return {"Resources": resources}


def task_definition(command: str) -> Template:
    container = {"Name": "app", "Image": "i", "Command": [command], "Memory": 128}
    return {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {"Family": "family", "ContainerDefinitions": [container]},
    }


SERVICE = {
    "Type": "AWS::ECS::Service",
    "Properties": {"Cluster": {"Ref": "Cluster"}, "TaskDefinition": {"Ref": "Task"}, "DesiredCount": 1},
}


def test_a_property_changes_in_place(account: Account) -> None:
    account.create("in-place", one(Queue=queue(VisibilityTimeout=30)))
    url = account.physical_id("in-place", "Queue")
    assert account.update("in-place", one(Queue=queue(VisibilityTimeout=60))) == "UPDATE_COMPLETE"
    assert account.physical_id("in-place", "Queue") == url
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "60"


def test_a_replacement_reaches_those_that_refer_to_it(account: Account) -> None:
    """The service's own lines stay the same; its task definition is another."""
    cluster: Template = {"Type": "AWS::ECS::Cluster", "Properties": {}}
    account.create("replaced", one(Cluster=cluster, Task=task_definition("one"), Service=SERVICE))
    before = account.physical_id("replaced", "Task")
    account.update("replaced", one(Cluster=cluster, Task=task_definition("two"), Service=SERVICE))
    after = account.physical_id("replaced", "Task")
    assert after != before
    ecs = account.client("ecs")
    arn = account.physical_id("replaced", "Service")
    (service,) = ecs.describe_services(cluster=account.physical_id("replaced", "Cluster"), services=[arn])[
        "services"
    ]
    assert service["taskDefinition"] == after
    old = ecs.describe_task_definition(taskDefinition=before)["taskDefinition"]
    assert old["status"] == "INACTIVE"


def test_what_leaves_the_template_goes_and_what_is_retained_stays(account: Account) -> None:
    kept = {**queue(QueueName="kept"), "DeletionPolicy": "RetainExceptOnCreate"}
    account.create("leaving", one(Kept=kept, Gone=queue(QueueName="gone"), Other=queue()))
    account.update("leaving", one(Other=queue()))
    names = {url.rpartition("/")[2] for url in account.client("sqs").list_queues()["QueueUrls"]}
    assert "kept" in names
    assert "gone" not in names


def test_a_default_parameter_can_keep_its_value(account: Account) -> None:
    template = {
        "Parameters": {"Seconds": {"Type": "String", "Default": "40"}},
        **one(Queue=queue(VisibilityTimeout={"Ref": "Seconds"}, DelaySeconds=1)),
    }
    account.create("default", template)
    changed = {**template, **one(Queue=queue(VisibilityTimeout={"Ref": "Seconds"}, DelaySeconds=2))}
    status = account.update(
        "default", changed, Parameters=[{"ParameterKey": "Seconds", "UsePreviousValue": True}]
    )
    assert status == "UPDATE_COMPLETE"


def test_the_same_template_is_no_update(account: Account) -> None:
    account.create("same", one(Queue=queue()))
    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.update("same", one(Queue=queue()))


def test_a_failing_update_is_rolled_back_and_says_why(account: Account) -> None:
    account.create("failing", one(Queue=queue(VisibilityTimeout=30)))
    bad = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": "vpc-nowhere", "CidrBlock": "10.0.0.0/24"}}
    status = account.update("failing", one(Queue=queue(VisibilityTimeout=60), Subnet=bad))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert "vpc-nowhere" in account.reasons("failing")
    url = account.physical_id("failing", "Queue")
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "30"


def test_an_export_in_use_can_neither_go_nor_can_its_stack(account: Account) -> None:
    exporting = {
        **one(Queue=queue()),
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}, "Export": {"Name": "arn-of-it"}}},
    }
    account.create("exporting", exporting)
    account.create(
        "importing",
        {**one(Other=queue()), "Outputs": {"Its": {"Value": {"Fn::ImportValue": "arn-of-it"}}}},
    )
    with pytest.raises(ClientError, match="arn-of-it cannot be deleted as it is in use by importing"):
        account.update("exporting", one(Queue=queue()))
    with pytest.raises(ClientError, match="in use by importing"):
        account.cloudformation.delete_stack(StackName="exporting")
    account.cloudformation.delete_stack(StackName="importing")
    account.cloudformation.delete_stack(StackName="exporting")


def test_a_network_is_destroyed_from_its_leaves(account: Account) -> None:
    vpc = {"Ref": "Vpc"}
    account.create(
        "network",
        one(
            Vpc={"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}},
            Subnet={"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": vpc, "CidrBlock": "10.9.1.0/24"}},
            Table={"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": vpc}},
            Joined={
                "Type": "AWS::EC2::SubnetRouteTableAssociation",
                "Properties": {"SubnetId": {"Ref": "Subnet"}, "RouteTableId": {"Ref": "Table"}},
            },
            Gateway={"Type": "AWS::EC2::InternetGateway", "Properties": {}},
            Attached={
                "Type": "AWS::EC2::VPCGatewayAttachment",
                "Properties": {"VpcId": vpc, "InternetGatewayId": {"Ref": "Gateway"}},
            },
            Route={
                "Type": "AWS::EC2::Route",
                "DependsOn": "Attached",
                "Properties": {
                    "RouteTableId": {"Ref": "Table"},
                    "DestinationCidrBlock": "0.0.0.0/0",
                    "GatewayId": {"Ref": "Gateway"},
                },
            },
        ),
    )
    physical = account.physical_id("network", "Vpc")
    account.cloudformation.delete_stack(StackName="network")
    vpcs = account.client("ec2").describe_vpcs()["Vpcs"]
    assert physical not in {vpc["VpcId"] for vpc in vpcs}


def test_scaling_is_created_changed_and_deleted(account: Account) -> None:
    def scaling(most: int) -> Template:
        return one(
            Target={
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ServiceNamespace": "ecs",
                    "ResourceId": "service/c/s",
                    "ScalableDimension": "ecs:service:DesiredCount",
                    "MinCapacity": 1,
                    "MaxCapacity": most,
                    "RoleARN": "arn:aws:iam::123456789012:role/scaling",
                },
            }
        )

    account.client("ecs").create_cluster(clusterName="c")
    account.client("ecs").register_task_definition(family="f", containerDefinitions=[])
    account.client("ecs").create_service(cluster="c", serviceName="s", taskDefinition="f", desiredCount=1)
    account.create("scaling", scaling(4))
    account.update("scaling", scaling(9))
    targets = account.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    assert [target["MaxCapacity"] for target in targets["ScalableTargets"]] == [9]
    account.cloudformation.delete_stack(StackName="scaling")
    targets = account.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    assert targets["ScalableTargets"] == []


def test_drift_names_the_property_that_was_altered_by_hand(account: Account) -> None:
    account.create("drifting", one(Queue=queue(VisibilityTimeout=30), Other=queue()))
    assert account.drift("drifting") == ("IN_SYNC", [])
    url = account.physical_id("drifting", "Queue")
    account.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "31"})
    status, (drift,) = account.drift("drifting")
    assert status == "DRIFTED"
    assert drift["LogicalResourceId"] == "Queue"
    assert drift["PropertyDifferences"][0] == {
        "PropertyPath": "/VisibilityTimeout",
        "ExpectedValue": "30",
        "ActualValue": "31",
        "DifferenceType": "NOT_EQUAL",
    }


TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
READ: dict[str, tuple[Template, str, str, dict[str, Any]]] = {
    # type: its template, and the API call of somebody who alters it by hand
    "AWS::Logs::LogGroup": (
        {"RetentionInDays": 30},
        "logs",
        "delete_retention_policy",
        {"logGroupName": "{id}"},
    ),
    "AWS::DynamoDB::Table": (
        {
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": False,
        },
        "dynamodb",
        "update_table",
        {"TableName": "{id}", "DeletionProtectionEnabled": True},
    ),
    "AWS::IAM::Role": (
        {"AssumeRolePolicyDocument": TRUST},
        "iam",
        "update_assume_role_policy",
        {"RoleName": "{id}", "PolicyDocument": json.dumps(TRUST).replace("ecs.", "lambda.")},
    ),
    "AWS::SNS::Topic": (
        {"DisplayName": "alarms"},
        "sns",
        "set_topic_attributes",
        {"TopicArn": "{id}", "AttributeName": "DisplayName", "AttributeValue": "others"},
    ),
    "AWS::CloudWatch::Alarm": (
        {
            "MetricName": "m",
            "Namespace": "n",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
        },
        "cloudwatch",
        "put_metric_alarm",
        {
            "AlarmName": "{id}",
            "MetricName": "m",
            "Namespace": "n",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 2,
            "ComparisonOperator": "GreaterThanThreshold",
        },
    ),
}
DIFFERENCES = {
    "AWS::Logs::LogGroup": ("/RetentionInDays", "REMOVE"),
    "AWS::DynamoDB::Table": ("/DeletionProtectionEnabled", "NOT_EQUAL"),
    "AWS::IAM::Role": ("/AssumeRolePolicyDocument", "NOT_EQUAL"),
    "AWS::SNS::Topic": ("/DisplayName", "NOT_EQUAL"),
    "AWS::CloudWatch::Alarm": ("/Threshold", "NOT_EQUAL"),
}


@pytest.mark.parametrize("kind", READ)
def test_drift_is_read_of_every_type_that_says_so(account: Account, kind: str) -> None:
    properties, service, call, arguments = READ[kind]
    stack = "drift-" + kind.replace("::", "-")
    account.create(stack, one(It={"Type": kind, "Properties": properties}))
    assert account.drift(stack) == ("IN_SYNC", [])
    named = account.physical_id(stack, "It")
    given = {name: named if value == "{id}" else value for name, value in arguments.items()}
    getattr(account.client(service), call)(**given)
    status, (drift,) = account.drift(stack)
    (difference,) = drift["PropertyDifferences"]
    assert status == "DRIFTED"
    assert (difference["PropertyPath"], difference["DifferenceType"]) == DIFFERENCES[kind]


def test_drift_of_a_service_and_its_scaling(account: Account) -> None:
    target = {
        "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
        "Properties": {
            "ServiceNamespace": "ecs",
            "ResourceId": {"Fn::Sub": "service/${Cluster}/${Service.Name}"},
            "ScalableDimension": "ecs:service:DesiredCount",
            "MinCapacity": 1,
            "MaxCapacity": 4,
        },
    }
    tracking = {
        "TargetValue": 60.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    }
    policy: Template = {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": "cpu",
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": {"Ref": "Target"},
            "TargetTrackingScalingPolicyConfiguration": tracking,
        },
    }
    other = {
        "PolicyName": "memory",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": 75,
            "DisableScaleIn": True,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"},
        },
    }
    second = {**policy, "Properties": {**policy["Properties"], **other}}
    cluster: Template = {"Type": "AWS::ECS::Cluster", "Properties": {}}
    account.create(
        "scaled",
        one(
            Cluster=cluster,
            Task=task_definition("one"),
            Service=SERVICE,
            Target=target,
            Policy=policy,
            Other=second,
        ),
    )
    assert account.drift("scaled") == ("IN_SYNC", [])
    ecs = account.client("ecs")
    by_hand = ecs.register_task_definition(family="by-hand", containerDefinitions=[])["taskDefinition"]
    ecs.update_service(
        cluster=account.physical_id("scaled", "Cluster"),
        service=account.physical_id("scaled", "Service"),
        taskDefinition=by_hand["taskDefinitionArn"],
    )
    resource, dimension, namespace = account.physical_id("scaled", "Target").split("|")
    account.client("application-autoscaling").put_scaling_policy(
        ServiceNamespace=namespace,
        ResourceId=resource,
        ScalableDimension=dimension,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={**tracking, "TargetValue": 80.0},
    )
    _, drifts = account.drift("scaled")
    paths = {drift["LogicalResourceId"]: drift["PropertyDifferences"][0]["PropertyPath"] for drift in drifts}
    assert paths == {
        "Service": "/TaskDefinition",
        "Policy": "/TargetTrackingScalingPolicyConfiguration",
    }


def test_what_was_deleted_by_hand_is_deleted_to_drift(account: Account) -> None:
    account.create(
        "deleted",
        one(Queue=queue(), Logs={"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 3}}),
    )
    account.client("sqs").delete_queue(QueueUrl=account.physical_id("deleted", "Queue"))
    account.client("logs").delete_log_group(logGroupName=account.physical_id("deleted", "Logs"))
    status, drifts = account.drift("deleted")
    assert status == "DRIFTED"
    assert {drift["LogicalResourceId"]: drift["StackResourceDriftStatus"] for drift in drifts} == {
        "Queue": "DELETED",
        "Logs": "DELETED",
    }
    assert not any("ActualProperties" in drift or drift.get("PropertyDifferences") for drift in drifts)


def test_a_statement_with_a_condition_is_left_out(account: Account) -> None:
    url = account.client("sqs").create_queue(QueueName="with-policy")["QueueUrl"]
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
    deny = {**allow, "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    policy = {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {"Queues": [url], "PolicyDocument": {"Statement": [allow, deny]}},
    }
    account.create("policy", one(Policy=policy))
    attributes = account.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert json.loads(attributes["Attributes"]["Policy"])["Statement"] == [allow]
