"""Work that takes longer than SQS holds a receipt hands itself over in time, and is protected until then."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding
from stacks.validation.visibility import RECEIPT_CAP_S

_PROTECTION_CAP_MINUTES = 2_880


def check(deployment: Deployment) -> Iterator[Finding]:
    for service in deployment.services():
        handover = service.number("HANDOVER_AFTER_S")
        visibility = service.number("VISIBILITY_TIMEOUT_S") or 0
        if handover is None:
            continue
        if handover + visibility > RECEIPT_CAP_S:
            yield Finding(
                f"The {service.name} hands work over after {handover / 3600:g} h, and a renewal then could "
                "ask for more than the 12 h that SQS holds a receipt. "
                f"Set handover_after_s to {RECEIPT_CAP_S - visibility:g} or less.",
                service.task,
                "ContainerDefinitions",
            )
        protection = service.number("PROTECTION_MINUTES")
        if protection is not None and not handover <= protection * 60 <= _PROTECTION_CAP_MINUTES * 60:
            yield Finding(
                f"The {service.name} protects itself from scale-in for {protection:g} minutes, but may "
                f"work on one message for {handover / 60:g}. Protect it for at least that and at most "
                f"{_PROTECTION_CAP_MINUTES} minutes, which is ECS's limit.",
                service.task,
                "ContainerDefinitions",
            )
