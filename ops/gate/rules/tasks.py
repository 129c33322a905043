"""The confinement of a task's containers, and what keeps a service running and rolling back."""

from collections.abc import Iterator
from typing import Any

from ops.assembly.model import Json
from ops.assembly.tokens import text_of, texts_of
from ops.gate.model import ChangeKind, Finding
from ops.gate.rules.comparison import Comparison
from ops.gate.rules.guard import Guard, guarded
from ops.gate.rules.values import (
    altered,
    appeared,
    lowered,
    only,
    removed,
    switched_off,
    switched_on,
    tenfold,
    turned_false,
)

_TASK, _SERVICE = "AWS::ECS::TaskDefinition", "AWS::ECS::Service"
_CONTAINER = r"ContainerDefinitions\.[^.]+"
_INSIGHTS = ("enabled", "enhanced")
_TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"

GUARDS = (
    Guard(
        type=_TASK,
        path=r"ContainerDefinitions\.[^.]+\.(Privileged|Interactive|PseudoTerminal)|EnableFaultInjection",
        weaker=switched_on,
        text="is switched on",
        closed=None,
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.LinuxParameters\.(Devices|Capabilities\.Add)\.[^.]+",
        weaker=appeared,
        text="is added to what the container may do to its host",
        closed=None,
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.DockerSecurityOptions\.[^.]+",
        weaker=altered,
        text="changes what confines the container",
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.HealthCheck",
        weaker=removed,
        text="is removed: a stuck task goes on",
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.LogConfiguration",
        weaker=removed,
        text="is removed: no line is kept",
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.LogConfiguration\.(LogDriver|Options\.awslogs-(group|region))",
        weaker=altered,
        text="is another: its retention, metrics and alarms look at the old one",
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.StopTimeout",
        weaker=lowered(30),
        text="is shortened: less time to hand over what is in hand",
    ),
    Guard(
        type=_TASK,
        path="PidMode|IpcMode|NetworkMode",
        weaker=only("awsvpc", "none"),
        text="shares what belongs to the host or to other containers",
        closed=None,
    ),
    Guard(
        type=_TASK,
        path=r"Volumes\.[^.]+\.Host\.SourcePath",
        weaker=appeared,
        text="is a folder of the host",
        closed=None,
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.MountPoints\.[^.]+\.ReadOnly",
        weaker=switched_off,
        text="is switched off: the container can change the volume",
    ),
    Guard(
        type=_SERVICE,
        path=r"DeploymentConfiguration\.(DeploymentCircuitBreaker\.(Enable|Rollback)|Alarms\.(Enable|Rollback))",
        weaker=switched_off,
        text="is switched off: a bad version stays",
    ),
    Guard(
        type=_SERVICE,
        path=r"DeploymentConfiguration\.Alarms\.AlarmNames\.[^.]+",
        weaker=removed,
        text="is removed: a deployment goes on while it is in alarm",
    ),
    Guard(
        type=_SERVICE,
        path="DeploymentConfiguration.MinimumHealthyPercent",
        weaker=lowered(100),
        text="is lowered: a deployment stops tasks before their successors run",
    ),
    Guard(
        type=_SERVICE,
        path="DesiredCount",
        weaker=lambda _, now: text_of(now) == "0",
        text="is 0: nothing runs",
    ),
    Guard(
        type=_TARGET, path="MaxCapacity", weaker=lambda _, now: text_of(now) == "0", text="is 0: nothing runs"
    ),
    Guard(
        type=_TASK,
        path=rf"{_CONTAINER}\.Essential",
        weaker=turned_false,
        text="is switched off: the task goes on without it",
    ),
    Guard(
        type=_SERVICE,
        path="AvailabilityZoneRebalancing",
        weaker=lambda was, now: text_of(was) == "DISABLED" != text_of(now),
        text="is switched on: busy tasks are stopped to even out zones",
    ),
    Guard(
        type=_SERVICE,
        path=r"CapacityProviderStrategy\.FARGATE\.Base",
        weaker=lambda was, now: text_of(was or 0) != "0" == text_of(now or 0),
        text="is 0: all tasks may be interrupted at once",
    ),
    Guard(
        type="AWS::ApplicationAutoScaling::ScalingPolicy",
        path=r".+\.TargetValue",
        weaker=tenfold,
        text="is more than ten times as much: work waits that long for tasks",
    ),
    Guard(
        type=_TARGET,
        path=r"SuspendedState\.\w+",
        weaker=switched_on,
        text="is switched on: scaling stands still",
    ),
    Guard(
        type="AWS::ECS::Cluster",
        path=r"ClusterSettings\.[^.]+\.Value",
        weaker=lambda was, now: (
            text_of(was) in ("enabled", "enhanced") and text_of(now) not in ("enabled", "enhanced")
        ),
        text="is switched off: scaling and alarms have no figures",
    ),
    Guard(
        type="AWS::ECS::Cluster",
        path="Configuration.ExecuteCommandConfiguration.Logging",
        weaker=lambda was, now: text_of(now) == "NONE" != text_of(was),
        text="is switched off: what is typed into a task is recorded nowhere",
    ),
    Guard(
        path=r"(.+\.)?(MetadataOptions\.HttpTokens)",
        weaker=lambda was, now: text_of(now) != "required" == text_of(was),
        text="no longer asks for a session: a server-side request forgery reads the credentials",
        closed="required",
    ),
)


def task_findings(comparison: Comparison) -> Iterator[Finding]:
    """Weaker guards of tasks and services, and containers that are less confined than they were."""
    yield from guarded(comparison, GUARDS)
    for change in comparison.changes:
        if change.after is not None and change.after.type == _TASK:
            before = _containers(change.before.properties) if change.before else {}
            for name, container in _containers(change.after.properties).items():
                for text in _looser(before.get(name), container):
                    yield comparison.finding(
                        change.after, ChangeKind.PROTECTION_WEAKENED, f"container {name} {text}"
                    )


def _containers(properties: Json) -> dict[str, Json]:
    listed = properties.get("ContainerDefinitions")
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {text_of(item.get("Name", f"[{index}]")): item for index, item in enumerate(items)}


def _looser(before: Json | None, after: Json) -> Iterator[str]:
    """Sentences about one container; a new one is held against a wholly confined one."""
    if _read_only(before) and not _read_only(after):
        yield "can write to its root file system (ReadonlyRootFilesystem is no longer true)"
    if not _root(before) and _root(after):
        yield f"runs as root, or as whatever its image says (User: {_user(before)} → {_user(after)})"
    kept = set(_dropped(before)) if before is not None else {"ALL"}
    if (lost := kept - set(_dropped(after))) and "ALL" not in _dropped(after):
        yield f"keeps capabilities that were dropped: {', '.join(sorted(lost))}"
    if before is not None and _registry(before) != _registry(after):
        yield f"takes its image from elsewhere: {_registry(before)} → {_registry(after)}"


def _read_only(container: Json | None) -> bool:
    return container is None or str(container.get("ReadonlyRootFilesystem")).lower() == "true"


def _user(container: Json | None) -> str:
    return "none" if container is None else text_of(container.get("User", "(the image's)"))


def _root(container: Json | None) -> bool:
    if container is None:
        return False
    user = text_of(container.get("User", "")).partition(":")[0]
    return user in ("", "root") or user.strip("0") == ""


def _dropped(container: Json | None) -> list[str]:
    parameters: Any = (container or {}).get("LinuxParameters") or {}
    capabilities = parameters.get("Capabilities") or {} if isinstance(parameters, dict) else {}
    return texts_of(capabilities.get("Drop")) if isinstance(capabilities, dict) else []


def _registry(container: Json) -> str:
    """Where an image comes from: all before its tag or digest."""
    image = text_of(container.get("Image", ""))
    repository = image.partition("@")[0]
    head, slash, tail = repository.rpartition("/")
    return head + slash + tail.partition(":")[0]
