"""Errors exactly as each service says them: status, code and shape on the wire."""

from html import escape

from local.faults.proxy.exchange import JSON_TYPE, Response, json_answer
from local.faults.proxy.operations import Operation

_REQUEST_ID = ("x-amzn-RequestId", "FAULT000-0000-0000-0000-000000000000")
_NAMESPACE = {
    "sqs": "com.amazonaws.sqs#",
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "events": "",
    "secretsmanager": "",
}
_THROTTLED = {
    "sqs": "RequestThrottled",
    "dynamodb": "ProvisionedThroughputExceededException",
    "events": "ThrottlingException",
    "secretsmanager": "ThrottlingException",
}
_BROKEN = {
    "sqs": "InternalError",
    "dynamodb": "InternalServerError",
    "events": "InternalException",
    "secretsmanager": "InternalServiceError",
}


def throttled(operation: Operation) -> Response:
    """The service asks to slow down."""
    if operation.service == "s3":
        return s3_error(operation, 503, "SlowDown", "Please reduce your request rate.")
    if operation.name == "TransactWriteItems":
        return transaction_cancelled("ThrottlingError", "Throughput exceeds the current capacity.")
    return json_error(operation.service, _THROTTLED[operation.service], "Rate exceeded")


def server_error(operation: Operation) -> Response:
    """The service fails on its own side."""
    if operation.service == "s3":
        return s3_error(
            operation, 500, "InternalError", "We encountered an internal error. Please try again."
        )
    return json_error(operation.service, _BROKEN[operation.service], "Internal server error", 500)


def transaction_cancelled(code: str, message: str, items: int = 1) -> Response:
    """TransactWriteItems refused; the first item has the reason."""
    reasons = [{"Code": code, "Message": message}] + [{"Code": "None"}] * (items - 1)
    return _json_error(
        "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{code}]",
        400,
        {"CancellationReasons": reasons},
    )


def json_error(service: str, code: str, message: str, status: int = 400) -> Response:
    answer = _json_error(_NAMESPACE[service] + code, message, status, {})
    if service == "sqs":
        # The code of the old query protocol, which botocore prefers; the fault is whose side erred.
        fault = "Sender" if status < 500 else "Receiver"
        answer.headers.append(("x-amzn-query-error", f"{code};{fault}"))
    return answer


def s3_error(operation: Operation, status: int, code: str, message: str) -> Response:
    headers = [("Content-Type", "application/xml"), ("x-amz-request-id", "FAULT00000000000")]
    # Answers to HEAD have no body: a client sees only the status.
    body = b"" if operation.name.startswith("Head") else s3_error_body(code, message)
    return Response(status, headers, body)


def s3_error_body(code: str, message: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>{escape(message)}</Message><RequestId>FAULT00000000000</RequestId></Error>"
    ).encode()


def _json_error(type_: str, message: str, status: int, extra: dict[str, object]) -> Response:
    answer = json_answer({"__type": type_, "message": message, "Message": message, **extra}, status)
    answer.headers = [("Content-Type", JSON_TYPE), _REQUEST_ID]
    return answer
