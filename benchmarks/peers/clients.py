"""The AWS clients and the metadata look-up of the two Python peers, as typical code writes them."""

from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.config import Config

from benchmarks.job import Job


def s3_client(job: Job) -> Any:
    # Over https, boto3 leaves the payload out of the signature; here it is told to over http as well, or
    # the peer would pay for a SHA-256 that it does not pay for in production.
    config = Config(s3={"payload_signing_enabled": False})
    return boto3.client("s3", endpoint_url=job.endpoint, config=config)


def metadata_table(job: Job) -> Any:
    return boto3.resource("dynamodb", endpoint_url=job.endpoint).Table(job.table)


def metadata_of(table: Any, export_job_id: str) -> dict[str, dict[str, Any]]:
    """All items of the job by path: cheaper than a GetItem for each entry."""
    query: dict[str, Any] = {"KeyConditionExpression": Key("export_job_id").eq(export_job_id)}
    items = {}
    while True:
        page = table.query(**query)
        items.update({item["file_path"]: item for item in page["Items"]})
        if "LastEvaluatedKey" not in page:
            return items
        query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
