"""botocore's client of a JSON service, with its most frequent calls made without botocore.

botocore builds, signs, sends and parses a small call in 1 to 2 milliseconds of CPU time, most of a service's
time where each message makes several. So the first try of such a call goes through the slim client. What it
asks and returns, and the errors it raises, are botocore's; should it fail in a way that is worth another try,
botocore makes that, with its own pauses, limits and quota against retry storms.
"""

import hashlib
import os
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import HTTPClientError

from runtime.shared.aws_client.client import AwsClient, Call
from runtime.shared.aws_client.documents import read_json, write_json
from runtime.shared.aws_client.errors import AwsError, AwsUnreachable
from runtime.shared.http.errors import TransferTimeout
from runtime.shared.scope import unending

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


class NoAnswer(HTTPClientError):
    """As botocore's own: nothing came back."""

    fmt = "{error}"


def _user_agent() -> str:
    """As botocore says it, so that CloudTrail and whoever stands in the way can tell the callers apart."""
    application = os.environ.get("AWS_SDK_UA_APP_ID", "")
    return f"export-processing app/{application}" if application else "export-processing"


class JsonService:
    """Thread-safe. `timeouts_again`: a call without an answer is made again (a long poll is not)."""

    def __init__(self, boto: Any, client: AwsClient, *, timeouts_again: bool) -> None:
        self._boto = boto
        self._client = client
        self._timeouts_again = timeouts_again
        self._scope = unending()
        model = boto.meta.service_model
        self._headers = {
            "user-agent": _user_agent(),
            "host": client.endpoint.authority,
            "content-type": f"application/x-amz-json-{model.metadata['jsonVersion']}",
        }
        self._target = model.metadata["targetPrefix"]
        self._path = client.endpoint.base_path or "/"

    def __getattr__(self, name: str) -> Any:
        """Every other call, and what else a botocore client has."""
        return getattr(self._boto, name)

    def make_directly(self, method: str, operation: str, *, idempotent_by: str = "") -> None:
        """Have this call made without botocore; `idempotent_by` names the parameter of its token."""
        setattr(self, method, partial(self._call, method, operation, idempotent_by))

    def _call(self, method: str, operation: str, idempotent_by: str, /, **asked: Any) -> Any:
        if idempotent_by:
            asked.setdefault(idempotent_by, str(uuid.uuid4()))
        body = write_json(asked)
        headers = {**self._headers, "x-amz-target": f"{self._target}.{operation}"}
        digest = hashlib.sha256(body).hexdigest()
        call = Call(
            operation=operation,
            method="POST",
            path=self._path,
            headers=headers,
            body=(body,),
            length=len(body),
            payload_hash=digest,
        )
        try:
            exchange = self._client.start(call, self._scope)
            return read_json(self._client.answer(exchange, self._scope).body)
        except AwsError as error:
            if not error.retryable:
                raise self._as_botocore_has_it(error) from error
        except AwsUnreachable as error:
            if isinstance(error.__cause__, TransferTimeout) and not self._timeouts_again:
                raise NoAnswer(error=error) from error
        return getattr(self._boto, method)(**asked)

    def _as_botocore_has_it(self, error: AwsError) -> Exception:
        response = {
            **error.document,
            "Error": {"Code": error.code or str(error.status), "Message": error.message},
            "ResponseMetadata": {"HTTPStatusCode": error.status},
        }
        refusal: Exception = self._boto.exceptions.from_code(error.code)(response, error.operation)
        return refusal


def sqs_directly(sqs: "SQSClient", client: AwsClient, *, timeouts_again: bool = True) -> "SQSClient":
    """The same, with what is called for every message made without botocore."""
    service = JsonService(sqs, client, timeouts_again=timeouts_again)
    service.make_directly("receive_message", "ReceiveMessage")
    service.make_directly("send_message", "SendMessage")
    service.make_directly("send_message_batch", "SendMessageBatch")
    service.make_directly("delete_message_batch", "DeleteMessageBatch")
    service.make_directly("change_message_visibility_batch", "ChangeMessageVisibilityBatch")
    return cast("SQSClient", service)


def dynamodb_directly(dynamodb: "DynamoDBClient", client: AwsClient) -> "DynamoDBClient":
    """The same, with what is called for every message made without botocore."""
    service = JsonService(dynamodb, client, timeouts_again=True)
    service.make_directly("get_item", "GetItem")
    service.make_directly("update_item", "UpdateItem")
    service.make_directly("transact_write_items", "TransactWriteItems", idempotent_by="ClientRequestToken")
    return cast("DynamoDBClient", service)
