"""How a node is configured, in the few lines that its box has room for."""

from collections.abc import Iterator

from ops.assembly.model import Json, Resource, Stack
from ops.assembly.tokens import text_of
from ops.diagram.templates import Templates

_DAY = 86_400


def service_lines(templates: Templates, stack: Stack, service: Resource) -> Iterator[str]:
    place = templates.resolve(stack, service.properties["TaskDefinition"])
    task = stack.resources[place[1]].properties if isinstance(place, tuple) else {}
    yield f"Fargate task: {int(task['Cpu']) / 1024:g} vCPU, {task['Memory']} MiB"
    yield "containers: " + ", ".join(
        f"{container['Name']} {container.get('Memory', '')} MiB" for container in task["ContainerDefinitions"]
    )
    if disk := task.get("EphemeralStorage"):
        yield f"ephemeral disk {disk['SizeInGiB']} GiB"
    strategy = service.properties.get("CapacityProviderStrategy", [])
    yield "capacity: " + " + ".join(
        f"{item['CapacityProvider']}" + (f" base {item['Base']}" if item.get("Base") else "")
        + (f" weight {item['Weight']}" if item.get("Weight") else "")
        for item in strategy
    )  # fmt: skip
    for _, target in templates.every("AWS::ApplicationAutoScaling::ScalableTarget"):
        if service.logical_id in text_of(target.properties["ResourceId"]):
            yield f"{target.properties['MinCapacity']} to {target.properties['MaxCapacity']} tasks"
    policies = [
        policy
        for where, policy in templates.every("AWS::ApplicationAutoScaling::ScalingPolicy")
        if where is stack
    ]
    yield from (_scaling_line(policy.properties) for policy in policies)


def _scaling_line(properties: Json) -> str:
    tracking = properties["TargetTrackingScalingPolicyConfiguration"]
    predefined = tracking.get("PredefinedMetricSpecification", {}).get("PredefinedMetricType", "")
    if "CPU" in predefined:
        return f"scales on CPU {tracking['TargetValue']:g} %"
    metrics = tracking.get("CustomizedMetricSpecification", {}).get("Metrics", [])
    shown = next((item.get("Label", item["Id"]) for item in metrics if item.get("ReturnData")), predefined)
    return f"scales on {tracking['TargetValue']:g} {shown}"


def queue_lines(properties: Json) -> Iterator[str]:
    yield f"kept {properties.get('MessageRetentionPeriod', 345_600) / _DAY:g} days"
    if redrive := properties.get("RedrivePolicy"):
        yield f"visibility {properties.get('VisibilityTimeout', 30)} s, {redrive['maxReceiveCount']} receives"
    yield "KMS" if "KmsMasterKeyId" in properties else "SSE-SQS"


def table_lines(properties: Json) -> Iterator[str]:
    yield "key " + " / ".join(key["AttributeName"] for key in properties["KeySchema"])
    recovery = properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
    marks = [
        "TTL" if properties.get("TimeToLiveSpecification", {}).get("Enabled") else "",
        "PITR" if recovery else "",
        "protected" if properties.get("DeletionProtectionEnabled") else "",
        "CMK" if "KMSMasterKeyId" in properties.get("SSESpecification", {}) else "",
    ]
    yield ", ".join(filter(None, marks))


def bucket_lines(properties: Json) -> Iterator[str]:
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    managed = any("KMSMasterKeyID" in rule.get("ServerSideEncryptionByDefault", {}) for rule in rules)
    blocked = properties.get("PublicAccessBlockConfiguration", {})
    yield "no public access" if blocked and all(blocked.values()) else "PUBLIC ACCESS POSSIBLE"
    marks = [
        "versioned" if properties.get("VersioningConfiguration", {}).get("Status") == "Enabled" else "",
        "CMK" if managed else "SSE-S3",
    ]
    yield ", ".join(filter(None, marks))
