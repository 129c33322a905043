"""Verbs that moto's own types lack: changes to tables, log groups and endpoints, deletions inside a VPC.

Each is a function of the API, the resource's physical id and its resolved properties, put on moto's class.
"""

import json
from collections.abc import Callable
from typing import Any

from moto.cloudformation import parsing

from local.cloudformation.model import Api, Properties

Client = Callable[[str], Any]
Verb = Callable[[Client, str, Properties], None]


def _change_table(client: Client, name: str, properties: Properties) -> None:
    """Everything of AWS::DynamoDB::Table that updates without interruption and that moto keeps."""
    dynamodb = client("dynamodb")
    table = dynamodb.describe_table(TableName=name)["Table"]
    there = {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", ())}
    asked = {index["IndexName"]: index for index in properties.get("GlobalSecondaryIndexes", ())}
    updates = [{"Delete": {"IndexName": index}} for index in sorted(there - set(asked))]
    updates += [{"Create": asked[index]} for index in sorted(set(asked) - there)]
    for update in updates:  # one at a time, as AWS wants it
        dynamodb.update_table(
            TableName=name,
            AttributeDefinitions=properties["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[update],
        )
    dynamodb.update_table(
        TableName=name, DeletionProtectionEnabled=bool(properties.get("DeletionProtectionEnabled", False))
    )
    recovery = properties.get("PointInTimeRecoverySpecification")
    if recovery:
        dynamodb.update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={
                "PointInTimeRecoveryEnabled": bool(recovery["PointInTimeRecoveryEnabled"])
            },
        )


def _change_bucket(client: Client, name: str, properties: Properties) -> None:
    """Versioning, public access and lifecycle of AWS::S3::Bucket."""
    s3 = client("s3")
    if "VersioningConfiguration" in properties:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"])
    if "PublicAccessBlockConfiguration" in properties:
        s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"]
        )
    rules = [_rule(rule) for rule in properties.get("LifecycleConfiguration", {}).get("Rules", ())]
    if rules:
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    else:
        s3.delete_bucket_lifecycle(Bucket=name)


def _rule(rule: Properties) -> Properties:
    """A lifecycle rule in the API's spelling."""
    written: Properties = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    written |= {name: rule[name] for name in ("AbortIncompleteMultipartUpload", "Id") if name in rule}
    if "Id" in written:
        written["ID"] = written.pop("Id")
    if "ExpirationInDays" in rule:
        written["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "NoncurrentVersionExpiration" in rule:
        written["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
    if "Transitions" in rule:
        written["Transitions"] = [
            {"StorageClass": move["StorageClass"], "Days": move["TransitionInDays"]}
            for move in rule["Transitions"]
        ]
    return written


def _change_log_group(client: Client, name: str, properties: Properties) -> None:
    logs = client("logs")
    if "RetentionInDays" in properties:
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(properties["RetentionInDays"]))
    else:
        logs.delete_retention_policy(logGroupName=name)


def _change_endpoint(client: Client, name: str, properties: Properties) -> None:
    if "PolicyDocument" in properties:
        client("ec2").modify_vpc_endpoint(
            VpcEndpointId=name, PolicyDocument=json.dumps(properties["PolicyDocument"])
        )


def _delete_endpoint(client: Client, name: str, _: Properties) -> None:
    client("ec2").delete_vpc_endpoints(VpcEndpointIds=[name])


def _delete_route(client: Client, _: str, properties: Properties) -> None:
    client("ec2").delete_route(
        RouteTableId=properties["RouteTableId"], DestinationCidrBlock=properties["DestinationCidrBlock"]
    )


def _delete_route_table(client: Client, name: str, _: Properties) -> None:
    client("ec2").delete_route_table(RouteTableId=name)


def _delete_association(client: Client, _: str, properties: Properties) -> None:
    # moto gives the association its table's id, so it is found by what it joins.
    ec2 = client("ec2")
    tables = ec2.describe_route_tables(RouteTableIds=[properties["RouteTableId"]])["RouteTables"]
    for association in tables[0]["Associations"]:
        if association.get("SubnetId") == properties["SubnetId"]:
            ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])


def _delete_attachment(client: Client, _: str, properties: Properties) -> None:
    client("ec2").detach_internet_gateway(
        InternetGatewayId=properties["InternetGatewayId"], VpcId=properties["VpcId"]
    )


def _delete_gateway(client: Client, name: str, _: Properties) -> None:
    client("ec2").delete_internet_gateway(InternetGatewayId=name)


def _delete_nat(client: Client, name: str, _: Properties) -> None:
    client("ec2").delete_nat_gateway(NatGatewayId=name)


def _delete_address(client: Client, name: str, _: Properties) -> None:
    ec2 = client("ec2")
    for address in ec2.describe_addresses()["Addresses"]:
        if name in (address.get("PublicIp"), address.get("AllocationId")):
            ec2.release_address(AllocationId=address["AllocationId"])


def _delete_flow_log(client: Client, name: str, _: Properties) -> None:
    client("ec2").delete_flow_logs(FlowLogIds=[name])


def _delete_cluster(client: Client, name: str, _: Properties) -> None:
    client("ecs").delete_cluster(cluster=name)


CHANGES: dict[str, Verb] = {
    "AWS::DynamoDB::Table": _change_table,
    "AWS::EC2::VPCEndpoint": _change_endpoint,
    "AWS::Logs::LogGroup": _change_log_group,
    "AWS::S3::Bucket": _change_bucket,
}
DELETIONS: dict[str, Verb] = {
    "AWS::EC2::EIP": _delete_address,
    "AWS::EC2::FlowLog": _delete_flow_log,
    "AWS::EC2::InternetGateway": _delete_gateway,
    "AWS::EC2::NatGateway": _delete_nat,
    "AWS::EC2::Route": _delete_route,
    "AWS::EC2::RouteTable": _delete_route_table,
    "AWS::EC2::SubnetRouteTableAssociation": _delete_association,
    "AWS::EC2::VPCEndpoint": _delete_endpoint,
    "AWS::EC2::VPCGatewayAttachment": _delete_attachment,
    "AWS::ECS::Cluster": _delete_cluster,
}


def install() -> None:
    """Put the verbs on moto's classes."""
    known = parsing.get_model_map()
    for kind, verb in CHANGES.items():
        known[kind].update_from_cloudformation_json = classmethod(_changing(verb))  # type: ignore[assignment, method-assign]
    for kind, verb in DELETIONS.items():
        known[kind].delete_from_cloudformation_json = classmethod(_deleting(verb))  # type: ignore[assignment, method-assign]


def _changing(verb: Verb) -> Any:
    def update_from_cloudformation_json(
        _cls: type, original_resource: Any, new_resource_name: str, cloudformation_json: Any,
        account_id: str, region_name: str,
    ) -> Any:  # fmt: skip
        del new_resource_name, account_id
        physical_id = original_resource.physical_resource_id
        verb(_client(region_name), physical_id, cloudformation_json.get("Properties", {}))
        return original_resource

    return update_from_cloudformation_json


def _deleting(verb: Verb) -> Any:
    def delete_from_cloudformation_json(
        _cls: type, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        del account_id
        verb(_client(region_name), resource_name, cloudformation_json.get("Properties", {}))

    return delete_from_cloudformation_json


def _client(region: str) -> Client:
    return lambda service: Api.client(service, region)
