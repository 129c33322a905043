"""The ECS service that this task belongs to, looked at now and then while the task is protected."""

import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from .leaving import ServiceView

METADATA_URI_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
_TIMEOUT_S = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EcsTask:
    """Who this task is."""

    arn: str
    cluster: str
    service: str
    definition: str
    """Family and revision."""

    @classmethod
    def of_metadata(cls, base_uri: str) -> "EcsTask | None":
        """From the task metadata endpoint; None for a task of no service. Raises OSError."""
        url = f"{base_uri.rstrip('/')}/task"
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310  the platform's own
            document = json.loads(answer.read())
        if not document.get("ServiceName"):
            return None
        return cls(
            arn=document["TaskARN"],
            cluster=document["Cluster"],
            service=document["ServiceName"],
            definition=f"{document['Family']}:{document['Revision']}",
        )

    def view(self, ecs: Any) -> ServiceView | None:
        """The service now; None when it is gone. Raises botocore's errors."""
        found = ecs.describe_services(cluster=self.cluster, services=[self.service])["services"]
        if not found:
            return None
        service = found[0]
        deployments: list[dict[str, Any]] = service.get("deployments", [])
        primary = next((d for d in deployments if d.get("status") == "PRIMARY"), {})
        definition = str(primary.get("taskDefinition", service.get("taskDefinition", "")))
        return ServiceView(
            desired=int(service["desiredCount"]),
            running=int(service["runningCount"]),
            current=definition.rpartition("/")[2] in ("", self.definition),
            version_desired=int(primary.get("desiredCount", 0)),
            version_running=int(primary.get("runningCount", 0)),
        )


class ServiceWatch:
    """Asks at most once in `interval_s`, and only while `wanted()`; tells `seen` what it sees."""

    def __init__(
        self,
        task: EcsTask,
        ecs: Any,
        seen: Callable[[ServiceView, float], object],
        *,
        wanted: Callable[[], bool],
        interval_s: float,
    ) -> None:
        self._task = task
        self._ecs = ecs
        self._seen = seen
        self._wanted = wanted
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._failing = False

    def start(self) -> None:
        threading.Thread(target=self._run, name="service-watch", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> None:
        """One turn. An answer that does not come changes nothing."""
        if not self._wanted():
            return
        try:
            view = self._task.view(self._ecs)
        except (ClientError, BotoCoreError) as error:
            if not self._failing:
                _log.warning("The service cannot be looked at, so this task leaves only when told: %s", error)
            self._failing = True
            return
        self._failing = False
        if view is not None:
            self._seen(view, time.time())

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self.look()


def watch_of(
    metadata_uri: str | None,
    session: boto3.Session,
    seen: Callable[[ServiceView, float], object],
    *,
    wanted: Callable[[], bool],
    interval_s: float = 60.0,
) -> ServiceWatch | None:
    """The watch on this task's service; None outside ECS."""
    if not metadata_uri:
        return None
    try:
        task = EcsTask.of_metadata(metadata_uri)
    except (OSError, ValueError, KeyError) as error:
        _log.warning("The task does not learn which service it belongs to: %s", error)
        return None
    if task is None:
        return None
    return ServiceWatch(task, session.client("ecs"), seen, wanted=wanted, interval_s=interval_s)
