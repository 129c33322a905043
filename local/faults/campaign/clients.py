"""Who calls AWS in a campaign: the operator, whom no fault befalls, and everybody's secrets for the proxy."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials

from local.faults.proxy.proxy import UNDISTURBED
from local.platform import Platform


def callers_keys(platform: Platform) -> dict[str, Credentials]:
    """The secrets of everybody who calls AWS here."""
    admin = platform.account.admin_environment
    keys = {
        admin["AWS_ACCESS_KEY_ID"]: Credentials(admin["AWS_ACCESS_KEY_ID"], admin["AWS_SECRET_ACCESS_KEY"])
    }
    for definition in platform.definitions.values():
        role = platform.account.credentials(definition.task_role_arn)
        keys[role.access_key_id] = Credentials(role.access_key_id, role.secret_access_key, role.session_token)
    return keys


def operator_clients(platform: Platform, url: str) -> Callable[[str], Any]:
    """An operator's clients: no fault befalls them.

    While the services run, `url` must be the proxy's: moto's queues bear no second way in.
    """
    made: dict[str, Any] = {}
    admin = platform.account.admin_environment

    def client(service: str) -> Any:
        if service not in made:
            made[service] = boto3.client(  # type: ignore[call-overload]  # a name known only at run time
                service,
                endpoint_url=url,
                region_name=platform.account.region,
                aws_access_key_id=admin["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=admin["AWS_SECRET_ACCESS_KEY"],
                # Wrong bytes are for the checker to find, not for the client to refuse.
                config=Config(
                    retries={"total_max_attempts": 3}, response_checksum_validation="when_required"
                ),
            )
            made[service].meta.events.register("before-send", _undisturbed)
        return made[service]

    return client


def _undisturbed(request: Any, **_: Any) -> None:
    request.headers[UNDISTURBED] = "1"
