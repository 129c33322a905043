"""A service grows with the work that waits, including what is in hand, and fills the tasks that it has."""

import json
from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding, Resource, ServiceView

# Above this many messages per slot a message waits for several others to finish before it is even begun;
# below the other, most of what a task could carry stays empty.
_MOST_PER_SLOT = 4
_LEAST_PER_SLOT = 0.5
# Minutes for a step to show in the metrics, which come a minute late, and for a lull to mean something to
# work of hours.
_LEAST_SCALE_OUT_S = 120
_LEAST_SCALE_IN_S = 600


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        backlog = [policy for policy in service.policies if _tracks_backlog(policy)]
        if not backlog:
            yield Finding(
                f"The {service.name} does not scale on its backlog. Work that waits on the network uses no "
                "CPU, visible messages alone make a busy fleet look idle, and running tasks as a divisor "
                "make the desired count collapse while protected tasks live on: track visible + in flight "
                "per desired task, with FILL where there is no data.",
                service.service,
                "DesiredCount",
            )
        for policy in backlog:
            yield from _target(service, policy)
        yield from _cooldowns(service)


def _tracks_backlog(policy: Resource) -> bool:
    text = json.dumps(policy.properties.get("TargetTrackingScalingPolicyConfiguration", {}))
    needed = (
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "DesiredTaskCount",
        "FILL(",
    )
    return all(metric in text for metric in needed) and "RunningTaskCount" not in text


def _target(service: ServiceView, policy: Resource) -> Iterator[Finding]:
    slots = service.number("SLOTS")
    configuration = policy.properties["TargetTrackingScalingPolicyConfiguration"]
    target = configuration["TargetValue"]
    if slots is not None and not slots * _LEAST_PER_SLOT <= target <= slots * _MOST_PER_SLOT:
        yield Finding(
            f"The {service.name} scales to {target} messages per task of {slots:g} slots. Below "
            f"{_LEAST_PER_SLOT:g} of the slots tasks stay mostly empty, above {_MOST_PER_SLOT} times as many "
            "messages wait: choose backlog_per_task between "
            f"{slots * _LEAST_PER_SLOT:g} and {slots * _MOST_PER_SLOT:g}.",
            policy,
            "TargetTrackingScalingPolicyConfiguration",
        )


def _cooldowns(service: ServiceView) -> Iterator[Finding]:
    for policy in service.policies:
        configuration = policy.properties["TargetTrackingScalingPolicyConfiguration"]
        for key, least, why in (
            ("ScaleOutCooldown", _LEAST_SCALE_OUT_S, "the tasks of the last step are not counted yet"),
            ("ScaleInCooldown", _LEAST_SCALE_IN_S, "a lull says nothing about work of hours"),
        ):
            if configuration.get(key, 300) < least:
                yield Finding(
                    f"The {service.name} has a {key} of {configuration[key]} s: after that {why}, and the "
                    f"count swings. Set {least} s or more.",
                    policy,
                    "TargetTrackingScalingPolicyConfiguration",
                )
        if configuration.get("DisableScaleIn") in (True, "true"):
            yield Finding(
                f"A scaling policy of the {service.name} never scales in, so every peak is paid for until "
                "somebody notices. Remove DisableScaleIn.",
                policy,
                "TargetTrackingScalingPolicyConfiguration",
            )
