"""Each command works with exactly the permissions that the table names, and says so when one is missing."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from local.aws.account import LocalAccount
from ops.cli import session
from ops.cli.app import main
from ops.fleet.circuits import pause
from ops.fleet.environment import Fleet
from ops.fleet.permissions import READS, WRITES, Need
from tests.unit.ops.site import Site

ACCOUNT, REGION = "123456789012", "eu-west-1"
NEEDS: Mapping[str, tuple[Need, ...]] = {**READS, **WRITES}
# What the local platform has no use for: its logs and metrics are files.
NOT_HERE = ("cloudformation", "logs", "cloudwatch")
TYPED = {
    "status": "status job",
    "jobs": "jobs",
    "why": "why job",
    "missing": "missing job",
    "manifest": "manifest job",
    "verify": "verify job",
    "watch": "watch --count 1",
    "circuits": "circuits",
    "dlq list": "dlq list",
    "dlq show": "dlq show",
    "submit": "submit job-2",
    "retry": "retry job",
    "pause": "pause worker",
    "resume": "resume orchestrator",
    "dlq redrive": "dlq redrive --reason not-a-zip --yes",
    "dlq drop": "dlq drop --reason encrypted-archive --yes",
}


@dataclass(frozen=True)
class Roles:
    """A site under IAM, and its environment as each command's role sees it: all it needs, or one less."""

    site: Site
    whole: Mapping[str, Fleet]
    lacking: Mapping[str, Fleet]


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    root = tmp_path_factory.mktemp("iam")
    account = LocalAccount(ACCOUNT, REGION, root)
    try:
        setup = boto3.Session("set-up", "set-up", region_name=REGION)
        site = Site.create(setup, account.endpoint_url, root)
        _work(site)
        whole, lacking = {}, {}
        for command in TYPED:
            needed = [need for need in NEEDS[command] if not need.action.startswith(NOT_HERE)]
            whole[command] = _as_role(account, site, f"{command}-whole", needed)
            lacking[command] = _as_role(account, site, f"{command}-lacking", needed[:-1])
        account.enforce_iam()
        yield Roles(site, whole, lacking)
    finally:
        account.close()


def test_every_command_is_tried() -> None:
    assert TYPED.keys() == NEEDS.keys() - {"serve"}


@pytest.mark.parametrize("command", TYPED)
def test_a_command_needs_what_the_table_says(
    command: str,
    roles: Roles,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = []
    for fleets in (roles.lacking, roles.whole):
        fleet = fleets[command]
        monkeypatch.setattr(session, "find", lambda _name, fleet=fleet: fleet)
        answers.append((main(TYPED[command].split()), capsys.readouterr().err))
    (refused, told), (code, error) = answers
    assert refused == 4, told
    assert code in (0, 1), error


def test_a_whole_queue_is_moved_with_the_same_permissions(
    roles: Roles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = []
    for fleets in (roles.lacking, roles.whole):
        fleet = fleets["dlq redrive"]
        monkeypatch.setattr(session, "find", lambda _name, fleet=fleet: fleet)
        answers.append(main(["dlq", "redrive", "--queue", "export-jobs", "--yes"]))
    assert answers == [4, 0], capsys.readouterr().err


def _work(site: Site) -> None:
    site.listed("job", ["f0", "f1"])
    site.done("job", "f0")
    site.put_lines("manifests/job/missing.jsonl", [{"path": "a.csv", "reason": "not-in-any-archive"}])
    manifest = {"file_id": "f0", "file_name": "f0.zip", "archive": {"entries": 1}, "outcomes": {}}
    site.put_lines("manifests/job/f0.json", [manifest | {"bytes_fetched": 1}])
    site.expect("job", {"a.txt": b"alpha"})
    site.put("exports/job/a.txt", b"alpha")
    for _ in range(3):
        site.park_message("DownloadTasks", "{}", "not-a-zip")
        site.park_message("DownloadTasks", "{}", "encrypted-archive")
    site.park_message("ExportJobs", "{}", "malformed-message")
    pause(site.fleet, ["orchestrator"], "")
    site.ended(site.parked("job", "f1", "not-a-zip"), "failed", 3, 1)


def _as_role(account: LocalAccount, site: Site, name: str, needs: list[Need]) -> Fleet:
    iam = account.client("iam")
    name = name.replace(" ", "-")
    trust = {"Version": "2012-10-17", "Statement": []}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statements = [
        {"Effect": "Allow", "Action": need.action, "Resource": _arns(site, need.target)} for need in needs
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="needs", PolicyDocument=json.dumps(policy))
    account.assume_roles((arn,))
    keys = account.credentials(arn)
    own = boto3.Session(keys.access_key_id, keys.secret_access_key, keys.session_token, region_name=REGION)
    return Fleet(
        name=site.fleet.name,
        outputs=site.fleet.outputs,
        session=own,
        endpoint_url=account.endpoint_url,
        log_folder=site.logs,
    )


def _arns(site: Site, target: str) -> list[str]:
    output = site.fleet.output
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/"
    bucket = f"arn:aws:s3:::{output('BucketName')}"
    queues = [output("ExportJobsQueueArn"), output("DownloadTasksQueueArn")]
    dlqs = [output("ExportJobsDlqArn"), output("DownloadTasksDlqArn")]
    return {
        "*": ["*"],
        "ledger": [table + output("LedgerTableName")],
        # moto asks for the table where AWS asks for the index.
        "ledger index": [table + output("LedgerTableName"), f"{table}{output('LedgerTableName')}/index/*"],
        "metadata": [table + output("MetadataTableName")],
        "bucket": [bucket],
        "manifests": [f"{bucket}/manifests/*"],
        "files": [f"{bucket}/exports/*"],
        "queues": queues,
        "DLQs": dlqs,
        "queues and DLQs": [*queues, *dlqs],
        "export-jobs": queues[:1],
    }[target]
