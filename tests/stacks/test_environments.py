"""Values that cannot be right are refused when they are written, and the choices do what they say."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template
from pydantic import ValidationError

from stacks.application import ExportProcessing, synthesize
from stacks.environments import DEV, ENVIRONMENTS, PROD, STAGING
from stacks.validation.plugin import findings
from stacks.values import Conflict, Environment, ExistingVpc, Network, Service, Storage
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
        (lambda: DEV.worker.derive(min_tasks=0), "min_tasks"),
        (lambda: DEV.worker.derive(on_demand_base=5), "on_demand_base 5 is above max_tasks 4"),
        (lambda: DEV.worker.derive(spot_weight=1_001), "spot_weight"),
        (lambda: DEV.derive(messaging={"max_receive_count": 1}), "max_receive_count"),
        (lambda: DEV.derive(alarms={"oldest_message_hours": 400}), "oldest_message_hours"),
        (lambda: DEV.derive(alarms={"email": "on-call"}), "email"),
        (lambda: DEV.derive(network={"cidr": "10.40.32.0/18"}), "has host bits set"),
        (lambda: DEV.derive(network={"cidr": "10.400.0.0/18"}), "does not appear to be"),
        (lambda: DEV.derive(network={"interface_endpoints": ("sqs", "sqs")}), "one service twice"),
        (lambda: STAGING.derive(network={"nat_gateways": 3}), "3 NAT gateways do not fit 2 zones"),
        (lambda: DEV.derive(availability_zones=("eu-west-11", "eu-west-1a")), "not distinct zones"),
        *(
            (lambda region=region: DEV.derive(region=region), "is in another partition")
            for region in ("cn-north-1", "us-gov-west-1", "us-iso-east-1", "eu-isoe-west-1", "eusc-de-east-1")
        ),
        (lambda: DEV.derive(telemetry_image="public.ecr.aws/otel/collector:latest"), "names no version"),
        (lambda: DEV.derive(telemetry_image="public.ecr.aws/otel/collector"), "names no version"),
        (
            lambda: DEV.derive(telemetry_image=COLLECTOR, worker={"container_memory_mib": 4096}),
            "leave 128 or more",
        ),
        (
            lambda: Storage(protected=True, customer_managed_key=True, existing_key_arn=KEY),
            "creates a key and existing_key_arn names one",
        ),
        (
            lambda: DEV.derive(storage={"existing_key_arn": KEY.replace(":key/", ":alias/")}),
            "existing_key_arn",
        ),
        (
            lambda: DEV.derive(storage={"existing_key_arn": KEY.replace("eu-west-1", "us-east-1")}),
            "is not in eu-west-1",
        ),
        (lambda: PROD.derive(storage={"protected": False}), "production needs storage.protected"),
        (lambda: PROD.derive(alarms={"email": None}), "production needs alarms.email"),
        (lambda: PROD.derive(base_image=None), "production needs base_image by digest"),
        (lambda: PROD.derive(orchestrator={"min_tasks": 1}), "production needs two orchestrators"),
        (lambda: DEV.derive(production=True), "storage.protected, .*alarms.email, .*base_image"),
        *(
            (lambda url=url: DEV.export_api.derive(base_url=url), sentence)
            for url, sentence in (
                ("https://api.example.com:8443", "port 8443"),
                ("https://api.example.com:80/v1", "port 80"),
                ("https://api.example.com:https", "port https"),
                ("https://me:secret@api.example.com", "credentials belong in the secret"),
                ("https://api.example.com/v1?page=1", "neither query nor fragment"),
                ("https://10.0.0.1", "is no host name"),
                ("https://localhost", "is no host name"),
                ("https://api_1.example.com", "is no host name"),
                ("https://s3.eu-west-1.amazonaws.com/bucket", "is S3"),
                ("HTTP://api.example.com", "is no https:// URL"),
            )
        ),
        *(
            (lambda host=host: DEV.export_api.derive(download_hosts=(host,)), sentence)
            for host, sentence in (
                ("https://cdn.example.com", "is no host name"),
                ("cdn.example.com:8443", "is no host name"),
                ("cdn.example.com/files", "is no host name"),
                ("CDN.example.com", "is no host name"),
                ("10.0.0.1", "is no host name"),
                ("*", "is no host name"),
                ("*.com", "is no host name"),
                ("cdn.*.example.com", "is no host name"),
                ("s3.eu-west-1.amazonaws.com", "names no single bucket"),
                ("s3.amazonaws.com", "names no single bucket"),
                ("s3-eu-west-1.amazonaws.com", "names no single bucket"),
                ("exports.s3.dualstack.eu-west-1.amazonaws.com", "names no single bucket"),
                ("exports.s3-accelerate.amazonaws.com", "names no single bucket"),
                ("exports.s3-website-eu-west-1.amazonaws.com", "names no single bucket"),
                ("mine-123.s3-accesspoint.eu-west-1.amazonaws.com", "names no single bucket"),
                ("*.s3.eu-west-1.amazonaws.com", "names no single bucket"),
                ("*.amazonaws.com", "names no single bucket"),
                ("*.eu-west-1.amazonaws.com", "names no single bucket"),
                ("exports.s3.cn-north-1.amazonaws.com.cn", "names no single bucket"),
            )
        ),
    ],
)
def test_a_wrong_value_names_itself(build, sentence):
    with pytest.raises(ValidationError, match=sentence):
        build()


def test_environments_have_names_and_accounts_of_their_own():
    assert len({environment.name for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)
    assert len({environment.account for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            DEV.derive(account="999988887777", network={"cidr": "10.9.0.0/18"}),
            "Two environments are called dev",
        ),
        (DEV.derive(name="twin"), "share addresses"),
        (DEV.derive(name="wide", network={"cidr": "10.40.0.0/16"}), "share addresses"),
    ],
)
def test_environments_that_would_be_in_each_others_way_are_refused(other, sentence):
    with pytest.raises(Conflict, match=sentence):
        synthesize(cdk.App(context=CONTEXT), (DEV, other))


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


@pytest.mark.parametrize(
    "host",
    [
        "cdn.example.com",
        "*.example.com",
        "d1.cloudfront.net",
        "my.exports.s3.amazonaws.com",
        "abc.s3.us-east-1.amazonaws.com",
    ],
)
def test_hosts_that_can_be_reached_are_taken(host):
    assert DEV.export_api.derive(download_hosts=(host,)).download_hosts == (host,)


def test_only_a_bucket_that_our_endpoint_leads_to_opens_it():
    hosts = (
        "my.exports.s3.amazonaws.com",
        "near1.s3.eu-west-1.amazonaws.com",
        "far.s3.us-east-1.amazonaws.com",
    )
    buckets = DEV.export_api.derive(download_hosts=hosts).download_buckets("eu-west-1")
    assert buckets == ["my.exports", "near1"]


@pytest.mark.parametrize("url", ["https://api.example.com", "https://api.example.com:443/vendor/v2"])
def test_an_api_may_have_a_path(url):
    assert DEV.export_api.derive(base_url=url + "/").base_url == url


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


def test_a_traced_service_may_send_to_xray_and_the_other_may_not(tmp_path):
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path))
    environment = PROD.derive(worker={"settings": {"TRACING": "xray", "TRACING_SAMPLE_RATIO": 0.1}})
    built = ExportProcessing(app, environment=environment)
    app.synth()
    deployment = read(tmp_path, environment)

    assert {service.name: service.variables.get("TRACING") for service in deployment.services()} == {
        "orchestrator": None,
        "worker": "xray",
    }
    for stack, allowed in ((built.worker, True), (built.orchestrator, False)):
        text = json.dumps(Template.from_stack(stack).to_json())
        assert ("xray:PutTraceSegments" in text) is allowed
    assert list(findings(deployment)) == []
