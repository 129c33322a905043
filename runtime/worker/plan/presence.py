"""Which of the wanted objects are already in S3: by listing first, then asking only where it can matter.

A listing shows names and sizes. Only an object that is there with the right size is worth a HeadObject for
its checksum; a first run over a fresh prefix asks about nothing.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runtime.worker.aws.client import Exchange
from runtime.worker.aws.objects import ObjectStore, Present
from runtime.worker.bounds.scope import Scope

_HEADS_IN_FLIGHT = 16


class WantedObject(NamedTuple):
    """An object as it should be."""

    size: int
    crc: int
    sha256: str | None


def present_keys(
    store: ObjectStore, prefixes: Iterable[str], wanted: Mapping[str, WantedObject], scope: Scope
) -> set[str]:
    """The wanted keys that S3 holds with the same size, full-object CRC-32 and, where known, SHA-256.

    Keys outside `prefixes` are not looked for. Raises AwsError, boto's ClientError, or what the scope ended
    with.
    """
    by_prefix: dict[str, list[str]] = {}
    longest_first = sorted(set(prefixes), key=len, reverse=True)
    for key in sorted(wanted):
        prefix = next((prefix for prefix in longest_first if key.startswith(prefix)), None)
        if prefix is not None:
            by_prefix.setdefault(prefix, []).append(key)
    candidates: list[str] = []
    for prefix, keys in by_prefix.items():
        candidates += _with_right_size(store, prefix, keys, wanted, scope)
    present: set[str] = set()
    in_flight: deque[tuple[str, Exchange]] = deque()

    def finish() -> None:
        key, exchange = in_flight.popleft()
        if _same(store.finish_head(exchange, scope), wanted[key]):
            present.add(key)

    for key in candidates:
        in_flight.append((key, store.start_head(key, scope)))
        if len(in_flight) == _HEADS_IN_FLIGHT:
            finish()
    while in_flight:
        finish()
    return present


def _with_right_size(
    store: ObjectStore, prefix: str, keys: list[str], wanted: Mapping[str, WantedObject], scope: Scope
) -> list[str]:
    """Wanted keys listed with their size. The listing leaps over what lies between two wanted keys."""
    matching: list[str] = []
    at = 0
    listed_to = ""
    while at < len(keys):
        scope.check()
        # The key without its last character sorts before the key, and after everything not worth listing.
        listed, more = store.list_from(prefix, max(listed_to, keys[at][:-1]))
        listed_to = max(listed, default="\U0010ffff") if more else "\U0010ffff"
        while at < len(keys) and keys[at] <= listed_to:
            if listed.get(keys[at]) == wanted[keys[at]].size:
                matching.append(keys[at])
            at += 1
    return matching


def _same(found: Present | None, want: WantedObject) -> bool:
    if found is None or found.size != want.size or found.crc != want.crc:
        return False
    return want.sha256 is None or found.sha256 == want.sha256
