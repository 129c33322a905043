"""Which of the wanted objects are already in S3: by listing first, then asking only where it can matter.

A listing shows names and sizes. Only an object that is there with the right size is worth a HeadObject for
its checksum; a first run over a fresh prefix asks about nothing. Keys come sorted and are looked at one by
one, so that a million of them take no memory.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from runtime.shared.aws_client.client import Exchange
from runtime.shared.scope import Scope
from runtime.worker.aws.objects import ObjectStore, Present

_HEADS_IN_FLIGHT = 16
_END = "\U0010ffff"  # behind every key


class WantedObject(NamedTuple):
    """An object as it should be."""

    size: int
    crc: int
    sha256: str | None


class _Listing:
    """The part of a prefix's listing that is being looked at. It leaps over what lies between wanted keys."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._sizes: dict[str, int] = {}
        self._listed_to = ""

    def size(self, key: str) -> int | None:
        """The size with which a key is listed; keys are asked for in their order."""
        while key > self._listed_to:
            # The key without its last character sorts before it, and behind all that is not worth listing.
            self._sizes, more = self._store.list_from(self._prefix, max(self._listed_to, key[:-1]))
            self._listed_to = max(self._sizes, default=_END) if more else _END
        return self._sizes.get(key)


def present(
    store: ObjectStore,
    prefixes: Iterable[str],
    keys: Iterable[tuple[str, int]],
    wanted: Callable[[int], WantedObject],
    scope: Scope,
) -> Iterator[int]:
    """The numbers of the keys that S3 holds with the same size, full-object CRC-32 and, if known, SHA-256.

    `keys` come sorted, each with a number that `wanted` takes. Keys outside `prefixes` are not looked for.
    Raises AwsError, boto's ClientError, or what the scope ended with.
    """
    longest_first = sorted(set(prefixes), key=len, reverse=True)
    listings = {prefix: _Listing(store, prefix) for prefix in longest_first}
    in_flight: deque[tuple[int, WantedObject, Exchange]] = deque()

    def finish() -> Iterator[int]:
        number, want, exchange = in_flight.popleft()
        if _same(store.finish_head(exchange, scope), want):
            yield number

    for key, number in keys:
        scope.check()
        prefix = next((prefix for prefix in longest_first if key.startswith(prefix)), None)
        size = listings[prefix].size(key) if prefix is not None else None
        if size is None:
            continue
        want = wanted(number)
        if want.size != size:
            continue
        in_flight.append((number, want, store.start_head(key, scope)))
        if len(in_flight) == _HEADS_IN_FLIGHT:
            yield from finish()
    while in_flight:
        yield from finish()


def _same(found: Present | None, want: WantedObject) -> bool:
    if found is None or found.size != want.size or found.crc != want.crc:
        return False
    return want.sha256 is None or found.sha256 == want.sha256
