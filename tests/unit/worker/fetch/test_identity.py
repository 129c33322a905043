"""Whether an answer is of the opened archive, and which bytes of it."""

import pytest

from runtime.shared.http.grammar import Head
from runtime.worker.fetch.errors import ArchiveChanged, NoRanges
from runtime.worker.fetch.identity import Identity, content_range, unsatisfied_size

MODIFIED = "Mon, 01 Jun 2026 00:00:00 GMT"
LATER = "Mon, 01 Jun 2026 00:00:01 GMT"


def head(**headers: str) -> Head:
    return Head(206, {name.replace("_", "-"): value for name, value in headers.items()}, False)


@pytest.mark.parametrize(
    ("opened", "later", "same"),
    [
        ({"etag": '"a"'}, {"etag": '"a"'}, True),
        ({"etag": '"a"'}, {"etag": '"b"'}, False),
        ({"etag": '"a"'}, {"etag": 'W/"a"'}, True),
        ({"etag": 'W/"a"'}, {"etag": '"a"'}, True),
        ({"etag": 'W/"a"'}, {"etag": 'W/"b"'}, False),
        ({"etag": '"a"'}, {}, True),
        ({}, {"etag": '"a"'}, True),
        ({"last_modified": MODIFIED}, {"last_modified": LATER}, False),
        ({"last_modified": MODIFIED}, {"last_modified": MODIFIED}, True),
        ({"etag": '"a"', "last_modified": MODIFIED}, {"etag": '"a"', "last_modified": LATER}, True),
    ],
)
def test_the_same_archive(opened: dict[str, str], later: dict[str, str], same: bool) -> None:
    identity = Identity.of(head(**opened), 10)
    if same:
        identity.check(head(**later), 10)
        identity.check(head(**later), None)
        with pytest.raises(ArchiveChanged, match="10 bytes long and is now 11"):
            identity.check(head(**later), 11)
    else:
        with pytest.raises(ArchiveChanged):
            identity.check(head(**later), 10)


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"a"', "last_modified": MODIFIED}, '"a"'),
        ({"etag": 'W/"a"', "last_modified": MODIFIED}, None),
        ({"last_modified": MODIFIED}, MODIFIED),
        ({}, None),
    ],
)
def test_only_a_strong_validator_goes_into_if_range(headers: dict[str, str], validator: str | None) -> None:
    assert Identity.of(head(**headers), 10).if_range == validator


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("bytes 0-9/100", "10", (0, 9, 100)),
        ("bytes 0-9/100", "", (0, 9, 100)),
        ("Bytes  5-5/6", "1", (5, 5, 6)),
        ("bytes 0-9/*", "10", (0, 9, None)),
        ("bytes 0-9/100", "11", None),
        ("bytes 9-0/100", "", None),
        ("bytes 0-100/100", "", None),
        ("bytes */100", "", None),
        ("bytes=0-9/100", "", None),
        ("bytes 0-9", "", None),
        ("bytes \u0660-9/100", "", None),
        ("bytes 0-9/" + "9" * 5_000, "", None),
        ("items 0-9/100", "", None),
        ("bytes 0-9/100, bytes 20-29/100", "", None),
        ("", "10", None),
    ],
)
def test_content_range(text: str, length: str, expected: tuple[int, int, int | None] | None) -> None:
    answer = head(content_range=text, **({"content_length": length} if length else {}))
    if expected is None:
        with pytest.raises(NoRanges):
            content_range(answer)
    else:
        assert content_range(answer) == expected


def test_the_length_in_a_416() -> None:
    assert unsatisfied_size(head(content_range="bytes */0")) == 0
    assert unsatisfied_size(head(content_range="bytes */123")) == 123
    for text in ("", "bytes */*", "bytes 0-1/2", "*/5"):
        assert unsatisfied_size(head(content_range=text)) is None
