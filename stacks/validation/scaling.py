"""A service grows with the work that waits, including what is in hand, and fills the tasks that it has."""

import json
from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding, Resource, ServiceView

# Above this many messages per slot a message waits for several others to finish before it is even begun.
_WAITING_PER_SLOT = 4


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        backlog = [policy for policy in service.policies if _tracks_backlog(policy)]
        if not backlog:
            yield Finding(
                f"The {service.name} does not scale on its backlog. Work that waits on the network uses no "
                "CPU, and visible messages alone make a busy fleet look idle: track visible + in flight "
                "per running task.",
                service.service,
                "DesiredCount",
            )
        for policy in backlog:
            yield from _target(service, policy)


def _tracks_backlog(policy: Resource) -> bool:
    text = json.dumps(policy.properties.get("TargetTrackingScalingPolicyConfiguration", {}))
    needed = (
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "RunningTaskCount",
    )
    return all(metric in text for metric in needed)


def _target(service: ServiceView, policy: Resource) -> Iterator[Finding]:
    slots = service.number("SLOTS")
    target = policy.properties["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
    if slots is not None and not slots <= target <= slots * _WAITING_PER_SLOT:
        yield Finding(
            f"The {service.name} scales to {target} messages per task of {slots:g} slots. Below the slots "
            f"tasks are never full, above {_WAITING_PER_SLOT} times as many messages wait: choose "
            f"backlog_per_task between {slots:g} and {slots * _WAITING_PER_SLOT:g}.",
            policy,
            "TargetTrackingScalingPolicyConfiguration",
        )
