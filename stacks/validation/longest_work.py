"""Work that takes longer than SQS holds a receipt hands itself over in time, and is protected until then."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding
from stacks.validation.visibility import RECEIPT_CAP_S


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
        if protection is not None and protection * 60 < handover:
            yield Finding(
                f"The {service.name} protects itself from scale-in for {protection:g} minutes, but may work "
                f"on one message for {handover / 60:g}: without a renewal it could be stopped in the middle. "
                "Set PROTECTION_MINUTES to that or more.",
                service.task,
                "ContainerDefinitions",
            )
