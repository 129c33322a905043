"""The files that the metadata table expects of a whole job, page by page, in the order of the paths.

DynamoDB bills what a Query reads, not what it returns: the count alone saves bytes on the wire, no money.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.worker.manifest.paths import paths_digest
from runtime.worker.plan.metadata import Attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Pages end at 1 MB anyway; this bounds what is between two looks at the cancellation and at the lease.
PAGE_ITEMS = 5_000


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """One item; `size` is None where the item says nothing usable."""

    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class CountedPage:
    """The items of a page, their paths' digest if it was asked for, and the last path (None: the end)."""

    items: int
    paths_digest: int
    last: str | None


@dataclass(frozen=True)
class ExpectedFiles:
    """Reads one job's partition with boto3's client; every read is consistent."""

    dynamodb: "DynamoDBClient"
    attributes: Attributes

    def count(self, export_job_id: str, after: str, *, names: bool) -> Iterator[CountedPage]:
        """The pages behind the path `after` (empty: from the beginning). Raises botocore's errors."""
        path = self.attributes.path
        what: dict[str, Any] = self._projection(path) if names else {"Select": "COUNT"}
        for answer, last in self._pages(export_job_id, after, what):
            digest = paths_digest(item[path]["S"] for item in answer["Items"]) if names else 0
            yield CountedPage(int(answer["Count"]), digest, last)

    def files(self, export_job_id: str) -> Iterator[list[ExpectedFile]]:
        """Every expected file, a page at a time. Raises botocore's errors."""
        names = self.attributes
        what = self._projection(names.path, names.size, names.sha256)
        for answer, _ in self._pages(export_job_id, "", what):
            yield [self._file(item) for item in answer["Items"]]

    def _pages(
        self, export_job_id: str, after: str, what: Mapping[str, Any]
    ) -> Iterator[tuple[Any, str | None]]:
        names = self.attributes
        job = {"S": export_job_id}
        last: str | None = after
        while last is not None:
            query: dict[str, Any] = {
                "TableName": names.table,
                "KeyConditionExpression": "#job = :job",
                "ExpressionAttributeValues": {":job": job},
                "ConsistentRead": True,
                "Limit": PAGE_ITEMS,
                **what,
                "ExpressionAttributeNames": {"#job": names.job, **what.get("ExpressionAttributeNames", {})},
            }
            if last:
                query["ExclusiveStartKey"] = {names.job: job, names.path: {"S": last}}
            answer = self.dynamodb.query(**query)
            key: Any = answer.get("LastEvaluatedKey")
            last = str(key[names.path]["S"]) if key else None
            yield answer, last

    def _projection(self, *attributes: str) -> dict[str, Any]:
        # By placeholder: a name may be one of DynamoDB's reserved words ("size" is).
        named = {f"#{index}": attribute for index, attribute in enumerate(attributes)}
        return {"ProjectionExpression": ",".join(named), "ExpressionAttributeNames": named}

    def _file(self, item: Mapping[str, Any]) -> ExpectedFile:
        names = self.attributes
        size = item.get(names.size, {}).get("N", "")
        sha256 = item.get(names.sha256, {}).get("S")
        return ExpectedFile(
            item[names.path]["S"],
            int(size) if size.isdecimal() else None,
            sha256.lower() if isinstance(sha256, str) else None,
        )
