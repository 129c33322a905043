"""The deployment's verbs: real processes in the CDK's place, moto and stubs in the account's."""

import json
import sys

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from ops.assembly.model import AssemblyError
from ops.deploy.access import access_report, policies
from ops.deploy.runners import runners
from ops.deploy.standing import standing
from ops.deploy.toolkit import Toolkit, ToolkitError
from tests.unit.ops.stacks import REGION, resource, stack

QUEUE = {"Q": resource("AWS::SQS::Queue", QueueName="q")}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "test")


def task(architecture):
    return {"T": resource("AWS::ECS::TaskDefinition", RuntimePlatform={"CpuArchitecture": architecture})}


def test_an_image_is_built_on_its_own_architecture():
    stacks = [
        stack("worker", task("ARM64"), environment="prod"),
        stack("worker", task("X86_64"), environment="dev"),
    ]
    found = runners({one.key: one for one in stacks})
    assert found == {"dev": "ubuntu-24.04", "prod": "ubuntu-24.04-arm"}


@pytest.mark.parametrize("two", [task("X86_64"), task("RISC")])
def test_an_environment_of_two_architectures_has_no_runner(two):
    stacks = [stack("worker", task("ARM64")), stack("orchestrator", two)]
    with pytest.raises(AssemblyError, match="prod: no runner builds for"):
        runners({one.key: one for one in stacks})


def test_a_stack_that_does_not_exist_yet_is_new_and_one_that_does_stands():
    with mock_aws():
        client = boto3.client("cloudformation", region_name=REGION)
        before = standing(stack("messaging", QUEUE))
        client.create_stack(StackName="prod-messaging", TemplateBody=json.dumps({"Resources": QUEUE}))
        after = standing(stack("messaging", QUEUE))
    assert (before.exists, before.blocks) == (False, False)
    assert "does not exist yet; new" in str(before)
    assert (after.exists, after.blocks) == (True, False)


@pytest.mark.parametrize(
    ("status", "exists", "blocks", "text"),
    [
        ("REVIEW_IN_PROGRESS", False, False, "new: nothing to compare with"),
        ("ROLLBACK_COMPLETE", False, False, "new: nothing to compare with"),
        ("UPDATE_COMPLETE", True, False, "stands"),
        ("UPDATE_ROLLBACK_COMPLETE", True, False, "stands"),
        ("UPDATE_IN_PROGRESS", True, True, "another deployment is under way"),
        ("UPDATE_ROLLBACK_FAILED", True, True, "continue-update-rollback"),
        ("DELETE_FAILED", True, True, "--retain-resources"),
    ],
)
def test_what_a_status_means_for_a_deployment(status, exists, blocks, text):
    client = boto3.client("cloudformation", region_name=REGION)
    described = {"StackName": "prod-messaging", "CreationTime": 0, "StackStatus": status}
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [described]})
        found = standing(stack("messaging", QUEUE), client)
    assert (found.exists, found.blocks) == (exists, blocks)
    assert text in str(found)


def test_an_account_that_refuses_is_not_taken_for_an_empty_one():
    client = boto3.client("cloudformation", region_name=REGION)
    with Stubber(client) as stub:
        stub.add_client_error("describe_stacks", "AccessDenied", "not authorized", 403)
        with pytest.raises(ClientError, match="not authorized"):
            standing(stack("messaging", QUEUE), client)


def toolkit(tmp_path, code, *lines):
    """A program in the CDK's place: it writes down its arguments, says the lines, and ends with the code."""
    program = (
        "import pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'asked')!r}).write_text(' '.join(sys.argv[1:]))\n"
        f"print({chr(10).join(lines)!r})\nsys.exit({code})"
    )
    return Toolkit(tmp_path, (sys.executable, "-c", program))


@pytest.mark.parametrize(
    ("code", "said", "drifted"),
    [
        (0, "✨  Number of resources with drift: 0 (3 unchecked)", False),
        (1, "Modified Resources\n✨  Number of resources with drift: 2", True),
    ],
)
def test_drift_is_what_the_cdk_counts(tmp_path, code, said, drifted):
    assert toolkit(tmp_path, code, said).drift([stack("messaging", QUEUE)]) == (drifted, said)
    assert (tmp_path / "asked").read_text() == (
        f"drift prod/messaging --app {tmp_path} --fail --no-notices --no-color"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (1, "Need to perform AWS calls, but no credentials have been configured"),
        (0, "✨  Number of resources with drift: 0\n⚠️  Failed to check drift for 1 stack(s). Check log"),
    ],
)
def test_a_drift_that_could_not_be_looked_for_is_an_error(tmp_path, code, said):
    with pytest.raises(ToolkitError, match="cdk drift failed"):
        toolkit(tmp_path, code, said).drift([stack("messaging", QUEUE)])


def test_a_deployment_names_every_stack_and_fails_as_the_cdk_does(tmp_path):
    stacks = [stack("messaging", QUEUE), stack("worker", QUEUE)]
    toolkit(tmp_path, 0).deploy(stacks)
    assert (tmp_path / "asked").read_text().startswith("deploy prod/messaging prod/worker --app ")
    with pytest.raises(ToolkitError, match=r"cdk deploy failed \(3\)"):
        toolkit(tmp_path, 3).deploy(stacks)


TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
}


def attached(statement):
    return resource("AWS::IAM::Policy", Roles=[{"Ref": "Role"}], PolicyDocument={"Statement": [statement]})


def granting(action):
    statement = {"Effect": "Allow", "Action": action, "Resource": {"Fn::GetAtt": ["Q", "Arn"]}}
    return QUEUE | {
        "Role": resource("AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": [TRUST]}),
        "Policy": attached(statement),
    }


class Clients:
    """In boto3's place: stubbed clients by name."""

    def __init__(self, deployed, **answer):
        self.made = {
            name: boto3.client(name, region_name=REGION) for name in ("cloudformation", "accessanalyzer")
        }
        self.template = Stubber(self.made["cloudformation"])
        self.template.add_response("get_template", {"TemplateBody": json.dumps({"Resources": deployed})})
        self.template.activate()
        self.analyzer = Stubber(self.made["accessanalyzer"])
        self.asked = {}
        if answer:
            self.analyzer.add_response("check_no_new_access", answer)
        self.analyzer.activate()
        self.made["accessanalyzer"].meta.events.register(
            "provide-client-params.accessanalyzer.CheckNoNewAccess",
            lambda params, **_: self.asked.update(params),
        )

    def client(self, name, *, region_name):
        assert region_name == REGION
        return self.made[name]


def test_access_analyzer_is_asked_about_each_policy_that_differs():
    clients = Clients(
        granting("sqs:SendMessage"),
        result="FAIL",
        message="The modified permissions grant new access.",
        reasons=[{"description": "New access in statement 0", "statementIndex": 0}],
    )
    (line,) = access_report([stack("worker", granting("sqs:*"))], clients)
    assert line == ("prod/worker/Role: The modified permissions grant new access.: New access in statement 0")
    clients.analyzer.assert_no_pending_responses()
    assert clients.asked["policyType"] == "IDENTITY_POLICY"
    (old,) = json.loads(clients.asked["existingPolicyDocument"])["Statement"]
    (new,) = json.loads(clients.asked["newPolicyDocument"])["Statement"]
    assert (old["Action"], new["Action"]) == ("sqs:SendMessage", "sqs:*")
    assert old["Resource"] == new["Resource"] == "arn:aws:sqs:eu-west-1:123456789012:Q"


def test_nothing_is_asked_when_no_policy_differs():
    same = granting("sqs:SendMessage")
    assert "allows anything new" in access_report([stack("worker", same)], Clients(same))[0]


def test_a_new_policy_has_nothing_to_be_compared_with():
    (line, *_) = access_report([stack("worker", granting("sqs:*"))], Clients(QUEUE))
    assert line == "prod/worker/Role: a new policy, with nothing to compare it with"


ANYS = [{"Ref": "AWS::AccountId"}, "task/*"]


def test_intrinsics_become_text_of_the_right_form():
    statement = {
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": [
            {"Fn::Join": ["", [{"Fn::ImportValue": "prod-storage:BucketArn"}, "/exports/*"]]},
            {"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, "ecs", {"Ref": "AWS::Region"}, *ANYS]]},
            {"Fn::GetAtt": ["Q", "Arn"]},
        ],
    }
    resources = granting("sqs:*") | {"Policy": attached(statement)}
    one = stack("worker", resources)
    (found,) = policies(one, one.resources)["Role", "IDENTITY_POLICY"]["Statement"]
    assert found["Resource"] == [
        "arn:aws:s3:::prod-storage-bucketarn/exports/*",
        "arn:aws:ecs:eu-west-1:123456789012:task/*",
        "arn:aws:sqs:eu-west-1:123456789012:Q",
    ]
