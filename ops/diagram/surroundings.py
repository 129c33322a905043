"""The network around the services and what watches over them, as lines for the picture's side panels."""

from collections import Counter
from collections.abc import Iterator

from ops.assembly.model import Json
from ops.assembly.tokens import text_of
from ops.diagram.templates import Templates


def network_title(templates: Templates) -> str:
    for _, vpc in templates.every("AWS::EC2::VPC"):
        return f"VPC {text_of(vpc.properties['CidrBlock'])}"
    return "VPC (existing)"


def network_lines(templates: Templates) -> Iterator[str]:
    """Subnets by tier, the way out, endpoints, flow logs, and what may come in."""
    tiers: dict[str, list[str]] = {}
    for _, subnet in templates.every("AWS::EC2::Subnet"):
        tags = {tag["Key"]: tag["Value"] for tag in subnet.properties.get("Tags", [])}
        zone = text_of(subnet.properties.get("AvailabilityZone", "?"))
        tiers.setdefault(tags.get("aws-cdk:subnet-name", "subnet"), []).append(zone)
    for tier, zones in tiers.items():
        yield f"{tier} subnets in {', '.join([zones[0], *(zone[-1] for zone in zones[1:])])}"
    yield _way_out(templates)
    gateways: list[str] = []
    interfaces: list[str] = []
    for _, endpoint in templates.every("AWS::EC2::VPCEndpoint"):
        name = ".".join(text_of(endpoint.properties["ServiceName"]).split(".")[3:])
        (interfaces if endpoint.properties.get("VpcEndpointType") == "Interface" else gateways).append(name)
    if gateways:
        yield "gateway endpoints: " + ", ".join(sorted(gateways))
    if interfaces:
        yield "interface endpoints: " + ", ".join(sorted(interfaces))
    if list(templates.every("AWS::EC2::FlowLog")):
        yield "flow logs on"
    yield from _inbound(templates)


def _way_out(templates: Templates) -> str:
    public = {_address(service.properties) for _, service in templates.every("AWS::ECS::Service")}
    gateways = len(list(templates.every("AWS::EC2::NatGateway")))
    if public == {"ENABLED"}:
        return "out: public addresses of the tasks"
    return (
        f"out: {gateways} NAT gateway{'s' if gateways != 1 else ''}" if gateways else "out: as the VPC has it"
    )


def _address(service: Json) -> str:
    network: Json = service.get("NetworkConfiguration", {}).get("AwsvpcConfiguration", {})
    return text_of(network.get("AssignPublicIp", "DISABLED"))


def _inbound(templates: Templates) -> Iterator[str]:
    groups = {
        place
        for stack, service in templates.every("AWS::ECS::Service")
        for value in service.properties["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"]
        if isinstance(place := templates.resolve(stack, value), tuple)
    }
    rules = sum(
        len(group.properties.get("SecurityGroupIngress", []))
        for stack, group in templates.every("AWS::EC2::SecurityGroup")
        if (stack.name, group.logical_id) in groups
    )
    rules += sum(
        templates.resolve(stack, rule.properties["GroupId"]) in groups
        for stack, rule in templates.every("AWS::EC2::SecurityGroupIngress")
    )
    yield "tasks: no inbound rule" if not rules else f"tasks: {rules} INBOUND RULES"


def watching_lines(templates: Templates) -> Iterator[str]:
    """Alarms and where they go; what is kept, and under which key."""
    alarms = Counter(stack.name for stack, _ in templates.every("AWS::CloudWatch::Alarm"))
    spread = ", ".join(f"{count} in {name}" for name, count in sorted(alarms.items()))
    words = [f"{sum(alarms.values())} alarms ({spread})"] if alarms else []
    themes = list(templates.every("AWS::CloudWatch::CompositeAlarm"))
    if themes:
        words.append(_counted(len(themes), "composite alarm") + " by theme")
    protocols = [
        text_of(item.properties["Protocol"]) for _, item in templates.every("AWS::SNS::Subscription")
    ]
    if list(templates.every("AWS::SNS::Topic")):
        words.append("SNS topic" + (f" to {', '.join(sorted(protocols))}" if protocols else ""))
    dashboards = len(list(templates.every("AWS::CloudWatch::Dashboard")))
    yield " → ".join(words) + (f"; {_counted(dashboards, 'dashboard')}" if dashboards else "")
    groups = [group.properties.get("RetentionInDays") for _, group in templates.every("AWS::Logs::LogGroup")]
    kept = " or ".join(
        f"{days} days" if days else "for ever" for days in sorted(set(groups), key=lambda d: d or 0)
    )
    keys = len(list(templates.every("AWS::KMS::Key")))
    yield f"{_counted(len(groups), 'log group')} kept {kept}; {_counted(keys, 'customer-managed key')}"


def _counted(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
