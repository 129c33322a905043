"""Application Auto Scaling: what may be scaled, and by which policy."""

from typing import Any

from local.cloudformation.model import Api, ApiModel, Properties, ResourceRequest

_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")


class ScalableTarget(ApiModel):
    """`Ref` is `resource|dimension|namespace`, as documented."""

    TYPE = "AWS::ApplicationAutoScaling::ScalableTarget"
    REPLACED_BY = frozenset(_TARGET)

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        # Its tags are on the resource in AWS; moto's API has no such argument.
        arguments = {name: value for name, value in asked.properties.items() if name != "Tags"}
        Api.client("application-autoscaling", asked.region).register_scalable_target(**arguments)
        return cls("|".join(asked.properties[name] for name in _TARGET), asked)

    def remove(self) -> None:
        Api.client("application-autoscaling", self.asked.region).deregister_scalable_target(
            **{name: self.asked.properties[name] for name in _TARGET}
        )

    def read(self) -> Properties | None:
        targets: Any = Api.client("application-autoscaling", self.asked.region).describe_scalable_targets(
            ServiceNamespace=self.asked.properties["ServiceNamespace"],
            ResourceIds=[self.asked.properties["ResourceId"]],
        )["ScalableTargets"]
        if not targets:
            return {}
        return {name: targets[0][name] for name in ("MinCapacity", "MaxCapacity")}


class ScalingPolicy(ApiModel):
    TYPE = "AWS::ApplicationAutoScaling::ScalingPolicy"
    GETATT = ("Arn",)
    REPLACED_BY = frozenset({"PolicyName", "ScalingTargetId"})

    @classmethod
    def make(cls, asked: ResourceRequest) -> ApiModel:
        resource, dimension, namespace = asked.properties["ScalingTargetId"].split("|")
        arn = Api.client("application-autoscaling", asked.region).put_scaling_policy(
            ResourceId=resource,
            ScalableDimension=dimension,
            ServiceNamespace=namespace,
            PolicyName=asked.properties["PolicyName"],
            PolicyType=asked.properties["PolicyType"],
            TargetTrackingScalingPolicyConfiguration=asked.properties.get(
                "TargetTrackingScalingPolicyConfiguration", {}
            ),
        )["PolicyARN"]
        return cls(arn, asked, {"Arn": arn})

    def remove(self) -> None:
        resource, dimension, namespace = self.asked.properties["ScalingTargetId"].split("|")
        Api.client("application-autoscaling", self.asked.region).delete_scaling_policy(
            PolicyName=self.asked.properties["PolicyName"],
            ServiceNamespace=namespace,
            ResourceId=resource,
            ScalableDimension=dimension,
        )

    def read(self) -> Properties:
        resource, dimension, namespace = self.asked.properties["ScalingTargetId"].split("|")
        policies: Any = Api.client("application-autoscaling", self.asked.region).describe_scaling_policies(
            ServiceNamespace=namespace, ResourceId=resource, ScalableDimension=dimension
        )["ScalingPolicies"]
        # moto ignores PolicyNames.
        found = [one for one in policies if one["PolicyName"] == self.asked.properties["PolicyName"]]
        if not found:
            return {}
        name = "TargetTrackingScalingPolicyConfiguration"
        return {"PolicyType": found[0]["PolicyType"], name: found[0].get(name)}
