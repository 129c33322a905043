"""S3 against the metadata, without a download: does an object of that size and checksum lie where it should?

Sizes come from listings, a thousand objects a request. A digest is one HEAD, hundreds in flight over the
worker's slim client (`python -m benchmarks.verification` measures it): the full-object CRC-32 that S3 holds,
and the SHA-256 that the worker stored beside the bytes it had verified.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import NoCredentialsError

from ops.fleet.documents import Lack, Verification
from ops.fleet.environment import Fleet
from runtime.shared.aws_client.client import AwsClient, Exchange
from runtime.shared.aws_client.endpoint import bucket_endpoint, tls_context
from runtime.shared.aws_client.sigv4 import SigV4Signer
from runtime.shared.consumer import Cancellation
from runtime.shared.ledger.values import plain
from runtime.shared.scope import Scope, scope_of
from runtime.worker.aws.objects import ObjectStore, Present

# S3 takes 5,500 a second of one prefix; from afar it takes this many in flight to ask some thousands.
_THREADS, _HEADS_IN_FLIGHT, _BATCH = 4, 96, 960
_TELL_EVERY = 500
_LACKS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class ExpectedObject:
    """One metadata item; `size` is None where it says nothing usable."""

    path: str
    key: str
    size: int | None
    sha256: str | None


def verify(
    fleet: Fleet, export_job_id: str, *, progress: Callable[[int], None] = lambda _done: None
) -> Verification:
    """Hold every expected file of the job to what is in S3; `progress` is told how many have been.

    Memory holds a key and a size for each object of the job. Raises AwsError, botocore's errors.
    """
    began = time.monotonic()
    reasons: Counter[str] = Counter()
    lacks: list[Lack] = []
    expected = 0
    for expected, lack in enumerate(_verdicts(fleet, export_job_id), 1):
        if lack is not None:
            reasons[lack.reason] += 1
            if len(lacks) < _LACKS_KEPT:
                lacks.append(lack)
        if expected % _TELL_EVERY == 0:
            progress(expected)
    seconds = time.monotonic() - began
    return Verification(
        export_job_id=export_job_id,
        expected=expected,
        present=expected - reasons.total(),
        lacking=reasons.total(),
        by_reason=dict(reasons.most_common()),
        lacks=lacks,
        seconds=round(seconds, 3),
        objects_per_s=round(expected / seconds, 1),
    )


def _verdicts(fleet: Fleet, export_job_id: str) -> Iterator[Lack | None]:
    """The lack of each expected file, None for none; in the order of the metadata, a little behind it."""
    prefix = f"{fleet.names.object_prefix}{export_job_id}/"
    sizes = dict(_listing(fleet, prefix))
    store = _store(fleet)
    asked: deque[Future[list[Lack | None]]] = deque()
    files = _wanted(fleet, export_job_id, prefix)
    # Threads, because opening a connection from afar takes longer than all it is then asked.
    with scope_of(Cancellation()) as scope, ThreadPoolExecutor(_THREADS, "verify") as pool:
        while batch := list(islice(files, _BATCH)):
            asked.append(pool.submit(_judged, store, scope, batch, sizes, prefix))
            if len(asked) > 2 * _THREADS:
                yield from asked.popleft().result()
        while asked:
            yield from asked.popleft().result()


def _judged(
    store: ObjectStore, scope: Scope, files: Sequence[ExpectedObject], sizes: Mapping[str, int], prefix: str
) -> list[Lack | None]:
    verdicts: list[Lack | None] = [None] * len(files)
    in_flight: deque[tuple[int, Exchange]] = deque()

    def compare() -> None:
        index, exchange = in_flight.popleft()
        verdicts[index] = _compared(files[index], store.finish_head(exchange, scope))

    for index, file in enumerate(files):
        # What the metadata sends elsewhere is in no listing of the job's.
        listed = file.key.startswith(prefix)
        size = sizes.get(file.key)
        if file.size is None or (listed and size != file.size):
            verdicts[index] = _lack_of_size(file, size)
            continue
        in_flight.append((index, store.start_head(file.key, scope)))
        if len(in_flight) == _HEADS_IN_FLIGHT:
            compare()
    while in_flight:
        compare()
    return verdicts


def _compared(file: ExpectedObject, found: Present | None) -> Lack | None:
    if found is None or found.size != file.size:
        return _lack_of_size(file, None if found is None else found.size)
    if found.crc is None:
        return _lack(
            file, "checksum-unknown", "S3 holds no full-object CRC-32: this service did not write it"
        )
    if file.sha256 is not None and found.sha256 is None:
        return _lack(file, "checksum-unknown", "no SHA-256 is stored with it: this service did not write it")
    if file.sha256 is not None and found.sha256 != file.sha256:
        return _lack(file, "checksum-differs", f"SHA-256 {found.sha256} is stored, {file.sha256} is expected")
    return None


def _lack_of_size(file: ExpectedObject, found: int | None) -> Lack:
    if file.size is None:
        return _lack(file, "invalid-metadata", "its size is not a whole number")
    if found is None:
        return _lack(file, "absent", "")
    return _lack(file, "size-differs", f"{found:,} bytes are there, {file.size:,} are expected")


def _lack(file: ExpectedObject, reason: str, detail: str) -> Lack:
    return Lack(path=file.path, key=file.key, reason=reason, detail=detail)


def _listing(fleet: Fleet, prefix: str) -> Iterator[tuple[str, int]]:
    pages = fleet.client("s3").get_paginator("list_objects_v2").paginate(Bucket=fleet.bucket, Prefix=prefix)
    for page in pages:
        yield from ((found["Key"], found["Size"]) for found in page.get("Contents", ()))


def _wanted(fleet: Fleet, export_job_id: str, prefix: str) -> Iterator[ExpectedObject]:
    names = fleet.names
    attributes = (names.path, names.size, names.sha256, names.destination)
    # By placeholder: a name may be one of DynamoDB's reserved words ("size" is).
    pages = fleet.client("dynamodb").get_paginator("query").paginate(
        TableName=fleet.output("MetadataTableName"),
        KeyConditionExpression="#job = :job",
        ProjectionExpression=",".join(f"#{index}" for index in range(len(attributes))),
        ExpressionAttributeNames={
            "#job": names.job, **{f"#{index}": name for index, name in enumerate(attributes)},
        },
        ExpressionAttributeValues={":job": {"S": export_job_id}},
    )  # fmt: skip
    for page in pages:
        for item in map(plain, page["Items"]):
            path, size, sha256 = item[names.path], item.get(names.size), item.get(names.sha256)
            yield ExpectedObject(
                path,
                str(item.get(names.destination) or f"{prefix}{path}"),
                size if isinstance(size, int) and size >= 0 else None,
                sha256.lower() if isinstance(sha256, str) else None,
            )


def _store(fleet: Fleet) -> ObjectStore:
    s3: Any = fleet.client("s3")
    credentials = fleet.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    core = fleet.session._session  # noqa: SLF001  boto3 does not offer its CA bundle setting otherwise
    fast = AwsClient(
        bucket_endpoint(s3, fleet.bucket),
        SigV4Signer(credentials, s3.meta.region_name, "s3"),
        tls_context(core),
        lambda _operation: None,
    )
    return ObjectStore(fast, s3, fleet.bucket)
