"""What CloudFormation would refuse half-way is refused before, with the steps to take."""

import pytest

from tests.gate.test_losses import QUEUE, altered, resource

NET = resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16")
SUBNET = resource("AWS::EC2::Subnet", CidrBlock="10.0.0.0/22", VpcId={"Ref": "Net"})
EXPORT = {"Out": {"Export": {"Name": "net:subnet"}, "Value": {"Ref": "A"}}}
TWO_STEPS = "needs-two-steps"


def network(**resources):
    return {"Net": NET} | resources


def service(export):
    return resource("AWS::ECS::Service", NetworkConfiguration={"Subnets": [{"Fn::ImportValue": export}]})


@pytest.mark.parametrize(
    ("after", "outputs"),
    [
        (network(A=SUBNET), {}),
        (network(A=SUBNET, B=SUBNET), {"Out": EXPORT["Out"] | {"Value": {"Ref": "B"}}}),
        (network(A=altered(SUBNET, CidrBlock="10.0.4.0/22")), EXPORT),
    ],
    ids=["removed", "another value", "replaced behind it"],
)
def test_an_export_in_use_cannot_be_taken_back(gate, after, outputs):
    app = {"prod/app": {"Service": service("net:subnet")}}
    answer = gate.compare(
        {"prod/net": network(A=SUBNET)} | app,
        {"prod/net": after} | app,
        outputs=({"prod/net": EXPORT}, {"prod/net": outputs}),
    )
    assert answer.code == 1
    assert (TWO_STEPS, "(stack)") in answer.kinds
    assert "the export net:subnet is in use by app" in answer.text
    assert "first: deploy the importing stack without the import" in answer.text


def test_an_export_that_nobody_uses_may_go(gate):
    answer = gate.compare(
        {"prod/net": network(A=SUBNET)}, {"prod/net": network(A=SUBNET)}, outputs=({"prod/net": EXPORT}, {})
    )
    assert answer.code == 0


@pytest.mark.parametrize(
    "after",
    [
        network(B=altered(SUBNET, CidrBlock="10.0.0.0/26")),
        network(A=SUBNET, B=altered(SUBNET, CidrBlock="10.0.2.0/24")),
        network(A=altered(SUBNET, CidrBlock="10.0.0.0/20")),
    ],
    ids=["another mode's subnets", "inside one that stays", "grown in place"],
)
def test_a_subnet_in_a_range_that_is_still_held(gate, after):
    answer = gate.change(network(A=SUBNET), after)
    assert answer.code == 1
    assert TWO_STEPS in {kind for kind, _ in answer.kinds}
    assert "is held by A until the deployment is over" in answer.text


def test_a_subnet_in_a_free_range_passes(gate):
    answer = gate.change(network(A=SUBNET), network(A=SUBNET, B=altered(SUBNET, CidrBlock="10.0.64.0/22")))
    assert answer.code == 0, answer.text


def test_subnets_of_a_new_network_conflict_with_nothing(gate):
    after = {"Net": altered(NET, CidrBlock="10.9.0.0/16"), "A": SUBNET}
    answer = gate.change(network(A=SUBNET), after)
    assert TWO_STEPS not in {kind for kind, _ in answer.kinds}


def test_a_replacement_under_a_name_that_is_taken(gate):
    service = resource("AWS::ECS::Service", ServiceName="worker", Cluster="one", LaunchType="FARGATE")
    answer = gate.change({"S": service, "Q": QUEUE}, {"S": altered(service, Cluster="two"), "Q": QUEUE})
    assert answer.code == 1
    assert (TWO_STEPS, "S") in answer.kinds
    assert "either: give it another name" in answer.text


def test_a_name_that_moves_to_another_logical_id(gate):
    """As in https://github.com/aws/aws-cdk/issues/15357: the old one has the name until the end."""
    policy = resource("AWS::IAM::ManagedPolicy", ManagedPolicyName="deploy", PolicyDocument={"Statement": []})
    answer = gate.change({"Old": policy, "Q": QUEUE}, {"New": policy, "Q": QUEUE})
    assert answer.code == 1
    assert (TWO_STEPS, "New") in answer.kinds
    assert "which Old still has" in answer.text
