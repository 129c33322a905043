"""Ways in from outside: blocked."""

import pytest

from tests.gate.rules.templates import SERVICE, changed
from tests.gate.test_losses import BUCKET, QUEUE, altered, resource


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, resource("AWS::EC2::VPCPeeringConnection", VpcId="v", PeerVpcId="w"), "public-access"),
        (None, resource("AWS::EC2::VPNGateway", Type="ipsec.1"), "public-access"),
        (None, resource("AWS::Lambda::Url", AuthType="NONE"), "public-access"),
        (None, resource("AWS::ApiGatewayV2::Api", Name="a"), "public-access"),
        (None, resource("AWS::RDS::DBInstance", PubliclyAccessible=True), "public-access"),
        (BUCKET, altered(BUCKET, AccessControl="AuthenticatedRead"), "public-access"),
        (BUCKET, altered(BUCKET, AccessControl="LogDeliveryWrite"), "public-access"),
        (BUCKET, altered(BUCKET, WebsiteConfiguration={"IndexDocument": "i"}), "public-access"),
        (SERVICE, changed(SERVICE, "LoadBalancers", [{"ContainerName": "app"}]), "public-access"),
        (
            SERVICE,
            changed(SERVICE, "NetworkConfiguration.AwsvpcConfiguration.SecurityGroups.1", "sg-1"),
            "network-broadened",
        ),
        (
            resource("AWS::EC2::PrefixList", Entries=[{"Cidr": "10.0.0.0/16"}]),
            resource("AWS::EC2::PrefixList", Entries=[{"Cidr": "10.0.0.0/8"}]),
            "network-broadened",
        ),
        (
            resource(
                "AWS::EC2::NetworkAclEntry",
                NetworkAclId="a",
                RuleAction="deny",
                CidrBlock="0.0.0.0/0",
                RuleNumber=1,
            ),
            None,
            "network-broadened",
        ),
        (
            resource("AWS::EC2::SubnetNetworkAclAssociation", SubnetId="s", NetworkAclId="a"),
            resource("AWS::EC2::SubnetNetworkAclAssociation", SubnetId="s", NetworkAclId="b"),
            "network-broadened",
        ),
        (
            None,
            resource(
                "AWS::EC2::Route", RouteTableId="r", DestinationPrefixListId="pl-1", TransitGatewayId="t"
            ),
            "network-broadened",
        ),
        (
            resource("AWS::EC2::SecurityGroup", GroupDescription="g", SecurityGroupEgress=[]),
            resource(
                "AWS::EC2::SecurityGroup",
                GroupDescription="g",
                SecurityGroupEgress=[],
                SecurityGroupIngress=[
                    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "SourcePrefixListId": "pl-1"}
                ],
            ),
            "network-broadened",
        ),
    ],
)
def test_a_way_in_is_blocked(gate, before, after, kind):
    answer = gate.change(
        {"Q": QUEUE} | ({"Thing": before} if before else {}),
        {"Q": QUEUE} | ({"Thing": after} if after else {}),
    )
    assert answer.code == 1
    assert (kind, "Thing") in answer.kinds
