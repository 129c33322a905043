"""A local AWS account: the server's process, an operator's clients, roles' credentials, and IAM in force."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import processes
from local.assembly import ROOT
from local.task_endpoints import RoleCredentials

_ADMIN = "local-admin"
_SESSION_S = 43_200
_BUFFER_BYTES = 4 << 20


class LocalAccount:
    """Starts the server in `__init__`; until `enforce_iam` every request is allowed. End it with `close`."""

    def __init__(self, account: str, region: str, directory: Path) -> None:
        self.account, self.region = account, region
        self.log = directory / "aws.log"
        self._roles: dict[str, RoleCredentials] = {}
        self._keys = {"aws_access_key_id": "set-up", "aws_secret_access_key": "set-up"}
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        objects = directory / "aws"
        objects.mkdir()
        environment = os.environ | {
            "MOTO_ACCOUNT_ID": account,
            # Large objects go to disk, in the platform's own directory.
            "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(_BUFFER_BYTES),
            "TMPDIR": str(objects),
        }
        with self.log.open("wb") as log:
            self._server = processes.spawn(
                [sys.executable, "-m", "local.aws"],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        port = processes.first_line_as_json(self._server, "the local AWS", self.log)["port"]
        # moto misreads a TemplateURL with an address in it.
        self.endpoint_url = f"http://localhost:{port}"

    @property
    def process_id(self) -> int:
        return self._server.pid

    def close(self) -> None:
        self._server.kill()
        self._server.wait()

    def client(self, service: str) -> Any:
        """A client with every permission: the operator's, never a task's. One for each service, kept."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._client(service, self._keys)
            return self._clients[service]

    def role_client(self, service: str, role_arn: str) -> Any:
        """A client with a role's credentials."""
        role = self._roles[role_arn]
        keys = {
            "aws_access_key_id": role.access_key_id,
            "aws_secret_access_key": role.secret_access_key,
            "aws_session_token": role.session_token,
        }
        return self._client(service, keys)

    def _client(self, service: str, keys: Mapping[str, str]) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # a name known only at run time
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            config=Config(max_pool_connections=32, retries={"total_max_attempts": 3}),
            **keys,
        )

    @property
    def admin_environment(self) -> dict[str, str]:
        """For a shell: the AWS CLI's variables of the operator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": self.region,
            **{key.upper(): value for key, value in self._keys.items()},
        }

    def assume_roles(self, arns: Iterable[str]) -> None:
        """Get credentials for these roles from STS; `credentials` has them afterwards."""
        # Before IAM is in force: moto's trust check knows AWS principals only, and task roles trust ECS.
        for arn in arns:
            answer = self.client("sts").assume_role(
                RoleArn=arn, RoleSessionName="local", DurationSeconds=_SESSION_S
            )["Credentials"]
            self._roles[arn] = RoleCredentials(
                arn, answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
            )

    def credentials(self, role_arn: str) -> RoleCredentials:
        return self._roles[role_arn]

    def enforce_iam(self) -> None:
        """From here on each request needs a permission; the operator gets all of them."""
        iam = self.client("iam")
        iam.create_user(UserName=_ADMIN)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
        iam.put_user_policy(UserName=_ADMIN, PolicyName="everything", PolicyDocument=policy)
        key = iam.create_access_key(UserName=_ADMIN)["AccessKey"]
        self._keys = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }
        self._clients.clear()
        request = urllib.request.Request(
            f"{self.endpoint_url}/moto-api/reset-auth",
            data=b"0",
            method="POST",
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    @property
    def left_out(self) -> list[str]:
        """The parts of the templates that the server did not take, one line each."""
        return [event["left_out"] for event in self._events() if "left_out" in event]

    def denials(self, role_arn: str) -> list[str]:
        """Requests of a role that IAM refused, as `s3 PUT /bucket/key` or `sqs ReceiveMessage`."""
        key = self._roles[role_arn].access_key_id
        denied = [event["denied"] for event in self._events() if "denied" in event]
        return [f"{line['service']} {line['operation']}" for line in denied if line["access_key"] == key]

    def permissions_used(self, role_arn: str) -> set[str]:
        """The permissions that a role's requests needed, and had, so far."""
        key = self._roles[role_arn].access_key_id
        used = [event["used"] for event in self._events() if "used" in event]
        return {line["action"] for line in used if line["access_key"] == key}

    def _events(self) -> Iterator[dict[str, Any]]:
        for line in self.log.read_text(errors="replace").splitlines():
            if line.startswith("{"):
                yield json.loads(line)
