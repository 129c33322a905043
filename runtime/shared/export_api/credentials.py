"""The API's secret from Secrets Manager: read once, kept for minutes, read again when the API refuses it."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared.export_api.errors import Unauthorised, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MAX_AGE_S = 300.0
# Many slots are refused at the same moment; one read answers them all.
MIN_AGE_S = 2.0

_log = logging.getLogger(__name__)


class SecretStore:
    """Thread-safe; the values never appear in errors or logs."""

    def __init__(
        self, client: "SecretsManagerClient", arn: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._arn = arn
        self._clock = clock
        self._lock = threading.Lock()
        self._secret: Mapping[str, str] | None = None
        self._read_at = 0.0

    def get(self, *, fresh: bool = False) -> Mapping[str, str]:
        """The secret's fields; `fresh` reads it again unless that has happened just now.

        Raises Unauthorised when the secret is not a JSON object, Unavailable when it cannot be read.
        """
        with self._lock:
            age = self._clock() - self._read_at
            if self._secret is None or age > (MIN_AGE_S if fresh else MAX_AGE_S):
                try:
                    self._secret = self._read()
                except (ClientError, BotoCoreError) as error:
                    if self._secret is None:
                        raise Unavailable(self._unreadable(error)) from error
                    _log.warning("The API's secret cannot be read again, the known one stays: %s", error)
                self._read_at = self._clock()
            return self._secret

    def _read(self) -> Mapping[str, str]:
        text = self._client.get_secret_value(SecretId=self._arn).get("SecretString", "")
        try:
            secret = json.loads(text)
        except ValueError:
            secret = None
        if not isinstance(secret, dict):
            raise Unauthorised(f"the secret {self._arn} is not a JSON object")
        return {name: value for name, value in secret.items() if isinstance(value, str)}

    def _unreadable(self, error: ClientError | BotoCoreError) -> str:
        # The stacks create the secret without a value; Secrets Manager says "not found" to that as well.
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
            return (
                f"the secret {self._arn} has no value yet, or is not there: put the Export API's credentials "
                'into it as JSON, {"token": "…"}, {"api_key": "…"} or '
                '{"token_url": "…", "client_id": "…", "client_secret": "…"}, with '
                f"aws secretsmanager put-secret-value --secret-id {self._arn} --secret-string file://credentials.json"
            )
        return f"the secret {self._arn} cannot be read: {error}"


def usable(secret: Mapping[str, str], name: str) -> str:
    """A field of the secret that may go into a header. Raises Unauthorised."""
    value = secret.get(name, "")
    # A newline or other odd character would make httpx refuse the header with the value in its message.
    if not value or not value.isprintable() or not value.isascii():
        raise Unauthorised(f'the API\'s secret has no usable "{name}"')
    return value
