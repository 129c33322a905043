"""The AWS clients of a worker process, built once and shared by its threads."""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from runtime.shared.aws_client.client import AwsClient
from runtime.shared.aws_client.endpoint import Endpoint, bucket_endpoint, tls_context
from runtime.shared.aws_client.sigv4 import Signer
from runtime.worker.aws.objects import ObjectStore


@dataclass(frozen=True)
class Clients:
    """`objects` is the bucket; `tables` makes DynamoDB calls; `s3` is boto3's client for the rare ones."""

    objects: ObjectStore
    tables: AwsClient
    s3: Any

    @classmethod
    def create(cls, bucket: str, session: boto3.Session | None = None) -> "Clients":
        """Clients for `bucket` from the environment's credentials, region and endpoint settings.

        Raises botocore's NoCredentialsError or NoRegionError when those are missing.
        """
        session = session or boto3.Session()
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 6},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
        )
        s3 = session.client("s3", config=config)
        dynamodb = session.client("dynamodb", config=config)
        core = session._session  # noqa: SLF001 -- boto3 does not offer its CA bundle setting otherwise
        tls = tls_context(core)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError

        def client(boto: Any, service: str, endpoint: Endpoint) -> AwsClient:
            signer = Signer(credentials, boto.meta.region_name, service)
            return AwsClient(endpoint, signer, tls, lambda operation: announce(boto, service, operation))

        objects = client(s3, "s3", bucket_endpoint(s3, bucket))
        tables = client(dynamodb, "dynamodb", Endpoint.from_url(dynamodb.meta.endpoint_url))
        return cls(ObjectStore(objects, s3, bucket), tables, s3)


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
