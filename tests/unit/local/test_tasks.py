"""What surrounds a task: it dies with its parent, gets its role's credentials, and is watched as by ECS."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.assembly import ROOT
from local.processes import wait_for
from local.task_endpoints import RoleCredentials, TaskEndpoints, TaskIdentity
from local.tasks import Task, TaskDefinition

ROLE = RoleCredentials("arn:aws:iam::123456789012:role/r", "ASIA1", "secret", "session")
TASK = TaskIdentity(
    task_id="id1",
    task_arn="arn:aws:ecs:eu-west-1:123456789012:task/c/id1",
    cluster="c",
    family="family",
    revision="1",
    credentials=ROLE,
)


@pytest.fixture
def endpoints() -> Iterator[TaskEndpoints]:
    endpoints = TaskEndpoints()
    yield endpoints
    endpoints.close()


def ask(url: str, *, body: object = None, token: str = ""):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method="PUT" if data else "GET", headers={"Authorization": token}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


def test_a_child_dies_with_its_parent_even_if_that_is_killed():
    program = (
        "import subprocess, time; from local.processes import spawn\n"
        "print(spawn(['sleep', '60']).pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    wait_for(lambda: not _alive(child), "the child gone", 5)


def test_credentials_are_the_roles_and_only_for_the_tasks_token(endpoints):
    environment = endpoints.environment(TASK)
    url = environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    answer = ask(url, token=environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
    assert (answer["AccessKeyId"], answer["Token"]) == ("ASIA1", "session")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(url, token="another")


def test_protection_is_kept_refused_and_recorded(endpoints):
    url = f"{endpoints.environment(TASK)['ECS_AGENT_URI']}/task-protection/v1/state"
    answer = ask(url, body={"ProtectionEnabled": True, "ExpiresInMinutes": 5})
    assert answer["protection"]["ProtectionEnabled"] is True
    assert answer["protection"]["ExpirationDate"].endswith("Z")
    assert endpoints.agent.is_protected("id1")
    endpoints.agent.refusal = "DEPLOYMENT_BLOCKED"
    assert ask(url, body={"ProtectionEnabled": False})["failure"]["Reason"] == "DEPLOYMENT_BLOCKED"
    assert ask(url)["protection"]["ProtectionEnabled"] is True
    assert [(call.method, call.enabled) for call in endpoints.agent.calls] == [
        ("PUT", True),
        ("PUT", False),
        ("GET", None),
    ]
    with pytest.raises(urllib.error.HTTPError, match="400"):
        ask(url, body={"ProtectionEnabled": True, "ExpiresInMinutes": 9_999})


def test_an_unhealthy_task_is_stopped_and_one_that_ignores_sigterm_is_killed(tmp_path):
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    check = {"command": ["CMD-SHELL", "exit 1"], "interval": 0.1, "retries": 2, "startPeriod": 0}
    task = _task(tmp_path, program, {"healthCheck": check, "stopTimeout": 0.3}).start()
    wait_for(lambda: not task.running, "the task stopped", 10)
    assert task.health == "UNHEALTHY"
    assert task.exit_code == -signal.SIGKILL


def test_a_task_that_ends_before_it_is_ready_shows_its_log(tmp_path):
    task = _task(tmp_path, "print('no such setting'); raise SystemExit(2)", {}).start()
    with pytest.raises(RuntimeError, match=r"exit code 2(.|\n)*no such setting"):
        task.wait_until_ready(5)


def _task(directory: Path, program: str, container: dict) -> Task:
    definition = TaskDefinition(
        service="worker",
        cluster="c",
        family="f",
        revision="1",
        task_role_arn="role",
        execution_role_arn="role",
        container={"command": [sys.executable, "-c", program], **container},
    )
    environment = {"PATH": os.environ["PATH"], "HEALTH_PORT": "9"}
    return Task(
        name="worker-1",
        task_id="id1",
        definition=definition,
        environment=environment,
        working_directory=directory,
        log=directory / "worker-1.jsonl",
    )


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
