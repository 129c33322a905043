"""The whole system on one machine: the synthesized stacks on a local AWS, and tasks started as ECS would.

`Platform` is what the demo, `make local` and the end-to-end tests share. It knows names and roles only
from what the stacks made.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.assembly import LOCAL, ROOT, Environment, synthesize
from local.aws.account import LocalAccount
from local.aws.deployment import Deployment, deploy
from local.export_api.dialects import DIALECTS, Dialect
from local.operations import Operations
from local.overrides import container_overrides
from local.task_endpoints import TaskEndpoints, TaskIdentity
from local.tasks import Task, TaskDefinition
from ops.fleet.environment import LOCAL_FILE
from stacks.profiles import PROFILES
from stacks.values import ExportApi

SERVICES = ("orchestrator", "worker")


class Platform(Operations):
    """A context manager: deployed and with IAM in force inside, every process gone after.

    `name` is the directory under `.local/` for logs and scratch. `extra_environment` is added to each task
    (the tests' call recorder uses it). `progress` is told in a few words what is going on.
    """

    def __init__(
        self,
        name: str,
        *,
        extra_environment: Mapping[str, str] | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.directory = LOCAL / name
        self.tasks: list[Task] = []
        self.extra_environment = dict(extra_environment or {})
        self._progress = progress
        self._export_api: Vendor | None = None

    def __enter__(self) -> Self:
        self._progress("synthesizing the stacks")
        assembly = synthesize("dev")
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "logs").mkdir(parents=True)
        # As in the image, the runtime is all there is: a task that imported anything else would fail here.
        (self.directory / "app").mkdir()
        (self.directory / "app" / "runtime").symlink_to(ROOT / "runtime")
        self._progress("starting a local AWS")
        self.account = LocalAccount(assembly.account, assembly.region, self.directory)
        try:
            self._progress("creating the stacks")
            self._deployment = self._deploy(assembly)
            self.definitions = self._read_definitions()
            for definition in self.definitions.values():
                self.account.assume_roles((definition.task_role_arn, definition.execution_role_arn))
            self.account.enforce_iam()
            self._tell_operators()
            self.endpoints = TaskEndpoints()
        except BaseException:
            self.account.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # Nobody reads what the tasks would still do.
        for task in self.tasks:
            task.kill(signal.SIGKILL)
        (self.directory / LOCAL_FILE).unlink(missing_ok=True)
        self.endpoints.close()
        self.account.close()

    def _tell_operators(self) -> None:
        """The outputs by which `export-ops` finds this platform, as the stacks' outputs are in an account."""
        keys = self.account.admin_environment
        file = self.directory / LOCAL_FILE
        file.touch(mode=0o600)
        document = {
            "endpoint_url": keys["AWS_ENDPOINT_URL"],
            "region": keys["AWS_REGION"],
            "access_key_id": keys["AWS_ACCESS_KEY_ID"],
            "secret_access_key": keys["AWS_SECRET_ACCESS_KEY"],
            "logs": str(self.directory / "logs"),
            "outputs": self.outputs,
        }
        file.write_text(json.dumps(document, indent=2) + "\n")

    def _deploy(self, assembly: Environment) -> Deployment:
        """Create the stacks; a rehearsal does it with the CDK's command line."""
        return deploy(assembly, self.client, endpoint_url=self.account.endpoint_url)

    @property
    def traces(self) -> Path | None:
        """Where every task writes its spans, a line of OTLP's JSON for each batch; None: nowhere."""
        return self.directory / "traces.jsonl"

    def _start(self, task: Task) -> Task:
        """Start a task as a process of this checkout; a rehearsal starts a container of the image."""
        return task.start()

    def client(self, service: str) -> Any:
        """A client with every permission: the operator's, never a task's."""
        return self.account.client(service)

    def task_client(self, service: str, task: str) -> Any:
        """A client with the credentials of a service's task role, to try what it may not do."""
        return self.account.role_client(service, self.definitions[task].task_role_arn)

    def output(self, key: str) -> str:
        """An output of the stacks, by its key. Raises RuntimeError that lists those there are."""
        if key not in self.outputs:
            raise RuntimeError(
                f"the stacks have no output {key}; they have {', '.join(sorted(self.outputs))}"
            )
        return self.outputs[key]

    @property
    def outputs(self) -> dict[str, str]:
        """Every output of the stacks by its key."""
        return self._deployment.outputs

    @property
    def left_out(self) -> list[str]:
        """The parts of the templates that do not exist here, one line each."""
        return self._deployment.left_out + self.account.left_out

    def denials(self) -> list[str]:
        """Requests that IAM refused to a task: usually a permission missing in stacks/."""
        return [
            f"{service}{label}: {denial}"
            for service, definition in self.definitions.items()
            for role, label in (
                (definition.task_role_arn, ""),
                (definition.execution_role_arn, " (execution role)"),
            )
            for denial in self.account.denials(role)
        ]

    def permissions_used(self) -> dict[str, set[str]]:
        """The actions that each service's task role was needed for so far, by the requests seen here."""
        used = {
            service: self.account.permissions_used(definition.task_role_arn)
            for service, definition in self.definitions.items()
        }
        services = {task.task_id: task.definition.service for task in self.tasks}
        for call in self.endpoints.agent.calls:
            # The agent calls ECS with the task's role.
            action = "UpdateTaskProtection" if call.method == "PUT" else "GetTaskProtection"
            used[services[call.task_id]].add(f"ecs:{action}")
        return used

    def use_export_api(self, base_url: str, token: str, profile: str = "default") -> None:
        """Point tasks started from now on at this API of this profile, and put its token into the secret."""
        self._export_api = Vendor(base_url, DIALECTS[profile], PROFILES[profile])
        self.set_api_token(token)

    def set_api_token(self, token: str) -> None:
        """Fill in the secret, as an operator would; again to rotate it."""
        secret = self._vendor().secret(token)
        self.client("secretsmanager").put_secret_value(
            SecretId=self.output("ExportApiSecretArn"), SecretString=json.dumps(secret)
        )

    def _vendor(self) -> "Vendor":
        if self._export_api is None:
            raise RuntimeError("a task needs an Export API: call use_export_api first")
        return self._export_api

    def run_task(
        self, service: str, *, overrides: Mapping[str, str] | None = None, ready: bool = True
    ) -> Task:
        """Start a task of this service; with `ready`, return only when it takes work.

        Raises RuntimeError with the end of the task's log when it ends before.
        """
        definition = self.definitions[service]
        name = f"{service}-{1 + sum(task.definition.service == service for task in self.tasks)}"
        task_id = secrets.token_hex(16)
        scratch = self.directory / "scratch" / name
        scratch.mkdir(parents=True)
        identity = TaskIdentity(
            task_id=task_id,
            task_arn=f"arn:aws:ecs:{self.account.region}:{self.account.account}"
            f":task/{definition.cluster}/{task_id}",
            cluster=definition.cluster,
            family=definition.family,
            revision=definition.revision,
            credentials=self.account.credentials(definition.task_role_arn),
        )
        environment = {
            **definition.environment,
            **self._secrets(definition),
            **container_overrides(
                service,
                export_api=self._vendor().settings(service),
                health_port=_free_port(),
                scratch=scratch,
                traces=self.traces,
            ),
            **(overrides or {}),
            **self.endpoints.environment(identity),
            **self._machine_environment(name, scratch),
        }
        log = self.directory / "logs" / f"{name}.jsonl"
        task = self._start(
            Task(
                name=name,
                task_id=task_id,
                definition=definition,
                environment=environment,
                working_directory=self.directory / "app",
                log=log,
            )
        )
        self.tasks.append(task)
        if ready:
            task.wait_until_ready()
        return task

    def stop_tasks(self) -> None:
        """SIGTERM to every task at once, and wait for all of them as `Task.stop` does."""
        for task in self.tasks:
            task.kill(signal.SIGTERM)
        for task in self.tasks:
            task.wait_for_end()

    def _read_definitions(self) -> dict[str, TaskDefinition]:
        ecs, cluster = self.client("ecs"), self.output("ClusterName")
        found: dict[str, TaskDefinition] = {}
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        for service in ecs.describe_services(cluster=cluster, services=arns)["services"]:
            task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
            for container in task["containerDefinitions"]:
                variables = {pair["name"]: pair["value"] for pair in container["environment"]}
                mode = variables.get("SERVICE_MODE", "")
                if mode in SERVICES:
                    found[mode] = TaskDefinition(
                        service=mode,
                        cluster=cluster,
                        family=task["family"],
                        revision=str(task["revision"]),
                        task_role_arn=task["taskRoleArn"],
                        execution_role_arn=task["executionRoleArn"],
                        container=container,
                        cpu_units=int(task.get("cpu") or 1024),
                    )
        missing = set(SERVICES) - set(found)
        if missing:
            raise RuntimeError(f"no registered task definition has SERVICE_MODE {' or '.join(missing)}")
        return found

    def _secrets(self, definition: TaskDefinition) -> dict[str, str]:
        # With the execution role, as ECS reads them before it starts a container.
        reader = self.account.role_client("secretsmanager", definition.execution_role_arn)
        values = {}
        for secret in definition.container.get("secrets", ()):
            parts = secret["valueFrom"].split(":")
            value = reader.get_secret_value(SecretId=":".join(parts[:7]))["SecretString"]
            values[secret["name"]] = json.loads(value)[parts[7]] if len(parts) > 7 else value
        return values

    def _machine_environment(self, name: str, scratch: Path) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            # Neither the user's AWS files nor the machine's own role may help a task.
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.account.endpoint_url,
            "AWS_REGION": self.account.region,
            "AWS_DEFAULT_REGION": self.account.region,
            "PYTHONUNBUFFERED": "1",
            "LOCAL_TASK_NAME": name,
            **self.extra_environment,
        }


@dataclass(frozen=True)
class Vendor:
    """An Export API on this machine, and the profile by which the services read it."""

    base_url: str
    dialect: Dialect
    profile: ExportApi

    def settings(self, service: str) -> dict[str, str]:
        """A task's variables about it."""
        told = self.profile.settings("worker" if service == "worker" else "orchestrator")
        return told | {"EXPORT_API_BASE_URL": self.base_url}

    def secret(self, token: str) -> dict[str, str]:
        """The secret that goes into Secrets Manager."""
        return self.dialect.secret(token, self.base_url.removesuffix(self.dialect.prefix))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
