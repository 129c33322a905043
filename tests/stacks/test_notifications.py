"""The optional third service says what its events hold, and comes only when it is asked for."""

import json
import re
from fnmatch import fnmatchcase

import aws_cdk as cdk
import pytest

from stacks.application import synthesize
from stacks.environments import DEV
from stacks.permissions import EVENTS
from stacks.resource_table import REASONS
from tests.stacks.conftest import CONTEXT, ROOT, read

ON = DEV.derive(
    storage={"customer_managed_key": True}, notifications={"events": EVENTS, "email": "exports@example.com"}
)


@pytest.fixture(scope="module")
def notified(tmp_path_factory):
    app = cdk.App(context=CONTEXT, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    return synthesize(app, (ON,))


def rules(deployment):
    found = [r for r in deployment.of_type("AWS::Events::Rule") if "/notifications/" in r.path]
    return {rule.properties["EventPattern"]["detail-type"][0]: rule for rule in found}


def test_it_is_off_unless_it_is_asked_for(deployment):
    assert rules(deployment) == {}


def test_every_field_that_is_said_is_one_of_the_events(notified):
    schemas = [json.loads(path.read_text()) for path in (ROOT / "docs" / "events").glob("*.schema.json")]
    said = rules(read(notified, ON))
    assert said.keys() == {schema["title"] for schema in schemas}
    for schema in schemas:
        (target,) = said[schema["title"]].properties["Targets"]
        paths = target["InputTransformer"]["InputPathsMap"]
        fields = {path.removeprefix("$.detail.") for path in paths.values()}
        assert fields <= schema["properties"]["detail"]["properties"].keys(), schema["title"]
        assert fields
        template = json.dumps(target["InputTransformer"]["InputTemplate"])
        assert set(re.findall("<([a-z]+)>", template)) == paths.keys()


def test_a_finished_job_is_said_with_counts_and_a_link_to_its_manifests(notified):
    for event in ("Export Job Completed", "Export Job Incomplete"):
        (target,) = rules(read(notified, ON))[event].properties["Targets"]
        text = json.dumps(target["InputTransformer"]["InputTemplate"])
        assert "<present> of <expected> files" in text
        assert "prefix=manifests/<job>/" in text


def test_only_its_rules_publish_and_may_use_the_key(notified):
    deployment = read(notified, ON)
    (policy,) = [p for p in deployment.of_type("AWS::SNS::TopicPolicy") if "/notifications/" in p.path]
    (publish,) = [s for s in policy.properties["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert publish["Principal"] == {"Service": "events.amazonaws.com"}
    assert len(publish["Condition"]["ArnEquals"]["aws:SourceArn"]) == len(EVENTS)
    (key,) = deployment.of_type("AWS::KMS::Key")
    assert "events.amazonaws.com" in json.dumps(key.properties["KeyPolicy"])


def test_its_resources_have_their_reasons(notified):
    for resource in read(notified, ON).resources:
        path = resource.path.removeprefix("dev/")
        if path.startswith("notifications/") and resource.type != "AWS::CDK::Metadata":
            reasons = [r for r in REASONS if r.startswith("notifications/") and fnmatchcase(path, r)]
            assert reasons, path
