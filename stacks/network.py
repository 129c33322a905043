"""Where the tasks run: the network, its private ways to AWS, and the cluster."""

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.acknowledgements import INLINE_POLICY, acknowledge
from stacks.constructs.expiring_logs import ExpiringLogs
from stacks.constructs.service_role import ServiceRole
from stacks.storage import StorageStack
from stacks.values import Environment

# The group that tasks with addresses of their own run in, and NAT gateways; and the one for tasks behind NAT.
_PUBLIC, _PRIVATE = "public", "tasks"
_MOST_ZONES = 3


class NetworkStack(cdk.Stack):
    """Builds:

    - a VPC over two or three zones (or takes one that exists), with public and private subnets in each, and
      flow logs;
    - gateway endpoints for S3 and DynamoDB, for our own data only, so that bulk bytes pass no charged hop;
    - the interface endpoints that the environment asks for;
    - the ECS cluster that both services run in, with both Fargate capacity providers.

    `task_subnets` and `assign_public_ip` are how a service follows the environment's choice of egress.
    """

    def __init__(
        self, scope: Construct, id_: str, *, environment: Environment, storage: StorageStack, **kwargs: Any
    ) -> None:
        self._environment = environment
        super().__init__(scope, id_, **kwargs)
        public = environment.network.egress == "public-ip"
        self.assign_public_ip = public
        if environment.network.existing_vpc:
            self.vpc: ec2.IVpc = self._existing_vpc()
            self.task_subnets = ec2.SubnetSelection(
                subnet_type=ec2.SubnetType.PUBLIC if public else ec2.SubnetType.PRIVATE_WITH_EGRESS
            )
        else:
            self.vpc = self._vpc(storage)
            self.task_subnets = ec2.SubnetSelection(subnet_group_name=_PUBLIC if public else _PRIVATE)
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=environment.cluster_name,
            vpc=self.vpc,
            # DesiredTaskCount, which scaling divides by, is a Container Insights metric.
            container_insights_v2=ecs.ContainerInsights.ENABLED,
            enable_fargate_capacity_providers=True,
        )
        cdk.CfnOutput(self, "ClusterName", value=self.cluster.cluster_name)

    @property
    @jsii.member(jsii_name="availabilityZones")
    def availability_zones(self) -> list[str]:
        """The environment's zones. Even a Vpc that is given them asks its stack, which looks them up."""
        return list(self._environment.availability_zones)

    def _existing_vpc(self) -> ec2.IVpc:
        existing = self._environment.network.existing_vpc
        assert existing is not None
        subnets, tables = list(existing.subnet_ids), list(existing.route_table_ids)
        public = self.assign_public_ip
        return ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=existing.vpc_id,
            availability_zones=list(self._environment.availability_zones),
            public_subnet_ids=subnets if public else None,
            public_subnet_route_table_ids=tables if public else None,
            private_subnet_ids=None if public else subnets,
            private_subnet_route_table_ids=None if public else tables,
        )

    def _vpc(self, storage: StorageStack) -> ec2.Vpc:
        network = self._environment.network
        assert network.cidr is not None
        zones = list(self._environment.availability_zones)
        # The same subnets whatever the egress and however many the zones: each has its addresses reserved, so
        # that a live environment can change both. What is not used costs nothing.
        vpc = ec2.Vpc(
            self,
            "Vpc",
            availability_zones=zones,
            reserved_azs=_MOST_ZONES - len(zones),
            ip_addresses=ec2.IpAddresses.cidr(network.cidr),
            nat_gateways=network.nat_gateways,
            # Nothing is ever put into the default security group; emptying it takes a Lambda function.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name=_PUBLIC,
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=22,
                    # A task asks for its address itself; nothing else should get one by being there.
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(
                    name=_PRIVATE,
                    subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                    if self.assign_public_ip
                    else ec2.SubnetType.PRIVATE_WITH_EGRESS,
                    cidr_mask=22,
                ),
            ],
        )
        self._keep_exports(vpc)
        self._add_gateway_endpoints(vpc, storage)
        acknowledge(vpc, {"W3010": "The environment names its zones, so that synthesis looks nothing up"})
        self._add_interface_endpoints(vpc)
        self._add_flow_log(vpc)
        acknowledge(
            vpc,
            {
                "NIST.800.53.R5-VPCDefaultSecurityGroupClosed": "Nothing uses the default security group; "
                "every interface names its own",
                "NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW": "The Export API is reached over the internet; "
                "no security group admits anything inbound",
            },
        )
        return vpc

    def _keep_exports(self, vpc: ec2.Vpc) -> None:
        """Export every subnet, used or not: CloudFormation refuses to drop an export that a service uses.

        The network changes before the services do, and they still use the old subnets then.
        """
        for name in (_PUBLIC, _PRIVATE):
            for subnet in vpc.select_subnets(subnet_group_name=name).subnets:
                self.export_value(subnet.subnet_id)

    def _add_gateway_endpoints(self, vpc: ec2.Vpc, storage: StorageStack) -> None:
        """Both with a policy: the default one lets whoever takes over a task copy data to any account."""
        bucket = storage.bucket
        s3 = vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        s3.add_to_policy(_through(["s3:*"], [bucket.bucket_arn, bucket.arn_for_objects("*")]))
        readable = [
            # ECR keeps the images' layers there, and ECS pulls them from the task's network.
            f"prod-{self._environment.region}-starport-layer-bucket",
            *self._environment.export_api.download_buckets(self._environment.region),
        ]
        s3.add_to_policy(_through(["s3:GetObject"], [f"arn:aws:s3:::{name}/*" for name in readable]))
        dynamodb = vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
        dynamodb.add_to_policy(
            _through(["dynamodb:*"], [storage.ledger.table_arn, storage.metadata.table_arn])
        )

    def _add_interface_endpoints(self, vpc: ec2.Vpc) -> None:
        endpoints, cidr = self._environment.network.interface_endpoints, self._environment.network.cidr
        if not endpoints or cidr is None:
            return
        group = ec2.SecurityGroup(
            self,
            "Endpoints",
            vpc=vpc,
            description="Interface endpoints: HTTPS from the VPC",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), "Tasks")
        for endpoint in endpoints:
            vpc.add_interface_endpoint(
                endpoint,
                open=False,
                security_groups=[group],
                service=ec2.InterfaceVpcEndpointAwsService(endpoint),
                # Not the tasks' own: an endpoint cannot change to another subnet of the same zone.
                subnets=ec2.SubnetSelection(subnet_group_name=_PRIVATE),
            )

    def _add_flow_log(self, vpc: ec2.Vpc) -> None:
        group = ExpiringLogs(
            self,
            "FlowLogs",
            retention_days=self._environment.log_retention_days,
            retained=self._environment.storage.protected,
        ).group
        role = ServiceRole(self, "FlowLogRole", service="vpc-flow-logs", source=("ec2", "vpc-flow-log/*"))
        vpc.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))
        acknowledge(role, {"NIST.800.53.R5-IAMNoInlinePolicy": INLINE_POLICY})


def _through(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    """The policy of what an endpoint lets pass; who may do it is the roles' matter."""
    return iam.PolicyStatement(
        actions=list(actions), principals=[iam.AnyPrincipal()], resources=list(resources)
    )
