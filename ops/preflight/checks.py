"""The checks. Every call only reads; `clients` makes a client of a service in the environment's region."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ops.assembly.model import Json, Stack
from ops.assembly.tokens import text_of
from ops.preflight.demand import ON_DEMAND, SPOT, demand
from ops.preflight.model import Check, Verdict

Clients = Callable[[str], Any]

# https://docs.aws.amazon.com/general/latest/gr/ecs-service.html (Fargate), …/vpc-service.html
_ON_DEMAND_VCPUS = ("fargate", "L-3032A538")
_SPOT_VCPUS = ("fargate", "L-36FBB829")
_ELASTIC_IPS = ("ec2", "L-0263D0A3")
_VPCS = ("vpc", "L-F678F1CE")
# What a new account has where Service Quotas does not answer for it.
_DEFAULTS = {_ON_DEMAND_VCPUS: 6.0, _SPOT_VCPUS: 6.0, _ELASTIC_IPS: 5.0, _VPCS: 5.0}
_METADATA_KEYS = {"export_job_id": "HASH", "file_path": "RANGE"}


def preflight(stacks: Sequence[Stack], clients: Clients) -> list[Check]:
    """Everything that these stacks need of their account, in the order of a first deployment."""
    checks = [_account(stacks, clients)]
    if checks[0].verdict is Verdict.LACKS:
        return checks
    checks.append(_bootstrap(stacks, clients))
    checks += _capacity(stacks, clients)
    checks += _addresses(stacks, clients)
    checks += _metadata_table(stacks, clients)
    checks += _secrets(stacks, clients)
    return checks


def _account(stacks: Sequence[Stack], clients: Clients) -> Check:
    found = clients("sts").get_caller_identity()["Account"]
    needed = stacks[0].account
    return Check(
        what="account",
        needed=needed,
        found=found,
        verdict=Verdict.HAS if found == needed else Verdict.LACKS,
        do="use credentials of the environment's account",
    )


def _bootstrap(stacks: Sequence[Stack], clients: Clients) -> Check:
    needed, parameter = max(_bootstrap_need(stack.template) for stack in stacks)
    try:
        found = int(clients("ssm").get_parameter(Name=parameter)["Parameter"]["Value"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        found = 0
    return Check(
        what="CDK bootstrap stack",
        needed=f"version {needed}",
        found=f"version {found}" if found else "none",
        verdict=Verdict.HAS if found >= needed else Verdict.LACKS,
        do=f"cdk bootstrap aws://{stacks[0].account}/{stacks[0].region}",
    )


def _bootstrap_need(template: Json) -> tuple[int, str]:
    """(least version, the parameter that tells it), as the CDK's own rule in the template has them."""
    parameter = template.get("Parameters", {}).get("BootstrapVersion", {}).get("Default", "")
    rule = template.get("Rules", {}).get("CheckBootstrapVersion", {"Assertions": []})
    refused = [
        int(version)
        for assertion in rule["Assertions"]
        for condition in assertion["Assert"].get("Fn::Not", [])
        for version in condition["Fn::Contains"][0]
    ]
    return max(refused, default=0) + 1, parameter


def _capacity(stacks: Sequence[Stack], clients: Clients) -> Iterator[Check]:
    for what, provider, quota in (
        ("Fargate on-demand vCPUs", ON_DEMAND, _ON_DEMAND_VCPUS),
        ("Fargate Spot vCPUs", SPOT, _SPOT_VCPUS),
    ):
        need, allowed = demand(stacks, provider), _quota(quota, clients)
        verdict = Verdict.HAS
        if allowed < need.deploying:
            verdict = Verdict.TIGHT if allowed >= need.most else Verdict.LACKS
        yield Check(
            what=what,
            needed=f"{need.least:g} at least, {need.most:g} at most, {need.deploying:g} deploying at most",
            found=f"{allowed:g}",
            verdict=verdict,
            do=_ask_for(quota, need.deploying),
        )


def _addresses(stacks: Sequence[Stack], clients: Clients) -> Iterator[Check]:
    ec2 = clients("ec2")
    for what, kind, quota, used in (
        ("elastic IP addresses", "AWS::EC2::EIP", _ELASTIC_IPS, len(ec2.describe_addresses()["Addresses"])),
        ("VPCs", "AWS::EC2::VPC", _VPCS, sum(1 for _ in _vpcs(ec2))),
    ):
        wanted = sum(len(stack.of_type(kind)) for stack in stacks)
        if wanted:
            there = sum(_existing(stack, kind, clients) for stack in stacks if stack.of_type(kind))
            more, allowed = max(wanted - there, 0), _quota(quota, clients)
            yield Check(
                what=what,
                needed=f"{wanted}, {more} of them new",
                found=f"{used} of {allowed:g} in use",
                verdict=Verdict.HAS if used + more <= allowed else Verdict.LACKS,
                do=_ask_for(quota, used + more),
            )


def _vpcs(ec2: Any) -> Iterator[Json]:
    for page in ec2.get_paginator("describe_vpcs").paginate():
        yield from page["Vpcs"]


def _metadata_table(stacks: Sequence[Stack], clients: Clients) -> Iterator[Check]:
    """A table that others own is named in the services' settings; one of ours is a reference there."""
    names = {
        name for stack in stacks for name in _settings(stack, "METADATA_TABLE_NAME") if isinstance(name, str)
    }
    for name in sorted(names):
        try:
            table = clients("dynamodb").describe_table(TableName=name)["Table"]
            keys = {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]}
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            keys = {}
        yield Check(
            what=f"metadata table {name}",
            needed=_keys_text(_METADATA_KEYS),
            found=_keys_text(keys) if keys else "none",
            verdict=Verdict.HAS if keys == _METADATA_KEYS else Verdict.LACKS,
            do="ask the metadata's owners; existing_metadata_table names it in stacks/environments.py",
        )


def _settings(stack: Stack, name: str) -> Iterator[Any]:
    for task in stack.of_type("AWS::ECS::TaskDefinition"):
        for container in task.properties["ContainerDefinitions"]:
            for variable in container.get("Environment", []):
                if variable["Name"] == name:
                    yield variable["Value"]


def _keys_text(keys: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in keys.items())


def _secrets(stacks: Sequence[Stack], clients: Clients) -> Iterator[Check]:
    for stack in stacks:
        for secret in stack.of_type("AWS::SecretsManager::Secret"):
            arn = _physical_ids(stack, clients).get(secret.logical_id)
            what = f"value of the secret {text_of(secret.properties.get('Name', secret.logical_id))}"
            command = f"aws secretsmanager put-secret-value --secret-id {arn or '…'} --secret-string file://credentials.json"
            if arn is None:
                verdict, found = Verdict.LATER, "no secret before the first deployment"
            else:
                stages = clients("secretsmanager").describe_secret(SecretId=arn).get("VersionIdsToStages", {})
                filled = any("AWSCURRENT" in names for names in stages.values())
                verdict, found = (
                    (Verdict.HAS, "filled") if filled else (Verdict.LACKS, "empty: the services wait")
                )
            yield Check(what=what, needed="filled", found=found, verdict=verdict, do=command)


def _existing(stack: Stack, kind: str, clients: Clients) -> int:
    return sum(name in _physical_ids(stack, clients) for name in (r.logical_id for r in stack.of_type(kind)))


def _physical_ids(stack: Stack, clients: Clients) -> dict[str, str]:
    """Logical → physical id of what the stack has made; empty when the account has no such stack."""
    try:
        pages = (
            clients("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=stack.stack_name)
        )
        return {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
            if item.get("PhysicalResourceId") and item.get("ResourceStatus") != "DELETE_COMPLETE"
        }
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return {}
        raise


def _quota(quota: tuple[str, str], clients: Clients) -> float:
    """The account's own value, or AWS's default where the account has none."""
    client = clients("service-quotas")
    service, code = quota
    for ask in (client.get_service_quota, client.get_aws_default_service_quota):
        try:
            return float(ask(ServiceCode=service, QuotaCode=code)["Quota"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchResourceException":
                raise
    return _DEFAULTS[quota]


def _ask_for(quota: tuple[str, str], value: float) -> str:
    service, code = quota
    return (
        f"aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code}"
        f" --desired-value {value:g}"
    )
