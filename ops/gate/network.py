"""Reachability: security-group rules, network ACLs and routes, compared by what they let through."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from ops.assembly.model import Resource, Stack
from ops.assembly.tokens import text_of
from ops.gate.model import ChangeKind, Finding

_ALL_PORTS = (0, 65535)
_ANYWHERE = ("0.0.0.0/0", "::/0")
_INGRESS_PEERS = (
    "CidrIp",
    "CidrIpv6",
    "SourceSecurityGroupId",
    "SourcePrefixListId",
    "SourceSecurityGroupName",
)
_EGRESS_PEERS = ("CidrIp", "CidrIpv6", "DestinationSecurityGroupId", "DestinationPrefixListId")
_OUTSIDE_TARGETS = (
    "CarrierGatewayId",
    "CoreNetworkArn",
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "InstanceId",
    "LocalGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcEndpointId",
    "VpcPeeringConnectionId",
)
_WAYS = {"in": "in from", "out": "out to", "route": "routed to", "list": "for the list's users:"}
_RULE_TYPES = {
    "AWS::EC2::SecurityGroupIngress": ("in", _INGRESS_PEERS),
    "AWS::EC2::SecurityGroupEgress": ("out", _EGRESS_PEERS),
}


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One thing that is let through: by which group, in which direction, on which ports, from or to whom."""

    at: str
    direction: str
    protocol: str
    ports: tuple[int, int]
    peer: str

    def covers(self, other: "Opening") -> bool:
        """True when everything that `other` lets through, this lets through too."""
        return (
            (self.at, self.direction) == (other.at, other.direction)
            and self.protocol in ("-1", other.protocol)
            and (self.protocol == "-1" or _within(other.ports, self.ports))
            and _peer_covers(self.peer, other.peer)
        )

    def describe(self) -> str:
        protocol = "all traffic" if self.protocol == "-1" else self.protocol
        first, last = self.ports
        ports = "" if self.protocol == "-1" or self.ports == _ALL_PORTS else f" port {first}"
        ports += f"-{last}" if ports and last != first else ""
        way = {"in": "in from", "out": "out to", "route": "routed to", "list": "for the list's users:"}[
            self.direction
        ]
        return f"{protocol}{ports} {way} {self.peer}"


def network_findings(before: Stack | None, after: Stack) -> list[Finding]:
    """Openings of the new template that no opening of the old one covers, grouped by resource."""
    old = [opening for _, opening in _openings(before)] if before else []
    wider: dict[str, list[str]] = {}
    for resource, opening in _openings(after):
        if not any(was.covers(opening) for was in old):
            wider.setdefault(resource.logical_id, []).append(opening.describe())
    denied = list(_no_longer_denied(before, after)) if before else []
    return denied + [
        Finding(
            environment=after.environment,
            stack=after.name,
            resource=logical_id,
            resource_type=after.resources[logical_id].type,
            kind=ChangeKind.NETWORK_BROADENED,
            text="lets more through than before",
            details=tuple(f"now open: {line}" for line in dict.fromkeys(lines)),
        )
        for logical_id, lines in sorted(wider.items())
    ]


def _no_longer_denied(before: Stack, after: Stack) -> Iterator[Finding]:
    """Denials of network ACLs that are gone, or denied by another rule's number, range or port."""
    for entry in before.of_type("AWS::EC2::NetworkAclEntry"):
        if entry.properties.get("RuleAction") != "deny":
            continue
        now = after.resources.get(entry.logical_id)
        if now is None or now.properties != entry.properties:
            yield Finding(
                environment=after.environment,
                stack=after.name,
                resource=entry.logical_id,
                resource_type=entry.type,
                kind=ChangeKind.NETWORK_BROADENED,
                text="a denial is gone or is another",
                details=(f"denied before: {_acl_entry(entry.properties).describe()}",),
            )


def _openings(stack: Stack) -> Iterator[tuple[Resource, Opening]]:
    for resource in stack.resources.values():
        properties = resource.properties
        if resource.type == "AWS::EC2::SecurityGroup":
            at = "${" + resource.logical_id + ".GroupId}"
            yield from ((resource, opening) for opening in _group(properties, at))
        elif resource.type in _RULE_TYPES:
            direction, peers = _RULE_TYPES[resource.type]
            at = _group_name(properties.get("GroupId"))
            yield from ((resource, opening) for opening in _rule(properties, at, direction, peers))
        elif resource.type == "AWS::EC2::NetworkAclEntry" and properties.get("RuleAction") == "allow":
            yield resource, _acl_entry(properties)
        elif resource.type == "AWS::EC2::PrefixList":
            at = "${" + resource.logical_id + "}"
            for entry in properties.get("Entries", []):
                yield (
                    resource,
                    Opening(
                        at=at,
                        direction="list",
                        protocol="-1",
                        ports=_ALL_PORTS,
                        peer=text_of(entry.get("Cidr")),
                    ),
                )
        elif resource.type == "AWS::EC2::Route":
            yield from ((resource, opening) for opening in _route(properties))


def _group(properties: dict[str, Any], at: str) -> Iterator[Opening]:
    for rule in properties.get("SecurityGroupIngress", []):
        yield from _rule(rule, at, "in", _INGRESS_PEERS)
    if "SecurityGroupEgress" not in properties:
        # What EC2 gives a group that names no egress rule.
        for peer in _ANYWHERE:
            yield Opening(at=at, direction="out", protocol="-1", ports=_ALL_PORTS, peer=peer)
    for rule in properties.get("SecurityGroupEgress", []):
        yield from _rule(rule, at, "out", _EGRESS_PEERS)


def _rule(rule: dict[str, Any], at: str, direction: str, peers: tuple[str, ...]) -> Iterator[Opening]:
    protocol = text_of(rule.get("IpProtocol", "-1")).lower()
    if protocol == "icmp" and rule.get("CidrIp") == "255.255.255.255/32":
        return  # How CDK writes "nothing at all".
    first, last = rule.get("FromPort"), rule.get("ToPort")
    if isinstance(first, dict) or isinstance(last, dict):
        # Ports that only a deployment knows compare by their text.
        protocol = f"{protocol} ports {text_of(first)} to {text_of(last)}"
    ports = (_port(first, 0), _port(last, 65535))
    for name in peers:
        if name in rule:
            yield Opening(
                at=at, direction=direction, protocol=protocol, ports=ports, peer=text_of(rule[name])
            )


def _acl_entry(properties: dict[str, Any]) -> Opening:
    span = properties.get("PortRange") or {}
    return Opening(
        at=text_of(properties.get("NetworkAclId")),
        direction="out" if text_of(properties.get("Egress", False)) == "true" else "in",
        protocol=text_of(properties.get("Protocol", -1)),
        ports=(_port(span.get("From"), 0), _port(span.get("To"), 65535)),
        peer=text_of(properties.get("CidrBlock", properties.get("Ipv6CidrBlock"))),
    )


def _route(properties: dict[str, Any]) -> Iterator[Opening]:
    """Routes out of the VPC. A NAT gateway lets nothing in, and is a matter of cost rather than access."""
    named = (
        properties[name]
        for name in ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
        if name in properties
    )
    peer = text_of(next(named, None))
    for name in _OUTSIDE_TARGETS:
        if name in properties:
            yield Opening(
                at=text_of(properties.get("RouteTableId")),
                direction="route",
                protocol="-1",
                ports=_ALL_PORTS,
                peer=peer,
            )


def _group_name(value: Any) -> str:
    name = text_of(value)
    return name if name.endswith(".GroupId}") or not name.startswith("${") else f"{name[:-1]}.GroupId}}"


def _port(value: Any, otherwise: int) -> int:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    # -1 is ICMP's "all types".
    return value if isinstance(value, int) and value >= 0 else otherwise


def _within(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _peer_covers(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    try:
        outer, inner = ip_network(wide, strict=False), ip_network(narrow, strict=False)
    except ValueError:
        return False
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]
