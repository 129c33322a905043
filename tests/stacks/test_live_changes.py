"""A live environment changes its egress or its zones: nothing in the way, and nothing in use taken away.

CloudFormation updates stack by stack, creates before it deletes, and refuses to drop an export that another
stack still imports; so does `LiveStacks`. The network is then really changed on the local AWS.
"""

import json
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import aws_cdk as cdk
import pytest

from local.assembly import Environment as LocalEnvironment
from local.aws.account import LocalAccount
from local.aws.deployment import deploy
from ops.assembly.load import in_order, load_assembly
from ops.assembly.model import Stack
from stacks.application import ExportProcessing
from stacks.environments import DEV
from tests.stacks.conftest import CONTEXT

TWO, THREE = ("eu-west-1a", "eu-west-1b"), ("eu-west-1a", "eu-west-1b", "eu-west-1c")
PUBLIC = DEV.derive(network={"interface_endpoints": ("sqs", "secretsmanager")})
NAT = PUBLIC.derive(network={"egress": "nat", "nat_gateways": 1})
STATES = {
    "public": PUBLIC,
    "public, three zones": PUBLIC.derive(availability_zones=THREE),
    "nat": NAT,
    "nat, two gateways": NAT.derive(network={"nat_gateways": 2}),
    "nat, three zones": NAT.derive(availability_zones=THREE, network={"nat_gateways": 3}),
}
SERVICES_FIRST = ("orchestrator", "worker", "observability", "network")


@pytest.fixture(scope="module")
def states(tmp_path_factory) -> dict[str, tuple[Stack, ...]]:
    """Each state's stacks in the order of deployment."""
    found = {}
    for name, environment in STATES.items():
        app = cdk.App(context=CONTEXT, outdir=str(tmp_path_factory.mktemp("assembly")))
        ExportProcessing(app, environment=environment)
        found[name] = in_order(load_assembly(Path(app.synth().directory)), environment.name)
    return found


class LiveStacks:
    """What is deployed, and what CloudFormation would say to an update."""

    def __init__(self, stacks: tuple[Stack, ...]) -> None:
        self._templates = {stack.name: stack.template for stack in stacks}

    def update(self, stack: Stack) -> list[str]:
        """Put the stack in place of its older self; a sentence for everything that is in the way."""
        before = self._templates[stack.name]
        self._templates[stack.name] = stack.template
        imported = {
            name
            for other, template in self._templates.items()
            if other != stack.name
            for name in imports(template)
        }
        problems = [
            f"{stack.name}: export {name} is in use"
            for name, value in exports(before).items()
            if exports(stack.template).get(name) != value and name in imported
        ]
        exported = {name for template in self._templates.values() for name in exports(template)}
        problems += [f"{stack.name}: nothing exports {name}" for name in imports(stack.template) - exported]
        # Old and new are there together until the clean-up at the end.
        there = subnets(before) | subnets(stack.template)
        problems += [
            f"{stack.name}: {one} and {other} overlap"
            for (one, first), (other, second) in combinations(sorted(there), 2)
            if IPv4Network(first).overlaps(IPv4Network(second))
        ]
        return problems


def exports(template: dict) -> dict[str, str]:
    return {
        output["Export"]["Name"]: json.dumps(output["Value"], sort_keys=True)
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }


def imports(node: object) -> set[str]:
    if isinstance(node, dict):
        if isinstance(node.get("Fn::ImportValue"), str):
            return {node["Fn::ImportValue"]}
        return set().union(*map(imports, node.values()))
    return set().union(*map(imports, node)) if isinstance(node, list) else set()


def subnets(template: dict) -> set[tuple[str, str]]:
    return {
        (logical_id, body["Properties"]["CidrBlock"])
        for logical_id, body in template["Resources"].items()
        if body["Type"] == "AWS::EC2::Subnet"
    }


def change(before: tuple[Stack, ...], after: tuple[Stack, ...], first: tuple[str, ...] = ()) -> list[str]:
    live = LiveStacks(before)
    places = {name: place for place, name in enumerate(first)}
    order = sorted(after, key=lambda stack: places.get(stack.name, len(first)))
    return [problem for stack in order for problem in live.update(stack)]


GROWING = [
    ("public", "nat"),
    ("nat", "public"),
    ("nat", "nat, two gateways"),
    ("nat, two gateways", "nat"),
    ("public", "public, three zones"),
    ("public", "nat, three zones"),
    ("nat", "nat, three zones"),
    ("nat, three zones", "public, three zones"),
]
SHRINKING = [("public, three zones", "public"), ("nat, three zones", "nat"), ("nat, three zones", "public")]


@pytest.mark.parametrize(("before", "after"), GROWING)
def test_egress_changes_and_zones_are_added_in_one_deployment(states, before, after):
    assert change(states[before], states[after]) == []


@pytest.mark.parametrize(("before", "after"), SHRINKING)
def test_a_zone_is_given_up_once_the_services_have_left_it(states, before, after):
    in_one_go = change(states[before], states[after])
    assert in_one_go, "the network would go first"
    assert all("is in use" in problem for problem in in_one_go)
    assert change(states[before], states[after], SERVICES_FIRST) == []


def test_the_addresses_of_a_subnet_never_change(states):
    addresses: dict[str, set[str]] = {}
    for stacks in states.values():
        for stack in stacks:
            for logical_id, cidr in subnets(stack.template):
                addresses.setdefault(logical_id, set()).add(cidr)
    assert len(addresses) == 6
    assert all(len(ranges) == 1 for ranges in addresses.values())


def test_interface_endpoints_stay_where_they_are(states):
    placed = {
        json.dumps(endpoint.properties["SubnetIds"][:2])
        for stacks in states.values()
        for stack in stacks
        for endpoint in stack.of_type("AWS::EC2::VPCEndpoint")
        if endpoint.properties["VpcEndpointType"] == "Interface"
    }
    assert len(placed) == 1


@pytest.fixture
def account(tmp_path) -> Iterator[LocalAccount]:
    local = LocalAccount(DEV.account, DEV.region, tmp_path)
    yield local
    local.close()


def test_the_local_aws_takes_the_change(account, states):
    foundation = {"storage", "network"}
    before = [stack for stack in states["public"] if stack.name in foundation]
    deploy(
        LocalEnvironment(DEV.account, DEV.region, tuple(before)),
        account.client,
        endpoint_url=account.endpoint_url,
    )
    cloudformation, ec2 = account.client("cloudformation"), account.client("ec2")
    vpcs = {vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]}
    for name in ("nat", "nat, three zones", "public, three zones"):
        (network,) = [stack for stack in states[name] if stack.name == "network"]
        # moto fails on a parameter that is left as it was.
        template = {key: part for key, part in network.template.items() if key not in ("Parameters", "Rules")}
        cloudformation.update_stack(
            StackName=network.stack_name,
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        (described,) = cloudformation.describe_stacks(StackName=network.stack_name)["Stacks"]
        assert described["StackStatus"] == "UPDATE_COMPLETE"
        there = [s for s in ec2.describe_subnets()["Subnets"] if s["VpcId"] in vpcs]
        assert len(there) == 2 * len(STATES[name].availability_zones)
        made = ec2.describe_nat_gateways(Filter=[{"Name": "state", "Values": ["available"]}])
        # moto makes gateways, and leaves those that the template drops.
        assert len(made["NatGateways"]) >= STATES[name].network.nat_gateways
