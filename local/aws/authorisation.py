"""IAM as AWS applies it, where moto's differs for what this system calls.

moto checks the name of the API operation, which is not always the name of the permission (`SendMessageBatch`
needs `sqs:SendMessage`, a transaction needs the permission of each of its writes), and for most services it
checks against the resource `*`, which no policy for one table or one secret matches.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlparse

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.access_control import IAMRequest, IAMRequestBase
from moto.secretsmanager.models import secretsmanager_backends

_TRANSACTION_ACTIONS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def install(record: Callable[[str, str], None]) -> None:
    """Replace moto's check in this process; S3 keeps moto's own, which knows buckets and keys.

    `record` is told the access key and the permission of each kind of request that was allowed, once.
    """
    ActionAuthenticatorMixin._authenticate_and_authorize_normal_action = _authorise  # type: ignore[method-assign, assignment]  # noqa: SLF001
    check = IAMRequestBase.check_action_permitted
    seen: set[tuple[str, str]] = set()
    lock = threading.Lock()

    def check_and_record(request: Any, resource: str) -> None:
        check(request, resource)
        used = (request._access_key._access_key_id, request._action)  # noqa: SLF001
        with lock:
            if used not in seen:
                seen.add(used)
                record(*used)

    IAMRequestBase.check_action_permitted = check_and_record  # type: ignore[method-assign, assignment]


def _authorise(response: Any, resource: str = "*") -> None:
    if ActionAuthenticatorMixin.request_count < settings.INITIAL_NO_AUTH_ACTION_COUNT:
        ActionAuthenticatorMixin.request_count += 1
        return
    url = urlparse(response.uri)
    signed = False
    for action, arn in _needed(response, resource):
        request = IAMRequest(
            account_id=response.current_account,
            method=response.method,
            path=f"{response.raw_path}?{url.query}" if url.query else response.raw_path,
            data=response.data,
            body=response.raw_body,
            headers=response.headers,
            action=action,
        )
        if not signed:
            request.check_signature()
            signed = True
        request.check_action_permitted(arn)


def _needed(response: Any, resource: str) -> Iterator[tuple[str, str]]:
    """Each permission that the request needs: the action, and the ARN it is needed on."""
    operation = response._get_action()  # noqa: SLF001
    prefix = f"arn:aws:{response.service_name}:{response.region}:{response.current_account}"
    match response.service_name:
        case "sqs" if operation.endswith(("MessageMoveTask", "MessageMoveTasks")):
            yield from _of_move(operation, json.loads(response.raw_body))
        case "sqs":
            yield operation.removesuffix("Batch"), resource
        case "dynamodb":
            for action, table in _tables(operation, json.loads(response.raw_body)):
                yield action, table if table.startswith("arn:") else f"{prefix}:table/{table}"
        case "secretsmanager":
            yield operation, _secret_arn(response, json.loads(response.raw_body).get("SecretId"))
        case "events" if operation == "PutEvents":
            for name in {
                entry.get("EventBusName", "default") for entry in json.loads(response.raw_body)["Entries"]
            }:
                yield operation, name if name.startswith("arn:") else f"{prefix}:event-bus/{name}"
        case _:
            yield operation, resource


def _of_move(operation: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """SQS moves with the permissions of whoever asks it to."""
    source = body.get("SourceArn") or json.loads(base64.b64decode(body["TaskHandle"]))["sourceArn"]
    yield operation, source
    if operation == "StartMessageMoveTask":
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
            yield action, source
        if "DestinationArn" in body:
            yield "SendMessage", body["DestinationArn"]


def _tables(operation: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "TransactItems" in body:
        for item in body["TransactItems"]:
            for kind, write in item.items():
                yield _TRANSACTION_ACTIONS[kind], write["TableName"]
    elif "RequestItems" in body:
        for table in body["RequestItems"]:
            yield operation, table
    else:
        yield operation, body.get("TableName", "*")


def _secret_arn(response: Any, secret_id: str | None) -> str:
    if secret_id is None:
        return "*"
    backend = secretsmanager_backends[response.current_account][response.region]
    secret = backend.secrets.get(secret_id)
    return secret.arn if secret else secret_id
