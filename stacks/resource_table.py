"""docs/resources.md: every resource of every environment, with the reason it is there.

`python -m stacks.resource_table cdk.out` prints the page from a synthesized assembly. A resource without a
reason, and a reason without a resource, are errors: a new resource explains itself before it is merged.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

# Construct path below the environment (shell pattern; the first that fits counts) → why it is there.
REASONS: Mapping[str, str] = {
    "network/Vpc/Resource": "The tasks' own network, so that nothing else is reachable from them or "
    "reaches them",
    "network/Vpc/IGW": "The Export API is on the internet",
    "network/Vpc/VPCGW": "Attaches the internet gateway",
    "network/Vpc/publicSubnet?/Subnet": "Where tasks with public addresses run, or the NAT gateways; one "
    "per zone",
    "network/Vpc/publicSubnet?/EIP": "A fixed address that the vendor can put on an allow-list (egress "
    "`nat`)",
    "network/Vpc/publicSubnet?/NATGateway": "The way out of the private subnets (egress `nat`)",
    "network/Vpc/publicSubnet?/DefaultRoute": "Out through the internet gateway",
    "network/Vpc/tasksSubnet?/Subnet": "Where the tasks run when egress is `nat`, and the interface "
    "endpoints; one per zone, there before they are needed so that egress can be switched",
    "network/Vpc/tasksSubnet?/DefaultRoute": "Out through the NAT gateway",
    "network/Vpc/*Subnet?/RouteTable": "One per subnet, so that each zone can have a way out of its own",
    "network/Vpc/*Subnet?/RouteTableAssociation": "Gives the subnet its routes",
    "network/Vpc/S3/Resource": "Gateway endpoint: the bulk of the bytes passes no charged hop, "
    "to our bucket and no other",
    "network/Vpc/DynamoDb/Resource": "Gateway endpoint: ledger and metadata calls pass no charged hop",
    "network/Vpc/FlowLog/FlowLog": "Who talked to whom, for the day that has to be known",
    "network/FlowLogRole/Resource": "Lets the flow log write to its log group",
    "network/FlowLogRole/DefaultPolicy/Resource": "That log group and no other",
    "network/FlowLogs/Group/Resource": "Keeps the flow log for the environment's retention",
    "network/Vpc/*/Resource": "Interface endpoint: calls to this AWS service stay inside the network",
    "network/Endpoints/Resource": "Admits HTTPS from the network to the interface endpoints",
    "network/Cluster/Resource": "Both services run here; Container Insights counts the tasks that scaling "
    "divides by",
    "network/Cluster/Cluster": "Makes FARGATE and FARGATE_SPOT available to the services",
    "storage/Bucket/Resource": "The extracted files and the manifests",
    "storage/Bucket/Policy/Resource": "Refuses requests without TLS",
    "storage/Ledger/Table/Resource": "Where every job and task stands; claims that keep effects to one",
    "storage/Metadata/Table/Resource": "What should be in the archives, where its owners keep no table of "
    "their own",
    "storage/ExportApiSecret/Resource": "The Export API's credentials; operators fill in the value",
    "storage/Key/Resource": "The environment's own encryption key, so that its use is ours to allow and to "
    "see",
    "messaging/*/Queue/Resource": "Work that waits for a service",
    "messaging/*/Queue/Policy/Resource": "Refuses requests without TLS; admits the environment's producers",
    "messaging/*/DeadLetterQueue/Resource": "Work that can never succeed or ran out of tries, with its "
    "reason",
    "messaging/*/DeadLetterQueue/Policy/Resource": "Refuses requests without TLS",
    "notifications/Topic/Resource": "Where summaries of events are sent, for people and tools to subscribe",
    "notifications/Topic/Policy/Resource": "Lets the rules publish, and nobody without TLS",
    "notifications/Topic/*/Resource": "The address that the environment names",
    "notifications/*": "Turns one kind of event into a summary",
    "observability/*/DeadLetters/Resource": "Shows that parked work still needs a decision",
    "observability/*/NewDeadLetters/Resource": "Work was parked just now, whatever was there before",
    "observability/*/Expiring/Resource": "SQS drops a message after 14 days",
    "observability/*/NotTaken/Resource": "Work waits and no task takes it",
    "observability/*/BacklogAge/Resource": "A message has waited too long",
    "observability/*/QueueWait/Resource": "What waits would take too long at the present pace",
    "observability/*/NoCompletions/Resource": "There is work in hand and none of it gets finished",
    "observability/*/Memory/Resource": "A task is close to being stopped for its memory",
    "observability/*-CircuitOpen/Resource": "Something the services depend on fails and is not being asked",
    "observability/*-FailingWork/Resource": "Some work has failed for hours without progress",
    "observability/IncompleteJobs/Resource": "A job ended and files that its metadata expects are not in S3",
    "observability/RejectedEntries/Resource": "A vendor's new quirk shows the same hour",
    "observability/SpotInterruptionsAlarm/Resource": "Spot is scarce; work is being handed over more than "
    "usual",
    "observability/FailedDeploymentAlarm/Resource": "A deployment did not succeed and was rolled back",
    "observability/*/Rule": "Picks these events of ECS out of the bus",
    "observability/*/Events/Group/Resource": "Keeps these events for reading; the alarm counts them",
    "observability/EventLogs/Policy/ResourcePolicy": "Lets the two rules write to their log groups",
    "observability/*/Alarm/Resource": "One message for one fault: the alarms of a theme, and those alone",
    "observability/Alarms/Resource": "Where people and paging tools subscribe",
    "observability/Alarms/Policy/Resource": "Lets this account's alarms publish, and nobody without TLS",
    "observability/Alarms/*/Resource": "The address that the environment names",
    "observability/Dashboard/Dashboard/Resource": "Are we keeping up, what is failing, what does it cost",
    "*/Task/Resource": "What a task is: the image, its command, settings, size, health check and limits",
    "*/TaskRole/Resource": "Who the service is to AWS",
    "*/TaskRole/DefaultPolicy/Resource": "What the service may do: the calls that it makes and no other",
    "*/OwnService/Resource": "Lets a worker see that it is one too many, or of an old version",
    "*/ExecutionRole/Resource": "Who ECS is while it starts a task",
    "*/ExecutionRole/DefaultPolicy/Resource": "Pull the image, write the logs",
    "*/Logs/Group/Resource": "The service's log lines and metrics",
    "*/Service/Service": "Keeps the tasks running and replaces them at a deployment",
    "*/Service/TaskCount/Target/Resource": "The least and the most tasks",
    "*/Service/TaskCount/Target/Cpu/Resource": "Adds tasks for work that is heavier than its count says",
    "*/Scaling/Policy": "Adds tasks for what waits and is in hand, and removes them when it is done",
    "*/Group/Resource": "HTTPS out, nothing in",
    "*/VersionAlarm/Resource": "Rolls back a deployment that fails at what the last version did",
}
# Of stacks that no environment here may have: their reasons may be without a resource.
_OPTIONAL = "notifications/"
_NOT_OURS = "AWS::CDK::Metadata"
_HEADER = """# Every resource and its reason

Generated from the synthesized templates by `make docs`; a test keeps it fresh. The path is the construct path
below the environment, which is also the way to the code: `worker/Worker/Task` is made in `stacks/worker.py`.
"""


class Unexplained(ValueError):
    """A resource without a reason, or a reason without a resource."""


def render(assembly: Path) -> str:
    """The page for a synthesized assembly. Raises Unexplained."""
    where: dict[tuple[str, str], list[str]] = {}
    for environment, path, type_ in _resources(assembly):
        where.setdefault((path, type_), []).append(environment)
    used: set[str] = set()
    lines: list[str] = [_HEADER]
    stack = ""
    for (path, type_), environments in sorted(where.items()):
        pattern = next((pattern for pattern in REASONS if fnmatchcase(path, pattern)), None)
        if pattern is None:
            raise Unexplained(f"{path} ({type_}) has no reason yet: add one to REASONS in {__name__}")
        used.add(pattern)
        name, _, rest = path.partition("/")
        if name != stack:
            stack = name
            lines += [f"\n## {stack}\n", "| resource | type | where | reason |", "|---|---|---|---|"]
        short = rest.removesuffix("/Resource")
        lines.append(f"| `{short}` | {type_} | {', '.join(sorted(environments))} | {REASONS[pattern]} |")
    if unused := sorted(r for r in set(REASONS) - used if not r.startswith(_OPTIONAL)):
        raise Unexplained(f"no resource has this reason any more: {', '.join(unused)}")
    return "\n".join(lines) + "\n"


def _resources(assembly: Path) -> Iterator[tuple[str, str, str]]:
    for file in sorted(assembly.glob("assembly-*/*.template.json")):
        for logical_id, body in json.loads(file.read_text())["Resources"].items():
            if body["Type"] != _NOT_OURS:
                path = body.get("Metadata", {}).get("aws:cdk:path", logical_id)
                environment, _, rest = path.partition("/")
                # An address is the environment's own; the table shows that there is one.
                yield (
                    environment,
                    "/".join("(email)" if "@" in p else p for p in rest.split("/")),
                    body["Type"],
                )


if __name__ == "__main__":
    sys.stdout.write(render(Path(sys.argv[1])))
