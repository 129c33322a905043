"""What every workflow keeps to: pinned actions, no standing permissions, no keys, no injected input."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stacks.environments import ENVIRONMENTS

WORKFLOWS = sorted((Path(__file__).resolve().parents[2] / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def jobs(document):
    return document["jobs"].items()


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request):
    return request.param.read_text(encoding="utf-8")


@pytest.fixture
def document(workflow):
    return yaml.safe_load(workflow)


def test_actions_are_pinned_by_commit_with_their_version_beside(workflow):
    used = [line.strip().removeprefix("- ") for line in workflow.splitlines() if "uses:" in line]
    loose = [line for line in used if not PINNED.match(line) and not line.startswith("uses: $/.github/")]
    assert loose == []


def test_one_action_is_one_version_everywhere():
    pins = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w-]+/[\w-]+)@(.*)$", path.read_text(), re.MULTILINE):
            pins.setdefault(action, set()).add(pin)
    assert {action: sorted(versions) for action, versions in pins.items() if len(versions) > 1} == {}


def test_permissions_are_none_but_where_a_job_says_so(document):
    assert document["permissions"] == {}
    for name, job in jobs(document):
        assert job.get("permissions") is not None, name
        writes = {key for key, value in job["permissions"].items() if value == "write"}
        assert writes <= {"id-token", "pull-requests"}, name


def test_an_account_is_reached_only_through_a_github_environment(document):
    for name, job in jobs(document):
        if "uses" not in job:
            assert ("id-token" in job["permissions"]) == ("environment" in job), name


def test_no_long_lived_keys(workflow):
    assert "access-key" not in workflow.lower()
    assert "secrets." not in workflow


def test_a_job_that_may_comment_runs_nothing_of_the_pull_request(document):
    for _, job in jobs(document):
        if "pull-requests" in job["permissions"]:
            assert not any("checkout" in step.get("uses", "") for step in job["steps"])
            assert "contents" not in job["permissions"]


def test_no_expression_is_pasted_into_a_script(document):
    scripts = [step["run"] for _, job in jobs(document) for step in job.get("steps", []) if "run" in step]
    assert [script for script in scripts if "${{" in script] == []


def test_every_job_ends_by_itself(document):
    assert [name for name, job in jobs(document) if "uses" not in job and "timeout-minutes" not in job] == []


def test_zizmor_finds_nothing():
    """Its audits of what a workflow lets others do; offline, so that a run needs no token."""
    command = [
        str(Path(sys.executable).parent / "zizmor"),
        "--offline",
        "--format",
        "plain",
        str(WORKFLOWS[0].parents[1]),
    ]
    audit = subprocess.run(command, capture_output=True, text=True, check=False)
    assert audit.returncode == 0, audit.stdout
    assert "No findings to report" in audit.stdout


def test_the_gate_runs_nothing_of_the_pull_request_that_it_judges():
    jobs_of = yaml.safe_load((WORKFLOWS[0].parent / "pull-request.yml").read_text())["jobs"]
    steps = [step.get("run") or step["uses"].partition("@")[0] for step in jobs_of["gate"]["steps"]]
    # The base is checked out before anything runs; what the pull request leaves is read, never run.
    assert steps[:2] == ["actions/checkout", "git checkout --quiet HEAD^1"]
    assert [step for step in steps if "proposed" in step] == [
        (
            ".venv/bin/python -m ops.gate --assemblies cdk.out proposed/cdk.out"
            " --waivers proposed/gate-waivers.toml --inherited gate-waivers.toml --markdown gate.md"
        ),
        (
            ".venv/bin/python -m ops.capacity check staging prod --only-compare"
            " --assembly proposed/cdk.out --before cdk.out --append gate.md"
        ),
    ]
    assert "make synth" in [step.get("run") for step in jobs_of["synth"]["steps"]]


def test_what_guards_the_accounts_has_owners():
    owned = (WORKFLOWS[0].parents[1] / "CODEOWNERS").read_text()
    for path in ("/ops/gate/", "/ops/assembly/", "/gate-waivers.toml", "/.github/", "/stacks/validation/"):
        assert re.search(rf"^{re.escape(path)} +@", owned, re.MULTILINE), path


def test_steps_hold_no_logic(document):
    scripts = [step["run"] for _, job in jobs(document) for step in job.get("steps", []) if "run" in step]
    assert [script for script in scripts if len(script.strip().splitlines()) > 1 or " if " in script] == []


def test_an_image_is_built_on_the_runner_that_the_templates_ask_for():
    by_name = {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
    deploy = by_name["deploy-environment.yml"]["jobs"]["deploy"]
    assert deploy["runs-on"] == "${{ inputs.runner }}"
    for name, job in jobs(by_name["deploy.yml"]):
        if "with" in job:
            environment = job["with"]["environment"]
            assert (
                job["with"]["runner"] == f"${{{{ fromJSON(needs.synth.outputs.runners).{environment} }}}}"
            ), name
            assert "synth" in job["needs"]


def test_a_run_that_waits_for_one_environment_holds_no_other_back():
    by_name = {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
    assert "concurrency" not in by_name["deploy.yml"]
    group = by_name["deploy-environment.yml"]["jobs"]["deploy"]["concurrency"]
    assert group == {"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False}


def test_every_environment_is_deployed_and_watched_for_drift():
    names = [environment.name for environment in ENVIRONMENTS]
    by_name = {path.name: yaml.safe_load(path.read_text()) for path in WORKFLOWS}
    deployed = [job["with"]["environment"] for _, job in jobs(by_name["deploy.yml"]) if "with" in job]
    assert deployed == names
    assert by_name["drift.yml"]["jobs"]["drift"]["strategy"]["matrix"]["environment"] == names
