"""A message stays with whoever works on it: queue and runtime agree, and one lost heartbeat is no harm."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding

RECEIPT_CAP_S = 43_200
# A tick may fail and the next one be late before the message is somebody else's.
_TICKS_IN_A_TIMEOUT = 3


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        told = service.number("VISIBILITY_TIMEOUT_S")
        for queue, _ in service.pairs:
            actual = queue.properties.get("VisibilityTimeout")
            if told is not None and told != actual:
                yield Finding(
                    f"The {service.name} is told VISIBILITY_TIMEOUT_S={told:g}, but its queue has {actual}. "
                    "Set both from Messaging in stacks/environments.py.",
                    queue,
                    "VisibilityTimeout",
                )
        visibility, interval = service.number("VISIBILITY_TIMEOUT_S"), service.number("HEARTBEAT_INTERVAL_S")
        if visibility and interval and interval * _TICKS_IN_A_TIMEOUT > visibility:
            yield Finding(
                f"The {service.name} renews a message every {interval:g} s of a visibility timeout of "
                f"{visibility:g} s, so one lost heartbeat gives the message to another task. "
                f"Set heartbeat_interval_s to {visibility / _TICKS_IN_A_TIMEOUT:g} s or less.",
                service.task,
                "ContainerDefinitions",
            )
