"""A registered task definition as the engine's arguments: the limits that Fargate would hold it to."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from local.rehearsal.container_task import ContainerTask
from local.rehearsal.engine_client import Engine
from local.tasks import TaskDefinition

CONTAINER: dict[str, Any] = {
    "image": "registry/image:tag",
    "command": ["python", "-m", "runtime.worker"],
    "memory": 3840,
    "user": "10001:10001",
    "readonlyRootFilesystem": True,
    "stopTimeout": 120,
    "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
    "mountPoints": [{"containerPath": "/scratch", "sourceVolume": "scratch"}],
    "environment": [{"name": "SCRATCH_DIR", "value": "/scratch"}, {"name": "SLOTS", "value": "512"}],
}


def task(container: dict[str, Any], memory_mib: int | None = None) -> ContainerTask:
    definition = TaskDefinition(
        service="worker",
        cluster="c",
        family="f",
        revision="1",
        task_role_arn="arn:task",
        execution_role_arn="arn:execution",
        container=container,
        cpu_units=2048,
    )
    environment = {"SLOTS": "8", "SCRATCH_DIR": "/home/me/scratch", "PATH": "/usr/bin", "AWS_REGION": "r"}
    return ContainerTask(
        name="worker-1",
        task_id="0123456789abcdef",
        definition=definition,
        environment=environment,
        working_directory=Path("/nowhere"),
        log=Path("/nowhere/log"),
        engine=Engine("docker", {}),
        memory_mib=memory_mib,
    )


def option(arguments: list[str], name: str) -> list[str]:
    return [value for flag, value in itertools.pairwise(arguments) if flag == name]


@pytest.mark.parametrize(
    ("flag", "values"),
    [
        ("--cpus", ["2.0"]),
        ("--memory", ["3840m"]),
        ("--memory-swap", ["3840m"]),
        ("--user", ["10001:10001"]),
        ("--cap-drop", ["ALL"]),
        ("--security-opt", ["no-new-privileges"]),
        ("--stop-timeout", ["120"]),
        ("--volume", ["/scratch"]),
    ],
)
def test_each_limit_is_the_definitions(flag: str, values: list[str]) -> None:
    assert option(task(CONTAINER).arguments(), flag) == values


def test_root_is_read_only_and_a_process_reaps_children() -> None:
    arguments = task(CONTAINER).arguments()
    assert "--read-only" in arguments
    assert "--init" in arguments
    assert arguments[-4:] == ["registry/image:tag", "python", "-m", "runtime.worker"]


def test_a_definition_that_allows_more_gets_more() -> None:
    loose = {**CONTAINER, "readonlyRootFilesystem": False, "linuxParameters": {}}
    arguments = task(loose).arguments()
    assert not {"--read-only", "--init", "--cap-drop"} & set(arguments)


def test_nothing_of_this_machine_is_inside_but_the_definitions_own() -> None:
    inside = option(task(CONTAINER).arguments(), "--env")
    assert sorted(inside) == ["AWS_REGION=r", "SCRATCH_DIR=/scratch", "SLOTS=512"]


def test_a_trial_may_have_less_memory() -> None:
    arguments = task(CONTAINER, memory_mib=40).arguments()
    assert option(arguments, "--memory") == option(arguments, "--memory-swap") == ["40m"]
