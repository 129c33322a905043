"""Values that cannot be right are refused when they are written, and the choices do what they say."""

from ipaddress import ip_network
from itertools import combinations

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template
from pydantic import ValidationError

from stacks.application import ExportProcessing
from stacks.environments import DEV, ENVIRONMENTS, PROD
from stacks.validation.plugin import findings
from stacks.values import Environment, ExistingVpc, Network, Service, Storage
from tests.stacks.conftest import CONTEXT, read

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0f1e2d3c-0000-4000-8000-000000000000"
THEIR_KEY = "arn:aws:kms:eu-west-1:123456789012:key/9c8b7a6d-0000-4000-8000-000000000000"
COLLECTOR = "public.ecr.aws/aws-observability/aws-otel-collector:v0.45.0"


def stage(environment: Environment) -> ExportProcessing:
    return ExportProcessing(cdk.App(context=CONTEXT), environment=environment)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Network(cidr="10.9.0.0/18", egress="nat"), "needs nat_gateways >= 1"),
        (lambda: Network(cidr="10.9.0.0/18", egress="public-ip", nat_gateways=1), "'public-ip' needs none"),
        (lambda: Network(egress="public-ip"), "needs a cidr"),
        (lambda: DEV.derive(base_image="python:3.13-slim"), "base_image"),
        (lambda: DEV.derive(account="12"), "account"),
        (lambda: DEV.derive(region="Ireland"), "region"),
        (lambda: DEV.derive(availability_zones=("eu-west-1a",)), "availability_zones"),
        (
            lambda: DEV.derive(availability_zones=("eu-west-1a", "us-east-1a")),
            "not distinct zones of eu-west-1",
        ),
        (lambda: DEV.worker.derive(max_tasks=0), "max_tasks"),
        (lambda: DEV.worker.derive(min_tasks=9), "below min_tasks 9"),
        (lambda: DEV.worker.derive(on_demand_weight=0, spot_weight=0), "no task above the base"),
        (lambda: DEV.worker.derive(container_memory_mib=8192), "more than the task has"),
        (lambda: DEV.worker.derive(cpu=3000), "cpu"),
        (lambda: DEV.worker.derive(ephemeral_storage_gib=500), "ephemeral_storage_gib"),
        (lambda: Storage(protected=True, existing_key_arn="key-1"), "existing_key_arn"),
        (lambda: Storage(protected=True, existing_metadata_key_arn=KEY), "name the table too"),
        (lambda: DEV.export_api.derive(base_url="http://plain.example.com"), "base_url"),
        (lambda: Service.model_validate({"cpus": 1}), "cpus"),
        (lambda: DEV.load.derive(p95_archive_minutes=20), "each should be at least the one before"),
        (lambda: DEV.load.derive(longest_archive_hours=1), "each should be at least the one before"),
        (lambda: DEV.load.derive(p95_archive_minutes=200), "one of the two is mistaken"),
        (lambda: DEV.load.derive(peak_factor=0.5), "peak_factor"),
    ],
)
def test_a_wrong_value_names_itself(build, sentence):
    with pytest.raises(ValidationError, match=sentence):
        build()


def test_environments_have_names_and_accounts_of_their_own():
    assert len({environment.name for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)
    assert len({environment.account for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)


def test_no_two_environments_share_addresses():
    ranges = [ip_network(environment.network.cidr) for environment in ENVIRONMENTS]
    assert not [pair for pair in combinations(ranges, 2) if pair[0].overlaps(pair[1])]


def test_the_endpoint_lets_through_the_vendors_bucket_when_files_are_there():
    hosts = ("cdn.example.com", "exports-of-vendor.s3.eu-west-1.amazonaws.com")
    network = Template.from_stack(stage(DEV.derive(export_api={"download_hosts": hosts})).network)
    readable = {
        "Action": "s3:GetObject",
        "Resource": [
            "arn:aws:s3:::exports-of-vendor/*",
            "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*",
        ],
    }
    network.has_resource_properties(
        "AWS::EC2::VPCEndpoint",
        {"PolicyDocument": {"Statement": Match.array_with([Match.object_like(readable)])}},
    )


def test_what_others_own_is_taken_by_attribute():
    theirs = DEV.derive(
        network=Network(
            egress="nat",
            nat_gateways=0,
            existing_vpc=ExistingVpc(
                vpc_id="vpc-0a1b2c3d",
                subnet_ids=("subnet-1", "subnet-2"),
                route_table_ids=("rtb-1", "rtb-2"),
            ),
        ),
        storage=Storage(
            protected=True,
            existing_key_arn=KEY,
            existing_metadata_table="catalogue",
            existing_metadata_key_arn=THEIR_KEY,
        ),
    )
    built = stage(theirs)

    network = Template.from_stack(built.network)
    network.resource_count_is("AWS::EC2::VPC", 0)
    network.resource_count_is("AWS::EC2::FlowLog", 0)
    storage = Template.from_stack(built.storage)
    storage.resource_count_is("AWS::KMS::Key", 0)
    storage.resource_count_is("AWS::DynamoDB::Table", 1)
    storage.has_resource_properties("AWS::DynamoDB::Table", {"SSESpecification": {"KMSMasterKeyId": KEY}})
    worker = Template.from_stack(built.worker)
    worker.has_resource_properties(
        "AWS::ECS::Service",
        {
            "NetworkConfiguration": {
                "AwsvpcConfiguration": {"AssignPublicIp": "DISABLED", "Subnets": ["subnet-1", "subnet-2"]}
            }
        },
    )
    worker.has_resource_properties(
        "AWS::ECS::TaskDefinition",
        {
            "ContainerDefinitions": [
                Match.object_like(
                    {"Environment": Match.array_with([{"Name": "METADATA_TABLE_NAME", "Value": "catalogue"}])}
                )
            ]
        },
    )
    worker.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        {
                            "Effect": "Allow",
                            "Action": "kms:Decrypt",
                            "Resource": Match.array_with([THEIR_KEY]),
                            "Condition": {
                                "StringEquals": {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}
                            },
                        }
                    ]
                )
            }
        },
    )


def test_the_telemetry_sidecar_takes_nothing_from_the_service(tmp_path):
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path))
    environment = PROD.derive(telemetry_image=COLLECTOR)
    ExportProcessing(app, environment=environment)
    app.synth()
    deployment = read(tmp_path, environment)

    for service in deployment.services():
        app_container, sidecar = service.task.properties["ContainerDefinitions"]
        assert app_container["Memory"] == {"orchestrator": 512, "worker": 3840}[service.name]
        assert app_container["Memory"] + sidecar["Memory"] == int(service.task.properties["Memory"])
        assert sidecar["Essential"] is False
    assert list(findings(deployment)) == []
