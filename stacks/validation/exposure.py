"""Nothing is open to the internet."""

from collections.abc import Iterator

from stacks.validation.deployment import Deployment, Finding

_ANYWHERE = {"0.0.0.0/0", "::/0"}


def check(deployment: Deployment) -> Iterator[Finding]:
    for group in deployment.of_type("AWS::EC2::SecurityGroup"):
        for rule in group.properties.get("SecurityGroupIngress", ()):
            if {rule.get("CidrIp"), rule.get("CidrIpv6")} & _ANYWHERE:
                yield Finding(
                    f"The security group {group.path} admits the whole internet. Tasks call out and are "
                    "never called: remove the inbound rule.",
                    group,
                    "SecurityGroupIngress",
                )
    for rule in deployment.of_type("AWS::EC2::SecurityGroupIngress"):
        if {rule.properties.get("CidrIp"), rule.properties.get("CidrIpv6")} & _ANYWHERE:
            yield Finding(
                f"The rule {rule.path} admits the whole internet. Tasks call out and are never called: "
                "remove it.",
                rule,
                "CidrIp",
            )
