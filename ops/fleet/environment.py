"""Which environment, and how to reach it: the stacks' outputs, clients, and where its logs are.

In an account the outputs are CloudFormation's. The local platform writes what it deployed into
`.local/<name>/environment.json`, credentials included; such a name wins, because no account has one.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.fleet.refusals import NotFound, declined
from runtime.shared.aws_client.beside_botocore import client_beside
from runtime.shared.aws_client.json_service import JsonService
from runtime.shared.ledger.table import LedgerTable

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
LOCAL_FILE = "environment.json"
SYSTEM = "export-processing"
SERVICES = ("orchestrator", "worker")
_STACKS = ("network", "storage", "messaging", "observability", *SERVICES)
_AT_ONCE = 8
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")
_CONFIG = Config(
    max_pool_connections=32,
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 4, "mode": "standard"},
)


@dataclass(frozen=True, kw_only=True)
class DataNames:
    """The names of the data; the worker's settings say them."""

    object_prefix: str
    manifest_prefix: str
    job: str
    path: str
    size: str
    sha256: str
    destination: str


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A deployed environment. Thread-safe; clients are made at their first use."""

    name: str
    outputs: Mapping[str, str]
    session: boto3.Session
    endpoint_url: str | None = None
    log_folder: Path | None = None
    """Where a local platform's tasks write; None: CloudWatch Logs."""
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                made = self.session.client(  # type: ignore[call-overload]  # a name known only at run time
                    service, endpoint_url=self.endpoint_url, config=_CONFIG
                )
                quick = service == "dynamodb"
                self._clients[service] = querying_directly(made, self.session) if quick else made
            return self._clients[service]

    def output(self, key: str) -> str:
        """An output of the stacks. Raises NotFound."""
        if key not in self.outputs:
            raise NotFound(
                f"the stacks of {self.name} have no output {key}: are they all deployed, and at this version?"
            )
        return self.outputs[key]

    @property
    def ledger(self) -> LedgerTable:
        return LedgerTable(self.client("dynamodb"), self.output("LedgerTableName"), retention_days=30)

    @property
    def bucket(self) -> str:
        return self.output("BucketName")

    @cached_property
    def names(self) -> DataNames:
        """Read from the worker's running task definition, and the runtime's defaults where that is silent."""
        chosen = self.settings_of("worker")
        schema = json.loads((ROOT / "runtime" / "settings.schema.json").read_text())["worker"]

        def name(variable: str) -> str:
            return chosen.get(variable) or str(schema[variable]["default"])

        return DataNames(
            object_prefix=name("OBJECT_PREFIX"),
            manifest_prefix=name("MANIFEST_PREFIX"),
            job=name("METADATA_JOB_ATTRIBUTE"),
            path=name("METADATA_PATH_ATTRIBUTE"),
            size=name("METADATA_SIZE_ATTRIBUTE"),
            sha256=name("METADATA_SHA256_ATTRIBUTE"),
            destination=name("METADATA_DESTINATION_ATTRIBUTE"),
        )

    def settings_of(self, service: str) -> dict[str, str]:
        """The variables of a service's task definition. Raises NotFound, botocore's errors."""
        ecs, cluster = self.client("ecs"), self.output("ClusterName")
        pages = ecs.get_paginator("list_services").paginate(cluster=cluster)
        arns = [arn for page in pages for arn in page["serviceArns"]]
        for arn in arns:
            for described in ecs.describe_services(cluster=cluster, services=[arn])["services"]:
                task = ecs.describe_task_definition(taskDefinition=described["taskDefinition"])
                for container in task["taskDefinition"]["containerDefinitions"]:
                    variables = {pair["name"]: pair["value"] for pair in container.get("environment", ())}
                    if variables.get("SERVICE_MODE") == service:
                        return variables
        raise NotFound(f"cluster {cluster} runs no service whose SERVICE_MODE is {service}")


def querying_directly(dynamodb: Any, session: boto3.Session) -> Any:
    """The client, with queries past botocore, which takes seconds to parse what a search of all jobs reads.

    Raises NoCredentialsError.
    """
    service = JsonService(dynamodb, client_beside(dynamodb, session), timeouts_again=True)
    service.make_directly("query", "Query")
    return service


def at_once(ask: Callable[[Asked], Answered], each: Iterable[Asked]) -> list[Answered]:
    """The answers in order; from afar, one after the other would take too long."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(ask, each))


def find(name: str | None) -> Fleet:
    """The environment of this name; without one, the local platform that is running.

    Raises NotFound, Declined.
    """
    if name is None:
        running = running_locally()
        if len(running) != 1:
            told = (
                f"several platforms run here ({', '.join(running)})" if running else "no local platform runs"
            )
            raise NotFound(f"which environment? {told}; name one with --env, or in EXPORT_OPS_ENV")
        name = running[0]
    file = LOCAL / name / LOCAL_FILE
    return _local(name, file) if file.is_file() else _deployed(name)


def running_locally() -> list[str]:
    """Names of the local platforms that say they run."""
    return sorted(file.parent.name for file in LOCAL.glob(f"*/{LOCAL_FILE}"))


def _local(name: str, file: Path) -> Fleet:
    told = json.loads(file.read_text())
    session = boto3.Session(
        aws_access_key_id=told["access_key_id"],
        aws_secret_access_key=told["secret_access_key"],
        aws_session_token=told.get("session_token"),
        region_name=told["region"],
    )
    return Fleet(
        name=name,
        outputs=told["outputs"],
        session=session,
        endpoint_url=told["endpoint_url"],
        log_folder=Path(told["logs"]),
    )


def _deployed(name: str) -> Fleet:
    session = boto3.Session()
    outputs: dict[str, str] = {}
    try:
        cloudformation = session.client("cloudformation")
        for stack in _STACKS:
            outputs |= _outputs(cloudformation, f"{SYSTEM}-{name}-{stack}")
    except (BotoCoreError, ClientError) as error:
        raise declined(error) from error
    if not outputs:
        raise NotFound(
            f"there is no environment {name}: no stack {SYSTEM}-{name}-… in {session.region_name}, "
            f"and no local platform of that name runs"
        )
    return Fleet(name=name, outputs=outputs, session=session)


def _outputs(cloudformation: Any, stack: str) -> dict[str, str]:
    try:
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return {}
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}
