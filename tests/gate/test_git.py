"""The gate from end to end: git references, the real CDK CLI, and an app that writes its own assembly.

An app is any program that leaves a cloud assembly in CDK_OUTDIR; this one does so without the seconds that
the construct library takes to start.
"""

import os
import subprocess
import sys

import pytest

from tests.gate.test_waivers import waiver

APP = """
import json, os, pathlib

out = pathlib.Path(os.environ["CDK_OUTDIR"])
out.mkdir(parents=True, exist_ok=True)
queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}
(out / "main.template.json").write_text(json.dumps({"Resources": {"Jobs": queue}}))
stack = {
    "type": "aws:cloudformation:stack",
    "environment": "aws://111122223333/eu-west-1",
    "displayName": "main",
    "properties": {"templateFile": "main.template.json", "stackName": "main", "terminationProtection": True},
}
(out / "manifest.json").write_text(json.dumps({"version": "48.0.0", "artifacts": {"main": stack}}))
"""
# A stack outside every stage has no environment's name.
WAIVED = waiver(environments='["-"]', resources='["Jobs"]', kind='"stateful-replaced"')


def git(repository, *arguments):
    # Nothing of the machine's own git set-up must reach the test.
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-C", str(repository), "-c", "user.name=test", "-c", "user.email=test@example.com"]
    return subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, env=environment
    ).stdout


def commit(repository, tag, **files):
    for name, text in files.items():
        (repository / name.replace("_", ".")).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-m", tag)
    git(repository, "tag", tag)


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "--initial-branch=main")
    commit(root, "empty", README="nothing to deploy yet\n")
    commit(root, "app", app_py=APP, cdk_json="{}")
    return root


def test_a_renamed_queue_is_blocked_then_waived_and_leaves_nothing_behind(gate, repository):
    (repository / "app.py").write_text(APP.replace('"jobs"', '"work"'))
    blocked = gate.base(repository, "app")
    assert blocked.code == 1, blocked.errors
    assert "main/Jobs (AWS::SQS::Queue)" in blocked.text
    assert "QueueName: jobs → work" in blocked.text

    (repository / "gate-waivers.toml").write_text(WAIVED)
    waived = gate.base(repository, "app")
    assert waived.code == 0, waived.text
    assert git(repository, "status", "--short").split() == ["M", "app.py", "??", "gate-waivers.toml"]


def test_a_waiver_that_the_base_had_waives_nothing_again(gate, repository):
    renamed = APP.replace('"jobs"', '"work"')
    (repository / "gate-waivers.toml").write_text(WAIVED)
    commit(repository, "renamed", app_py=renamed)

    unrelated = gate.base(repository, "renamed")
    assert unrelated.code == 0
    assert "has done its work" in unrelated.text

    (repository / "app.py").write_text(APP.replace('"jobs"', '"again"'))
    again = gate.base(repository, "renamed")
    assert again.code == 1
    assert "QueueName: work → again" in again.text


def test_a_base_without_an_app_has_nothing_to_lose(gate, repository):
    outcome = gate.base(repository, "empty")
    assert outcome.code == 0, outcome.errors
    assert "has no CDK app" in outcome.text


def test_an_unknown_reference_is_named(gate, repository):
    outcome = gate.base(repository, "nowhere")
    assert outcome.code == 2
    assert "git does not know 'nowhere'" in outcome.errors


def test_a_synth_that_fails_shows_its_last_words(gate, repository):
    (repository / "app.py").write_text("raise SystemExit('no such subnet')")
    outcome = gate.base(repository, "app")
    assert outcome.code == 2
    assert "no such subnet" in outcome.errors


def test_the_module_answers_with_its_exit_code(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-m", "ops.gate", "--assemblies", str(tmp_path), str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 2
    assert "not a synthesized cloud assembly" in outcome.stderr
