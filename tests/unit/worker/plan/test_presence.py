"""Which keys are there: as few listings as the keys allow, and a head only where the size is right."""

from typing import Any, cast

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope
from runtime.worker.aws.objects import ObjectStore, Present
from runtime.worker.plan.presence import WantedObject, present


class Bucket:
    """Objects by key; pages of three."""

    def __init__(self, objects: dict[str, Present]) -> None:
        self.objects = objects
        self.listed: list[tuple[str, str]] = []
        self.heads: list[str] = []

    def list_from(self, prefix: str, after: str) -> tuple[dict[str, int], bool]:
        self.listed.append((prefix, after))
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        return {key: self.objects[key].size for key in keys[:3]}, len(keys) > 3

    def start_head(self, key: str, _scope: Scope) -> Any:
        self.heads.append(key)
        return key

    def finish_head(self, exchange: Any, _scope: Scope) -> Present | None:
        return self.objects.get(exchange)


WANT = WantedObject(10, 7, "ab")
SAME = Present(10, 7, "ab")


def found(bucket: Bucket, *keys: str) -> list[int]:
    numbered = [(key, place) for place, key in enumerate(keys)]
    prefixes = ("exports/job/", "exports/")
    store = cast("ObjectStore", bucket)
    return sorted(present(store, prefixes, numbered, lambda _: WANT, Scope(Cancellation())))


def test_a_fresh_prefix_is_listed_once_and_asked_nothing() -> None:
    bucket = Bucket({})
    assert found(bucket, *(f"exports/job/{number:03}" for number in range(50))) == []
    assert (len(bucket.listed), bucket.heads) == (1, [])


def test_size_checksum_and_hash_must_agree() -> None:
    objects = {
        "exports/job/a": SAME,
        "exports/job/b": Present(11, 7, "ab"),
        "exports/job/c": Present(10, 8, "ab"),
        "exports/job/d": Present(10, 7, "cd"),
    }
    bucket = Bucket(objects)
    assert found(bucket, *sorted([*objects, "exports/job/e"])) == [0]
    assert bucket.heads == ["exports/job/a", "exports/job/c", "exports/job/d"]


def test_the_listing_leaps_over_what_is_not_wanted() -> None:
    objects = {f"exports/job/{number:03}": SAME for number in range(100)}
    bucket = Bucket(objects)
    assert found(bucket, "exports/job/000", "exports/job/050", "exports/job/099") == [0, 1, 2]
    assert len(bucket.listed) <= 12


def test_keys_are_listed_under_their_longest_prefix() -> None:
    bucket = Bucket({"exports/a": SAME, "exports/job/a": SAME, "exports/z": SAME, "elsewhere": SAME})
    assert found(bucket, "elsewhere", "exports/a", "exports/job/a", "exports/z") == [1, 2, 3]
    assert {prefix for prefix, _ in bucket.listed} == {"exports/job/", "exports/"}
