"""Outages cost time and crashes cost receives, and the runtime's limits follow the environment's.

It parks a message with a reason before its queue moves it without one.
"""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding, ServiceView

_TIME_LIMITS = ("LONGEST_OUTAGE_S", "NOT_READY_MAX_WAIT_S")
# One receive to see that there have been enough, and one more should parking not succeed at once.
_RECEIVES_TO_PARK = 2


def check(deployment: Deployment) -> Iterator[Finding]:
    longest_s = deployment.environment.load.longest_outage_hours * 3600
    for service in deployment.services():
        for name in _TIME_LIMITS:
            limit = service.number(name)
            if limit is not None and limit != longest_s:
                yield Finding(
                    f"The {service.name} is told {name}={limit:g}, but the environment's longest outage is "
                    f"{longest_s:g} s: work would be given up in the middle of it, or long after. "
                    "Set it from longest_outage_hours.",
                    service.task,
                    "ContainerDefinitions",
                )
        yield from _receives(service)


def _receives(service: ServiceView) -> Iterator[Finding]:
    allowed = service.queue.properties.get("RedrivePolicy", {}).get("maxReceiveCount")
    crashes = service.number("MAX_RECEIVE_COUNT")
    if allowed is None or crashes is None:
        return
    if allowed < crashes + _RECEIVES_TO_PARK:
        yield Finding(
            f"SQS moves a message of the {service.name} after {allowed} receives, and the runtime parks it "
            f"with its reason after {crashes:g}: it would vanish without one. "
            f"Set max_receive_count of the redrive policy to {crashes + _RECEIVES_TO_PARK:g} or more.",
            service.queue,
            "RedrivePolicy",
        )
