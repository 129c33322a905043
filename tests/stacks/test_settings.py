"""An environment chooses any variable that the stacks do not decide, and what depends on it follows."""

import json
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Match, Template

from stacks.application import ExportProcessing, synthesize
from stacks.environments import DEV
from stacks.runtime_settings import settings_schema
from stacks.settings import NotASetting
from tests.stacks.conftest import CONTEXT, read


def synthesized(environment, directory: Path):
    synthesize(cdk.App(context=CONTEXT, outdir=str(directory)), (environment,))
    return {service.name: service for service in read(directory, environment).services()}


def test_chosen_settings_reach_their_service_alone_as_the_runtime_reads_them(tmp_path):
    worker = {"SPLIT_BYTES": 1 << 30, "MAX_RATIO": 250.5, "DOWNLOAD_ALLOW_PRIVATE_ADDRESSES": True}
    orchestrator = {"LOG_LEVEL": "DEBUG", "NOT_READY_BASE_S": 60}
    services = synthesized(
        DEV.derive(worker={"settings": worker}, orchestrator={"settings": orchestrator}), tmp_path
    )

    told = {name: services["worker"].variables[name] for name in worker}
    assert told == {
        "SPLIT_BYTES": "1073741824",
        "MAX_RATIO": "250.5",
        "DOWNLOAD_ALLOW_PRIVATE_ADDRESSES": "true",
    }
    assert services["orchestrator"].variables["LOG_LEVEL"] == "DEBUG"
    assert "LOG_LEVEL" not in services["worker"].variables


@pytest.mark.parametrize(
    ("service", "settings", "sentence"),
    [
        ("worker", {"SPLIT_BYTE": 1}, "SPLIT_BYTE, which it does not read"),
        ("worker", {"NOT_READY_BASE_S": 1}, "NOT_READY_BASE_S, which it does not read"),
        ("worker", {"SPLIT_BYTES": "8 GiB"}, "'8 GiB' is not of type 'integer'"),
        ("worker", {"MAX_ENTRIES": 0}, "0 is less than the minimum of 1"),
        ("orchestrator", {"LOG_LEVEL": "debug"}, "'debug' is not one of"),
        ("orchestrator", {"STOP_MARGIN_S": 500}, "Set STOP_MARGIN_S below STOP_TIMEOUT_S"),
    ],
)
def test_a_setting_that_the_runtime_would_refuse_fails_the_synth(tmp_path, service, settings, sentence):
    with pytest.raises(RuntimeError, match=sentence):
        synthesized(DEV.derive(**{service: {"settings": settings}}), tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SLOTS": 4}, "SLOTS, which the stacks decide"),
        ({"BUCKET_NAME": "other"}, "BUCKET_NAME, which the stacks decide"),
        ({"EVENT_BUS_NAME": "ours"}, "default bus only"),
        ({"METRICS_NAMESPACE": "Ours"}, "the alarms and the dashboard read it"),
        ({"DOWNLOAD_ALLOW_HTTP": True}, "nothing but HTTPS out"),
    ],
)
def test_a_setting_that_others_rely_on_is_not_the_environments_to_choose(settings, sentence):
    with pytest.raises(NotASetting, match=sentence):
        ExportProcessing(cdk.App(context=CONTEXT), environment=DEV.derive(worker={"settings": settings}))


def test_rights_lifecycle_and_keys_follow_the_names_of_the_data():
    environment = DEV.derive(
        storage={"infrequent_access_after_days": 60},
        worker={
            "settings": {
                "OBJECT_PREFIX": "files/",
                "DESTINATION_PREFIXES": "reports/, files/",
                "METADATA_JOB_ATTRIBUTE": "job",
            }
        },
    )
    built = ExportProcessing(cdk.App(context=CONTEXT), environment=environment)

    worker = json.dumps(Template.from_stack(built.worker).find_resources("AWS::IAM::Policy"))
    assert all(f"/{prefix}*" in worker for prefix in ("files/", "manifests/", "reports/"))
    assert "/exports/*" not in worker
    storage = Template.from_stack(built.storage)
    rules = {"Rules": Match.array_with([Match.object_like({"Prefix": "files/"})])}
    storage.has_resource_properties("AWS::S3::Bucket", {"LifecycleConfiguration": rules})
    keys = [
        {"AttributeName": "job", "KeyType": "HASH"},
        {"AttributeName": "file_path", "KeyType": "RANGE"},
    ]
    storage.has_resource_properties("AWS::DynamoDB::Table", {"KeySchema": keys})


def test_every_variable_is_decided_by_the_stacks_or_open_to_the_environment(deployment):
    for service in deployment.services():
        assert service.variables.keys() <= settings_schema()[service.name].keys()
