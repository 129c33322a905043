"""What an environment chooses is what its templates say."""

import json
from pathlib import Path

import aws_cdk as cdk

from stacks.application import ExportProcessing
from stacks.environments import DEV
from tests.stacks.conftest import CONTEXT

PINNED = f"public.ecr.aws/docker/library/python@sha256:{'0' * 64}"


def test_tasks_run_on_the_chosen_processors_capacity_and_disk(deployment):
    environment = deployment.environment
    for service in deployment.services():
        values = getattr(environment, service.name)
        platform = service.task.properties["RuntimePlatform"]
        assert platform["CpuArchitecture"] == environment.architecture.upper()
        disk = service.task.properties.get("EphemeralStorage", {}).get("SizeInGiB")
        assert disk == values.ephemeral_storage_gib
        strategy = {
            item["CapacityProvider"]: (item.get("Base", 0), item["Weight"])
            for item in service.service.properties["CapacityProviderStrategy"]
        }
        assert strategy["FARGATE"] == (values.on_demand_base, values.on_demand_weight)
        assert strategy.get("FARGATE_SPOT", (0, 0)) == (0, values.spot_weight)


def test_services_scale_between_the_chosen_counts(deployment):
    chosen = {
        (values.min_tasks, values.max_tasks)
        for values in (deployment.environment.orchestrator, deployment.environment.worker)
    }
    targets = deployment.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    assert {(t.properties["MinCapacity"], t.properties["MaxCapacity"]) for t in targets} == chosen


def test_tasks_call_https_and_are_never_called(deployment):
    inbound = deployment.of_type("AWS::EC2::SecurityGroupIngress")
    assert inbound == []
    for service in deployment.services():
        network = service.service.properties["NetworkConfiguration"]["AwsvpcConfiguration"]
        for reference in network["SecurityGroups"]:
            group = deployment.target(service.service.template, reference)
            assert "SecurityGroupIngress" not in group.properties
            (out,) = group.properties["SecurityGroupEgress"]
            assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)


def test_the_chosen_key_encrypts_what_is_stored(deployment):
    ours = deployment.environment.storage.customer_managed_key
    keys = deployment.of_type("AWS::KMS::Key")
    assert len(keys) == int(ours)
    assert all(key.properties["EnableKeyRotation"] for key in keys)

    (bucket,) = deployment.of_type("AWS::S3::Bucket")
    (rule,) = bucket.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule.get("BucketKeyEnabled", False) is ours
    tables = deployment.of_type("AWS::DynamoDB::Table")
    (secret,) = deployment.of_type("AWS::SecretsManager::Secret")
    used = [
        rule["ServerSideEncryptionByDefault"].get("KMSMasterKeyID"),
        *(table.properties["SSESpecification"].get("KMSMasterKeyId") for table in tables),
        secret.properties.get("KmsKeyId"),
    ]
    template = bucket.template
    assert [deployment.target(template, key) for key in used] == [keys[0] if ours else None] * len(used)


def test_a_base_image_by_digest_reaches_the_build(tmp_path):
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path))
    stage = ExportProcessing(app, environment=DEV.derive(base_image=PINNED))
    assembly = Path(stage.synth().directory)
    images = [
        image["source"]["dockerBuildArgs"]
        for file in assembly.glob("*.assets.json")
        for image in json.loads(file.read_text())["dockerImages"].values()
    ]
    assert len(images) == 2
    assert [arguments["BASE_IMAGE"] for arguments in images] == [PINNED] * 2
