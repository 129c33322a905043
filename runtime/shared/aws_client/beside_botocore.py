"""The slim client of a service beside botocore's own: the same endpoint, credentials and certificates."""

from typing import Any

import boto3
from botocore.exceptions import NoCredentialsError

from runtime.shared.aws_client.client import AwsClient
from runtime.shared.aws_client.endpoint import Endpoint, tls_context
from runtime.shared.aws_client.sigv4 import SigV4Signer


def client_beside(
    boto: Any, session: boto3.Session, endpoint: Endpoint | None = None, **options: Any
) -> AwsClient:
    """A client that calls where `boto` does, or `endpoint`; `options` are AwsClient's.

    Raises NoCredentialsError.
    """
    core = session._session  # noqa: SLF001 -- boto3 does not offer its CA bundle setting otherwise
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    service = boto.meta.service_model
    return AwsClient(
        endpoint or Endpoint.from_url(boto.meta.endpoint_url),
        SigV4Signer(credentials, boto.meta.region_name, service.signing_name),
        tls_context(core),
        lambda operation: announce(boto, service.service_name, operation),
        **options,
    )


def announce(boto: Any, service: str, operation: str) -> None:
    """Tell botocore's event system of an operation that is about to be used without it.

    Tooling that records which AWS actions a program needs listens there.
    """
    boto.meta.events.emit(
        f"before-call.{service}.{operation}",
        model=boto.meta.service_model.operation_model(operation),
        params={
            "url_path": "/",
            "url": boto.meta.endpoint_url,
            "query_string": {},
            "method": "",
            "headers": {},
            "body": b"",
            "context": {},
        },
        request_signer=None,
        context={},
    )
