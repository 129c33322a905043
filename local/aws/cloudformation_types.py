"""CloudFormation types that moto lacks, or whose properties it drops, made through the server's own
public API.

Two kinds of thing are left out on purpose, and said so: what only moto's missing parts would use, and policy
statements with conditions, because moto ignores conditions and a deny of plain HTTP would deny everything.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import boto3
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

Properties = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """A resource as the template asks for it, with every reference resolved."""

    name: str  # what CloudFormation would call it when the template does not say
    logical_id: str
    properties: Properties
    region: str


class _Made(CloudFormationModel):
    """A resource that exists in some backend; CloudFormation only needs its name and attributes."""

    TYPE: ClassVar[str] = "Local::Made"
    GETATT: ClassVar[tuple[str, ...]] = ()
    endpoint_url: ClassVar[str]
    say: ClassVar[Say]

    def __init__(self, physical_id: str, attributes: dict[str, str] | None = None) -> None:
        self.physical_id = physical_id
        self.attributes = attributes or {}

    @property
    def physical_resource_id(self) -> str:
        return self.physical_id

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return ""

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.GETATT

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.attributes[attribute_name]

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> "_Made":  # fmt: skip
        del account_id
        return cls.make(
            Asked(resource_name, kwargs["LogicalId"], cloudformation_json["Properties"], region_name)
        )

    @classmethod
    def make(cls, ask: Asked) -> "_Made":
        raise NotImplementedError

    @classmethod
    def client(cls, service: str, region: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # a name known only at run time
            service,
            region_name=region,
            endpoint_url=cls.endpoint_url,
            aws_access_key_id="set-up",
            aws_secret_access_key="set-up",
        )


class Secret(_Made):
    TYPE = "AWS::SecretsManager::Secret"
    GETATT = ("Id",)

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        # Without a value, as the template has none: an operator fills it in.
        arn = cls.client("secretsmanager", ask.region).create_secret(
            Name=ask.properties.get("Name", ask.name)
        )["ARN"]
        return cls(arn, {"Id": arn})


class TaskDefinition(_Made):
    """moto has this type but drops the roles, the size, the volumes' sizes and the platform."""

    TYPE = "AWS::ECS::TaskDefinition"
    GETATT = ("TaskDefinitionArn",)

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        arguments = _camel(ask.properties)
        arguments["tags"] = [{"key": tag["key"], "value": tag["value"]} for tag in arguments.get("tags", ())]
        if "ephemeralStorage" in arguments:
            size = arguments["ephemeralStorage"].pop("sizeInGiB")
            arguments["ephemeralStorage"]["sizeInGiB"] = int(size)
        definition = cls.client("ecs", ask.region).register_task_definition(**arguments)["taskDefinition"]
        arn = definition["taskDefinitionArn"]
        return cls(arn, {"TaskDefinitionArn": arn})


class CapacityProviderAssociations(_Made):
    TYPE = "AWS::ECS::ClusterCapacityProviderAssociations"

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        cls.client("ecs", ask.region).put_cluster_capacity_providers(
            cluster=ask.properties["Cluster"],
            capacityProviders=ask.properties["CapacityProviders"],
            defaultCapacityProviderStrategy=_camel(ask.properties["DefaultCapacityProviderStrategy"]),
        )
        return cls(ask.properties["Cluster"])


class Alarm(_Made):
    TYPE = "AWS::CloudWatch::Alarm"
    GETATT = ("Arn",)

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        cloudwatch = cls.client("cloudwatch", ask.region)
        name = ask.properties.setdefault("AlarmName", ask.name)
        cloudwatch.put_metric_alarm(**ask.properties)
        arn = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]
        return cls(name, {"Arn": arn})


class ScalableTarget(_Made):
    TYPE = "AWS::ApplicationAutoScaling::ScalableTarget"

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        ask.properties.pop("Tags", None)
        cls.client("application-autoscaling", ask.region).register_scalable_target(**ask.properties)
        return cls(
            "|".join(ask.properties[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace"))
        )


class ScalingPolicy(_Made):
    TYPE = "AWS::ApplicationAutoScaling::ScalingPolicy"

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        resource, dimension, namespace = ask.properties.pop("ScalingTargetId").split("|")
        arn = cls.client("application-autoscaling", ask.region).put_scaling_policy(
            ResourceId=resource,
            ScalableDimension=dimension,
            ServiceNamespace=namespace,
            TargetTrackingScalingPolicyConfiguration=ask.properties.get(
                "TargetTrackingScalingPolicyConfiguration", {}
            ),
            PolicyName=ask.properties["PolicyName"],
            PolicyType=ask.properties["PolicyType"],
        )["PolicyARN"]
        return cls(arn)


class _ResourcePolicy(_Made):
    @classmethod
    def without_conditions(cls, ask: Asked) -> Properties | None:
        policy = ask.properties["PolicyDocument"]
        kept = [statement for statement in policy["Statement"] if not statement.get("Condition")]
        if len(kept) < len(policy["Statement"]):
            cls.say(f"{ask.logical_id}: statements with a Condition (moto ignores conditions)")
        return {**policy, "Statement": kept} if kept else None


class QueuePolicy(_ResourcePolicy):
    TYPE = "AWS::SQS::QueuePolicy"

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        policy = cls.without_conditions(ask)
        if policy is not None:
            for url in ask.properties["Queues"]:
                cls.client("sqs", ask.region).set_queue_attributes(
                    QueueUrl=url, Attributes={"Policy": json.dumps(policy)}
                )
        return cls(ask.name)


class BucketPolicy(_ResourcePolicy):
    TYPE = "AWS::S3::BucketPolicy"

    @classmethod
    def make(cls, ask: Asked) -> _Made:
        policy = cls.without_conditions(ask)
        if policy is not None:
            cls.client("s3", ask.region).put_bucket_policy(
                Bucket=ask.properties["Bucket"], Policy=json.dumps(policy)
            )
        return cls(ask.name)


_TYPES: tuple[type[_Made], ...] = (
    Secret,
    TaskDefinition,
    CapacityProviderAssociations,
    Alarm,
    ScalableTarget,
    ScalingPolicy,
    QueuePolicy,
    BucketPolicy,
)


def register(endpoint_url: str, say: Say) -> None:
    """Teach this process's moto the types above; they call the API at `endpoint_url`.

    `say` is given a line for each thing that is left out.
    """
    _Made.endpoint_url = endpoint_url
    _Made.say = staticmethod(say)
    known = parsing.get_model_map()
    for model in _TYPES:
        known[model.TYPE] = model


_FREE_NAMES = ("Options", "DockerLabels")


def _camel(value: Any, *, keys: bool = True) -> Any:
    """CloudFormation's PascalCase as the ECS API spells it; maps of free names are left as they are."""
    if isinstance(value, dict):
        return {
            (key[0].lower() + key[1:] if keys else key): _camel(
                item, keys=key not in ("Options", "DockerLabels")
            )
            for key, item in value.items()
        }
    return [_camel(item) for item in value] if isinstance(value, list) else value
