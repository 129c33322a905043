"""The half of CloudFormation that moto lacks (README.md): types, updates, deletions, drift."""

from moto.cloudformation import parsing

from local.cloudformation import (
    autoscaling,
    cloudwatch,
    drift,
    ecs,
    engine,
    extensions,
    notifications,
    policies,
    secrets,
)
from local.cloudformation.model import Api, ApiModel, Say

_TYPES: tuple[type[ApiModel], ...] = (
    autoscaling.ScalableTarget,
    autoscaling.ScalingPolicy,
    cloudwatch.Alarm,
    cloudwatch.CompositeAlarm,
    ecs.CapacityProviderAssociations,
    ecs.Service,
    ecs.TaskDefinition,
    notifications.Subscription,
    policies.BucketPolicy,
    policies.QueuePolicy,
    policies.TopicPolicy,
    secrets.Secret,
)


def register(endpoint_url: str, say: Say) -> None:
    """Teach this process's moto; the types call the API at `endpoint_url`.

    `say` is given a line for each thing that is left out.
    """
    Api.endpoint_url = endpoint_url
    Api.say = staticmethod(say)
    known = parsing.get_model_map()
    for model in _TYPES:
        known[model.TYPE] = model
    engine.install()
    extensions.install()
    drift.install()
