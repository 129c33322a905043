"""Exposure: reachable, or made reachable, from outside; new resources are judged as if closed before."""

from collections.abc import Iterator

from ops.assembly.tokens import text_of
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.guard import Guard, guarded
from ops.gate.rules.values import appeared, different, only, switched_off, switched_on

_BUCKET = "AWS::S3::Bucket"
# Types that are there to let somebody in, or data out: a new one is a door.
_DOORS = {
    "AWS::ApiGateway::RestApi": "an API",
    "AWS::ApiGatewayV2::Api": "an API",
    "AWS::CloudFront::Distribution": "a distribution on the internet",
    "AWS::EC2::ClientVpnEndpoint": "a way into the network",
    "AWS::EC2::VPCEndpointService": "a way into the network",
    "AWS::EC2::VPCGatewayAttachment": "attaches a gateway to the network",
    "AWS::EC2::VPCPeeringConnection": "joins another network",
    "AWS::EC2::TransitGatewayAttachment": "joins other networks",
    "AWS::EC2::TransitGatewayVpcAttachment": "joins other networks",
    "AWS::EC2::VPNConnection": "a way into the network",
    "AWS::EC2::VPNGateway": "a way into the network",
    "AWS::ECR::PublicRepository": "images that anybody may pull",
    "AWS::GlobalAccelerator::Accelerator": "an address on the internet",
    "AWS::Lambda::Url": "a function on the internet",
    "AWS::RAM::ResourceShare": "shares resources with others",
    "AWS::S3::MultiRegionAccessPoint": "a way to the objects",
    "AWS::Transfer::Server": "a file server",
    "AWS::VpcLattice::Service": "a way into the network",
}


def _open(path: str, text: str, *, type_: str = "") -> Guard:
    return Guard(
        type=type_, path=path, weaker=switched_on, text=text, kind=ChangeKind.PUBLIC_ACCESS, closed=None
    )


GUARDS = (
    *(
        Guard(
            type=type_,
            path=f"PublicAccessBlockConfiguration.{flag}",
            weaker=switched_off,
            text="is not true: it can be made public",
            kind=ChangeKind.PUBLIC_ACCESS,
            closed=True,
        )
        for type_ in (_BUCKET, "AWS::S3::AccessPoint")
        for flag in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    ),
    Guard(
        type=_BUCKET,
        path="AccessControl",
        weaker=only("Private", "BucketOwnerFullControl", "BucketOwnerRead"),
        text="lets others in by ACL",
        kind=ChangeKind.PUBLIC_ACCESS,
        closed=None,
    ),
    Guard(
        type=_BUCKET,
        path="WebsiteConfiguration|CorsConfiguration",
        weaker=appeared,
        text="serves the objects to browsers",
        kind=ChangeKind.PUBLIC_ACCESS,
        closed=None,
    ),
    _open(
        r"(.+\.)?(MapPublicIpOnLaunch|AssignIpv6AddressOnCreation|AssignPublicIp|AssociatePublicIpAddress"
        r"|PubliclyAccessible)",
        "gives public addresses",
    ),
    _open("EnableExecuteCommand", "opens a shell into the tasks", type_="AWS::ECS::Service"),
    _open("AllowExternalPrincipals", "shares with other organisations"),
    Guard(
        type="AWS::ElasticLoadBalancingV2::LoadBalancer",
        path="Scheme",
        weaker=lambda _, now: text_of(now or "internet-facing") != "internal",
        text="makes it reachable from the internet",
        kind=ChangeKind.PUBLIC_ACCESS,
        closed="internal",
    ),
    Guard(
        path=r"(.+\.)?(AuthType|AuthorizationType)",
        weaker=lambda was, now: text_of(now).upper() == "NONE" != text_of(was or "").upper(),
        text="asks nobody who they are",
        kind=ChangeKind.PUBLIC_ACCESS,
        closed="AWS_IAM",
    ),
    Guard(
        type="AWS::EC2::VPCEndpointServicePermissions",
        path=r"AllowedPrincipals\.[^.]+",
        weaker=appeared,
        text="may reach into the network",
        kind=ChangeKind.PUBLIC_ACCESS,
        closed=None,
    ),
    Guard(
        type="AWS::ECS::Service",
        path=r"LoadBalancers\.[^.]+",
        weaker=appeared,
        text="sends requests to the tasks",
        kind=ChangeKind.PUBLIC_ACCESS,
        closed=None,
    ),
    Guard(
        type="AWS::ECS::Service",
        path=r"NetworkConfiguration\.AwsvpcConfiguration\.SecurityGroups\.[^.]+",
        weaker=appeared,
        text="applies other rules to the tasks' traffic",
        kind=ChangeKind.NETWORK_BROADENED,
    ),
    Guard(
        type="AWS::EC2::VPCEndpoint",
        path=r"SecurityGroupIds\.[^.]+",
        weaker=appeared,
        text="applies other rules to the endpoint's traffic",
        kind=ChangeKind.NETWORK_BROADENED,
    ),
    *(
        Guard(
            type=f"AWS::EC2::{type_}",
            path=path,
            weaker=different,
            text="applies other rules to the subnet",
            kind=ChangeKind.NETWORK_BROADENED,
        )
        for type_, path in (
            ("SubnetNetworkAclAssociation", "NetworkAclId"),
            ("SubnetRouteTableAssociation", "RouteTableId"),
        )
    ),
)


def exposure_findings(comparison: Comparison) -> Iterator[Finding]:
    """Guards against the outside that are looser after the change, or open on something new."""
    yield from guarded(comparison, GUARDS)
    for resource in comparison.new(*_DOORS):
        yield comparison.finding(resource, ChangeKind.PUBLIC_ACCESS, f"is new: {_DOORS[resource.type]}")
