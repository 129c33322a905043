"""The AWS clients of a worker process, built once and shared by its threads."""

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from runtime.shared.aws_client.beside_botocore import client_beside
from runtime.shared.aws_client.client import AwsClient
from runtime.shared.aws_client.endpoint import bucket_endpoint
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
        objects = client_beside(s3, session, bucket_endpoint(s3, bucket))
        tables = client_beside(dynamodb, session)
        return cls(ObjectStore(objects, s3, bucket), tables, s3)
