"""What servers do, one row for each habit, through the real client and handler against a real socket.

A row says what is sent and what the job comes to: `listed` with its files, or the outcome and its reason. The
next report of an odd server is one more row. Each is met by a job of its own; that none stops the others is
in the nature of an outcome, and is shown with processes in `tests/e2e`.
"""

import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from backports import zstd

from tests.unit.shared.export_api.odd_server import (
    Asked,
    Bytes,
    Habit,
    OddServer,
    answer,
    chunked,
    meet,
    packed,
    page,
    record,
)

RETRY, TRANSPORT = "retry:invalid-answer", "retry:unavailable"
ONE = {"files": [record("a")], "next_cursor": None}
BODY = json.dumps(ONE).encode()


@dataclass(frozen=True)
class Row:
    """`files` are the ids that become tasks, `rejected` how many records do not."""

    name: str
    habit: Habit | bytes
    outcome: str = "listed"
    files: tuple[str, ...] = ("a",)
    rejected: int = 0
    requests: int | None = None
    profile: dict[str, Any] = field(default_factory=dict)

    def server(self) -> OddServer:
        habit = self.habit
        return OddServer(habit if callable(habit) else lambda _asked: habit)


def bad(name: str, habit: Habit | bytes, outcome: str = RETRY, **more: Any) -> Row:
    return Row(name, habit, outcome, more.pop("files", ()), **more)


def pages(**chain: Any) -> Habit:
    """Pages by cursor: `first` without one; each is (records, next cursor)."""

    def habit(asked: Asked) -> bytes:
        files, following = chain[asked.parameter("cursor") or "first"]
        return page(*files, next_cursor=following)

    return habit


def numbered(*files: tuple[str, ...], parameter: str = "page", first: int = 1, **fields: Any) -> Habit:
    """Pages by number, empty ones after the last."""

    def habit(asked: Asked) -> bytes:
        number = int(asked.parameter(parameter) or first) - first
        return page(*(files[number] if number < len(files) else ()), **fields)

    return habit


def then(*answers: bytes) -> Habit:
    """One answer after the other, the last one for ever."""
    return lambda asked: answers[min(asked.number, len(answers) - 1)]


def drip(data: bytes, every_s: float) -> Iterator[bytes]:
    for byte in data:
        yield bytes((byte,))
        time.sleep(every_s)


def endless(status: str) -> Iterator[bytes]:
    """Headers at once, and a body that never ends."""
    yield answer(b"", status=status, length=999)
    yield from drip(b"x" * 999, 0.02)


def redirected(location: str, status: str = "302 Found") -> Habit:
    def habit(asked: Asked) -> bytes:
        if asked.path.endswith("/files"):
            return answer(b"", status=status, Location=location)
        return page("a", next_cursor=None)

    return habit


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


LINK = {"export_api_pagination": "link-header"}
NEXT = {"export_api_pagination": "next-url"}
PAGE = {"export_api_pagination": "page"}
OFFSET = {"export_api_pagination": "offset"}


def linked(header: str) -> Habit:
    """A first page with this Link header, and a second at ?c=2."""
    return lambda asked: (
        page("b") if "c=2" in asked.query else answer(BODY, Link=header) if header else answer(BODY)
    )


BODIES = [
    Row("plain", answer(BODY)),
    Row("without a content type", answer(BODY, Content_Type="")),
    Row("as text/html", answer(BODY, Content_Type="text/html")),
    Row("with a byte order mark", answer(b"\xef\xbb\xbf" + BODY)),
    Row("in UTF-16", answer(BODY.decode().encode("utf-16"))),
    Row("in UTF-32 without a mark", answer(BODY.decode().encode("utf-32-be"))),
    Row(
        "in Latin-1 and says so",
        answer(
            '{"files": [{"file_id": "a", "name": "é", "download_url": "/d"}]}'.encode("latin-1"),
            Content_Type="application/json; charset=ISO-8859-1",
        ),
    ),
    bad(
        "in Latin-1 and says UTF-8",
        answer(b'{"files": [], "x": "\xe9"}', Content_Type="text/json;charset=utf-8"),
    ),
    bad(
        "in an unknown charset",
        answer(b'{"files": [], "x": "\xe9"}', Content_Type="text/json; charset=klingon"),
    ),
    bad("empty with 200", answer(b"")),
    bad("white space alone", answer(b" \r\n ")),
    bad("HTML with 200", answer("<!DOCTYPE html><title>Sign in</title>", Content_Type="text/html")),
    bad("XML", answer("<files/>", Content_Type="application/xml")),
    bad("cut within the JSON", answer(BODY[:-9])),
    bad("two documents", answer(BODY + BODY)),
    bad("one document per line", answer(b'{"file_id": "a"}\n{"file_id": "b"}\n')),
    bad("a number", answer(b"42")),
    bad("null", answer(b"null")),
    bad("a list", answer(b"[]")),
    bad("single quotes", answer(b"{'files': []}")),
    bad("a comma too many", answer(b'{"files": [],}')),
    bad("nested beyond reading", answer(b"[" * 200_000)),
    bad(
        "nested within a record", answer(b'{"files": [' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"]}")
    ),
    bad("a number of 5,000 digits", answer(b'{"files": [], "total": ' + b"9" * 5_000 + b"}")),
    Row(
        "a number of 400 digits as a size",
        answer(BODY.replace(b'"name"', b'"size": ' + b"9" * 400 + b', "name"')),
    ),
    Row("NaN where nobody looks", answer(BODY.replace(b'"files"', b'"took": NaN, "files"'))),
    bad("NaN as the next cursor", answer(BODY.replace(b"null", b"NaN"))),
    Row("Infinity as a size", answer(BODY.replace(b'"name"', b'"size": Infinity, "name"'))),
    bad("the list twice", answer(b'{"files": [{"file_id": "a"}], "files": []}')),
    bad("the cursor twice", answer(b'{"files": [], "next_cursor": "2", "next_cursor": null}')),
    Row("the same cursor twice", answer(b'{"next_cursor": null, ' + BODY[1:])),
    Row("twice where nobody looks", answer(b'{"x": 1, "x": 2, ' + BODY[1:])),
    bad("no list", answer(b'{"next_cursor": null}')),
    bad("the list is null", answer(b'{"files": null}')),
    bad("the list is an object", answer(b'{"files": {"0": {}}}')),
    bad("the list is text", answer(b'{"files": "none"}')),
    bad("a problem with 200", answer(b'{"error": "internal"}')),
    bad(
        "more bytes than allowed", answer(BODY + b" " * 2_000), profile={"export_api_max_answer_bytes": 1_024}
    ),
    bad("more records than allowed", page("a", "b", "c"), profile={"export_api_max_page_records": 2}),
]

CODINGS = [
    Row("gzip", answer(packed(ONE), Content_Encoding="gzip")),
    Row("x-gzip in capitals", answer(packed(ONE), Content_Encoding="X-GZIP")),
    Row("gzip that nobody announced", answer(packed(ONE))),
    Row("gzip announced of plain text", answer(BODY, Content_Encoding="gzip")),
    Row("gzip announced twice, done once", answer(packed(ONE), Content_Encoding="gzip, gzip")),
    Row("gzip of gzip", answer(packed(ONE, 2), Content_Encoding="gzip, gzip")),
    Row(
        "gzip in two members",
        answer(
            zlib.compress(BODY[:9], wbits=31) + zlib.compress(BODY[9:], wbits=31), Content_Encoding="gzip"
        ),
    ),
    Row("gzip with bytes behind it", answer(packed(ONE) + b"\0" * 10, Content_Encoding="gzip")),
    bad("gzip cut short", answer(packed(ONE)[:-12], Content_Encoding="gzip")),
    bad("gzip with a wrong checksum", answer(packed(ONE)[:-8] + bytes(8), Content_Encoding="gzip")),
    bad("gzip that is none", answer(b"\x1f\x8b\x08garbage", Content_Encoding="gzip")),
    Row("deflate in its zlib format", answer(zlib.compress(BODY), Content_Encoding="deflate")),
    Row("deflate, the raw stream", answer(raw_deflate(BODY), Content_Encoding="deflate")),
    bad("deflate that is none", answer(BODY, Content_Encoding="deflate")),
    Row("zstd", answer(zstd.compress(BODY), Content_Encoding="zstd")),
    Row("zstd that nobody announced", answer(zstd.compress(BODY))),
    bad("zstd cut short", answer(zstd.compress(BODY)[:-3], Content_Encoding="zstd")),
    Row("identity", answer(BODY, Content_Encoding="identity")),
    Row("a coding's name for plain text", answer(BODY, Content_Encoding="utf-8")),
    bad("br, which was not asked for", answer(b"\x0b\x10\x80{}\x03", Content_Encoding="br")),
    bad("ten codings", answer(BODY, Content_Encoding=", ".join(["gzip"] * 10))),
    bad(
        "gzip of gzip that grows a million times",
        answer(packed("x" * 30_000_000, 2), Content_Encoding="gzip, gzip"),
        profile={"export_api_max_answer_bytes": 1_048_576},
    ),
    bad(
        "zstd that grows",
        answer(zstd.compress(b" " * 30_000_000), Content_Encoding="zstd"),
        profile={"export_api_max_answer_bytes": 1_048_576},
    ),
]

FRAMING = [
    Row("chunks", chunked(BODY[:10], BODY[10:])),
    Row("chunks with a trailer", chunked(BODY, end=b"0\r\nChecksum: x\r\n\r\n")),
    Row("chunks with extensions", chunked(end=b"%x;a=b\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))),
    Row("no length, to the end of the connection", answer(BODY, Content_Length="")),
    Row("header names in capitals", answer(BODY).replace(b"Content-Type", b"CONTENT-TYPE")),
    bad("shorter than its length", answer(BODY, length=len(BODY) + 5), TRANSPORT),
    bad("chunks without an end", chunked(BODY, end=b""), TRANSPORT),
    bad("a chunk size that is none", chunked(end=b"-5\r\nhello\r\n0\r\n\r\n"), TRANSPORT),
    bad("two lengths", answer(BODY).replace(b"Connection", b"Content-Length: 3\r\nConnection"), TRANSPORT),
    bad("no answer", b"", TRANSPORT),
    bad("no HTTP", b"220 mail.example.com ESMTP\r\n", TRANSPORT),
    bad("half a status line", b"HTTP/1.1 2", TRANSPORT),
    bad("a header without end", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000, TRANSPORT),
    bad("a body that drips", lambda _asked: drip(answer(BODY), 0.02), TRANSPORT),
    bad("headers that drip", lambda _asked: drip(answer(b"", X="y" * 200), 0.02), TRANSPORT),
    bad("silence", lambda _asked: drip(b"HT", 0.7), TRANSPORT),
    Row("an interim answer before", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + answer(BODY)),
]

STATUSES = [
    bad("201", answer(BODY, status="201 Created")),
    bad("202 with a body", answer(BODY, status="202 Accepted")),
    bad("204", answer(b"", status="204 No Content")),
    bad("206", answer(BODY, status="206 Partial Content", Content_Range="bytes 0-9/100")),
    bad("304", answer(b"", status="304 Not Modified", Content_Length="")),
    bad("300 without a choice", answer(b"", status="300 Multiple Choices")),
    bad("400", answer(b"{}", status="400 Bad Request"), "retry:refused"),
    bad("401", answer(b"", status="401 Unauthorized"), "retry:unauthorised"),
    bad("403", answer(b"", status="403 Forbidden"), "retry:unauthorised"),
    bad("403 with Retry-After", answer(b"", status="403 Forbidden", Retry_After="7"), "retry:rate-limited"),
    bad("404", answer(b"", status="404 Not Found"), "park:unknown-job"),
    bad("405", answer(b"", status="405 Method Not Allowed"), "retry:refused"),
    bad("406", answer(b"", status="406 Not Acceptable"), "retry:refused"),
    bad("408", answer(b"", status="408 Request Timeout"), TRANSPORT),
    bad("409", answer(b"", status="409 Conflict"), "retry:refused"),
    bad("410", answer(b"", status="410 Gone"), "park:export-expired"),
    bad("418", answer(b"", status="418 I'm a teapot"), "retry:refused"),
    bad("422", answer(b"", status="422 Unprocessable Content"), "retry:refused"),
    bad("425", answer(b"", status="425 Too Early"), TRANSPORT),
    bad("429", answer(b"", status="429 Too Many Requests"), "retry:rate-limited"),
    bad("451", answer(b"", status="451 Unavailable For Legal Reasons"), "retry:refused"),
    bad("500 with JSON", answer(BODY, status="500 Internal Server Error"), TRANSPORT),
    bad("501", answer(b"", status="501 Not Implemented"), TRANSPORT),
    bad(
        "503 with a date",
        answer(b"", status="503 Busy", Retry_After="Sun, 01 Mar 2026 12:00:00 GMT"),
        TRANSPORT,
    ),
    bad("503 with nonsense", answer(b"", status="503 Busy", Retry_After="9" * 400), TRANSPORT),
    bad("599", answer(b"", status="599 Odd"), TRANSPORT),
    bad(
        "an error with an endless body",
        lambda _asked: endless("404 No"),
        "park:unknown-job",
    ),
    bad("an error cut short", answer(b"x", status="404 Not Found", length=99), "park:unknown-job"),
    bad(
        "problem details that are none",
        answer(b"[[[", status="404 No", Content_Type="application/problem+json"),
        "park:unknown-job",
    ),
    Row("401 once, after a rotation", then(answer(b"", status="401 Unauthorized"), answer(BODY)), requests=3),
    Row(
        "503 once",
        then(answer(b"", status="503 Busy", Retry_After="0"), answer(BODY)),
        profile={"export_api_attempts": 2},
    ),
    Row("cut off once", then(answer(BODY, length=9_999), answer(BODY)), profile={"export_api_attempts": 2}),
]

REDIRECTS = [
    *(
        Row(f"{status} on the own origin", redirected("/moved", status))
        for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent")
    ),
    Row("relative", redirected("other")),
    Row("with a query", redirected("/m?x=y")),
    Row("in raw UTF-8", redirected("/é/ü x".encode().decode("latin-1"))),
    Row("with a fragment", redirected("/moved#top")),
    bad("to itself", lambda asked: answer(b"", status="302 Found", Location=asked.target), requests=7),
    bad(
        "in a circle",
        lambda asked: answer(b"", status="302 Found", Location=f"/{asked.number % 3}"),
        requests=7,
    ),
    bad("to another origin", redirected("https://evil.example/")),
    bad("to another port", redirected("http://127.0.0.1:9/")),
    bad("to another scheme", redirected("ftp://127.0.0.1/")),
    bad("without a scheme", redirected("//evil.example/files")),
    bad("with a user name", redirected("http://x@127.0.0.1/")),
    bad("to nowhere", redirected("")),
    bad("to what is no address", redirected("http://[::1/"), TRANSPORT),
]

CURSORS = [
    Row("null", page("a", next_cursor=None)),
    Row("absent", page("a")),
    Row("empty", page("a", next_cursor="")),
    Row("false", page("a", next_cursor=False)),
    Row("-1", page("a", next_cursor=-1)),
    Row('"-1"', page("a", next_cursor="-1")),
    Row("zero is a cursor", pages(first=(["a"], 0), **{"0": (["b"], None)}), files=("a", "b")),
    Row("an end value", page("a", next_cursor="END"), profile={"export_api_end_values": ("END",)}),
    Row("a number", pages(first=(["a"], 7), **{"7": (["b"], None)}), files=("a", "b")),
    Row(
        "with every odd character",
        pages(first=(["a"], "ü &=+%/?#"), **{"ü &=+%/?#": (["b"], None)}),
        files=("a", "b"),
    ),
    Row("empty pages between", pages(first=([], "2"), **{"2": ([], "3"), "3": (["a"], None)})),
    Row("no files at all", page(), files=()),
    Row(
        "the same file on two pages", pages(first=(["a"], "2"), **{"2": (["a", "b"], None)}), files=("a", "b")
    ),
    bad("true", page("a", next_cursor=True), files=()),
    bad("a list", page("a", next_cursor=["2"]), files=()),
    bad("an object", page("a", next_cursor={"after": 2}), files=()),
    bad("a fraction", page("a", next_cursor=1.5), files=()),
    bad("longer than 64 KiB", page("a", next_cursor="x" * 70_000), files=()),
    bad("half a surrogate", answer(b'{"files": [], "next_cursor": "\\ud800"}')),
    bad(
        "itself",
        pages(first=(["a"], "2"), **{"2": (["b"], "2")}),
        "retry:listing-loop",
        files=("a", "b"),
        requests=3,
    ),
    bad(
        "a circle of two",
        pages(first=(["a"], "2"), **{"2": (["b"], "3"), "3": (["c"], "2")}),
        "retry:listing-loop",
        files=("a", "b", "c"),
        requests=4,
    ),
    bad(
        "a circle of many",
        lambda asked: page("a", next_cursor=str(asked.number % 20)),
        "retry:listing-loop",
        files=("a",),
        requests=22,
    ),
    bad(
        "ever new, never a file",
        lambda asked: page("a", next_cursor=f"{asked.number}"),
        "park:listing-loop",
        files=("a",),
    ),
    bad(
        "refused in the middle",
        lambda asked: (
            answer(b"", status="400 No") if asked.query.endswith("cursor=2") else page("a", next_cursor="2")
        ),
        "retry:refused",
        files=("a",),
    ),
    Row(
        "has_more false beats a cursor",
        page("a", next_cursor="2", has_more=False),
        profile={"export_api_has_more_field": "has_more"},
    ),
    Row(
        "has_more as text",
        page("a", next_cursor="2", has_more="false"),
        profile={"export_api_has_more_field": "has_more"},
    ),
    bad(
        "has_more without a cursor",
        page("a", has_more=True),
        files=(),
        profile={"export_api_has_more_field": "has_more"},
    ),
    Row(
        "the last id is the cursor",
        lambda asked: (
            page("b", has_more=False) if asked.parameter("cursor") == "a" else page("a", has_more=True)
        ),
        files=("a", "b"),
        profile={"export_api_next_cursor_field": "has_more && files[-1].file_id"},
    ),
    Row(
        "a short page ends",
        page("a", next_cursor="2"),
        profile={"export_api_short_page_ends": True, "export_api_page_size": 2},
    ),
]

LINKS = [
    Row("rel in quotes", linked('</v1/exports/job/files?c=2>; rel="next"'), files=("a", "b"), profile=LINK),
    Row("rel without quotes", linked("<?c=2>; rel=next"), files=("a", "b"), profile=LINK),
    Row("rel in capitals", linked('<?c=2>; REL="NEXT"'), files=("a", "b"), profile=LINK),
    Row("a list of relations", linked('<?c=2>; rel="prev next"'), files=("a", "b"), profile=LINK),
    Row("in single quotes", linked("<?c=2>; rel='next'"), files=("a", "b"), profile=LINK),
    Row(
        "with spaces everywhere",
        linked(' , < ?c=2 > ; rel = "next" ; title = "x" ,'),
        files=("a", "b"),
        profile=LINK,
    ),
    Row(
        "after others",
        linked('</1>; rel="first", </9>; rel="last", <?c=2>; rel="next"'),
        files=("a", "b"),
        profile=LINK,
    ),
    Row("commas in the target", linked('<?c=2&x=1,2;3>; rel="next"'), files=("a", "b"), profile=LINK),
    Row(
        "a title that looks like one",
        linked('</1>; title="x, <?c=9>; rel=\\"next\\""; rel="prev"'),
        profile=LINK,
    ),
    Row(
        "a title before",
        linked('<?c=2>; title="a \\"b\\", c; d"; rel="next"'),
        files=("a", "b"),
        profile=LINK,
    ),
    Row("rel twice, the first counts", linked('</1>; rel="prev"; rel="next"'), profile=LINK),
    Row("nextish is not next", linked('<?c=2>; rel="nextish"'), profile=LINK),
    Row("rev is not rel", linked('<?c=2>; rev="next"'), profile=LINK),
    Row("about another page", linked('<?c=2>; rel="next"; anchor="/elsewhere"'), profile=LINK),
    Row(
        "in two header lines",
        linked('</1>; rel="prev"\r\nLink: <?c=2>; rel="next"'),
        files=("a", "b"),
        profile=LINK,
    ),
    Row("the same one twice", linked('<?c=2>; rel="next", <?c=2>; rel=next'), files=("a", "b"), profile=LINK),
    Row(
        "raw UTF-8 in the target",
        linked("<?c=2&é>; rel=next".encode().decode("latin-1")),
        files=("a", "b"),
        profile=LINK,
    ),
    Row("no Link", linked(""), profile=LINK),
    bad("two different ones", linked("<?c=2>; rel=next, <?c=3>; rel=next"), profile=LINK),
    bad("without brackets", linked("?c=2; rel=next"), profile=LINK),
    bad("an open bracket", linked("<?c=2; rel=next"), profile=LINK),
    bad("an open quote", linked('<?c=2>; rel="next'), profile=LINK),
    bad("to another origin", linked("<https://evil.example/?c=2>; rel=next"), profile=LINK),
]

ADDRESSES = [
    Row(
        "relative",
        lambda asked: page("b") if "c=2" in asked.query else page("a", next="?c=2"),
        files=("a", "b"),
        profile=NEXT,
    ),
    Row(
        "absolute",
        lambda asked: (
            page("b") if "c=2" in asked.query else page("a", next=f"http://{asked.headers['host']}/x?c=2")
        ),
        files=("a", "b"),
        profile=NEXT,
    ),
    Row(
        "with spaces and umlauts",
        lambda asked: page("b") if asked.path == "/%C3%A9%20x" else page("a", next="/é x"),
        files=("a", "b"),
        profile=NEXT,
    ),
    Row("null", page("a", next=None), profile=NEXT),
    Row(
        "with another name",
        lambda asked: page("b") if "c=2" in asked.query else page("a", links={"next": "?c=2"}),
        files=("a", "b"),
        profile=NEXT | {"export_api_next_url_field": "links.next"},
    ),
    bad(
        "itself",
        lambda asked: page("a", next=asked.target),
        "retry:listing-loop",
        files=("a",),
        requests=2,
        profile=NEXT,
    ),
    bad("another origin", page("a", next="https://evil.example/?c=2"), profile=NEXT),
    bad("another scheme", page("a", next="file:///etc/passwd"), profile=NEXT),
    bad("credentials in it", page("a", next="http://u:p@127.0.0.1/"), profile=NEXT),
    bad("no address", page("a", next="http://[/"), profile=NEXT),
    bad("a number", page("a", next=["x"]), profile=NEXT),
]

NUMBERS = [
    Row("pages to an empty one", numbered(("a",), ("b",)), files=("a", "b"), requests=4, profile=PAGE),
    Row(
        "pages from zero",
        numbered(("a",), ("b",), first=0),
        files=("a", "b"),
        profile=PAGE | {"export_api_first_page": 0},
    ),
    Row(
        "pages to a 404",
        lambda asked: page("a") if asked.parameter("page") == "1" else answer(b"", status="404 Not Found"),
        profile=PAGE | {"export_api_end_statuses": (404,)},
    ),
    bad(
        "a 404 that nobody called the end",
        lambda asked: page("a") if asked.parameter("page") == "1" else answer(b"", status="404 Not Found"),
        "park:unknown-job",
        files=("a",),
        profile=PAGE,
    ),
    Row(
        "pages to a 400",
        lambda asked: page("a") if asked.parameter("page") == "1" else answer(b"", status="400 Bad Request"),
        profile=PAGE | {"export_api_end_statuses": (400, 404)},
    ),
    Row(
        "a short page ends",
        numbered(("a",)),
        requests=2,
        profile=PAGE | {"export_api_short_page_ends": True, "export_api_page_size": 2},
    ),
    Row(
        "has_more",
        numbered(("a",), has_more=False),
        requests=2,
        profile=PAGE | {"export_api_has_more_field": "has_more"},
    ),
    Row(
        "total pages",
        numbered(("a",), ("b",), pages=2),
        files=("a", "b"),
        requests=3,
        profile=PAGE | {"export_api_total_pages_field": "pages"},
    ),
    bad(
        "more total pages than there are",
        numbered(("a",), ("b",), pages=3),
        files=("a", "b"),
        profile=PAGE | {"export_api_total_pages_field": "pages"},
    ),
    Row(
        "offsets",
        lambda asked: page(*"abc"[int(asked.parameter("offset") or 0) :][:2]),
        files=("a", "b", "c"),
        profile=OFFSET,
    ),
    Row(
        "offsets with a total",
        lambda asked: page(*"abc"[int(asked.parameter("offset") or 0) :][:2], total=3),
        files=("a", "b", "c"),
        requests=3,
        profile=OFFSET | {"export_api_total_field": "total", "export_api_page_size": 2},
    ),
    Row(
        "a total as text",
        lambda asked: page(*"abc"[int(asked.parameter("offset") or 0) :][:2], total="3"),
        files=("a", "b", "c"),
        requests=3,
        profile=OFFSET | {"export_api_total_field": "total", "export_api_page_size": 2},
    ),
    Row(
        "a total that is too low",
        lambda asked: page(*"abcd"[int(asked.parameter("offset") or 0) :][:2], total=2),
        files=("a", "b", "c", "d"),
        profile=OFFSET | {"export_api_total_field": "total", "export_api_page_size": 2},
    ),
    bad(
        "a total that is too high",
        lambda asked: page(*"abc"[int(asked.parameter("offset") or 0) :][:2], total=9),
        files=("a", "b", "c"),
        profile=OFFSET | {"export_api_total_field": "total", "export_api_page_size": 2},
    ),
    Row(
        "400 beyond a total",
        lambda asked: (
            page(*"ab"[int(asked.parameter("offset") or 0) :][:2], total=2)
            if asked.parameter("offset") == "0"
            else answer(b"", status="400 Bad Request")
        ),
        files=("a", "b"),
        profile=OFFSET | {"export_api_total_field": "total", "export_api_page_size": 2},
    ),
    bad("a negative total", page("a", total=-5), profile=OFFSET | {"export_api_total_field": "total"}),
    bad("no total", page("a"), profile=OFFSET | {"export_api_total_field": "total"}),
    bad("the same page for ever", page("a"), "park:listing-loop", files=("a",), profile=PAGE),
]


def values(*of: Any) -> tuple[Any, ...]:
    return of


def one(**changes: Any) -> bytes:
    """A page with a good record and one that is changed (`...` removes a field)."""
    return page("a", record("b", **changes))


RECORDS = [
    *(
        Row(f"file_id {value!r:.40}", one(file_id=value), rejected=1)
        for value in values(
            ...,
            None,
            "",
            " ",
            "x y",
            "x/y",
            "..",
            ".",
            "x\\y",
            "x?y",
            "x#y",
            "x\ny",
            "x" * 257,
            True,
            1.5,
            [],
            {},
        )
    ),
    *(
        Row(f"file_id {value!r}", one(file_id=value), files=("a", str(value)))
        for value in values(7, 0, -3, 2**70)
    ),
    Row("a file_id in Unicode", one(file_id="äöü"), files=("a", "äöü")),
    Row("half a surrogate", answer(json.dumps(ONE).replace('"a"', '"\\ud800"')), files=(), rejected=1),
    *(
        Row(f"name {value!r:.30}", one(name=value), rejected=1)
        for value in values(..., None, "", [], "x" * 5_000)
    ),
    Row("a name that is a number", one(name=7), files=("a", "b")),
    *(
        Row(f"size {value!r}", one(size=value), files=("a", "b"))
        for value in values(0, -1, "12", "12 kB", 1.5, 3.0, None, True, [], 2**80, "9" * 30)
    ),
    *(
        Row(f"download_url {value!r:.40}", one(download_url=value), rejected=1)
        for value in values(
            ...,
            None,
            "",
            "  ",
            7,
            [],
            "ftp://x/y",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:,x",
            "http://",
            "http://[::1",
            "http://x:port/",
            "x" * 70_000,
        )
    ),
    *(
        Row(f"download_url {value!r}", one(download_url=value), files=("a", "b"))
        for value in values(
            "/d/b",
            "d/b",
            "//cdn.example/d",
            "https://cdn.example/é ü?x=a b",
            "HTTPS://CDN.example/x",
            "https://cdn.example:8443/x?sig=%2F%2f+",
            "https://u:p@cdn.example/x",
            "?x",
            "#x",
        )
    ),
    *(
        Row(f"a record that is {value!r}", page("a", value), rejected=1)
        for value in values(None, 3, [], {}, True)
    ),
    Row(
        "a record of text",
        answer('{"files": ["a", {"file_id": "b", "name": "n", "download_url": "/d"}]}'),
        files=("b",),
        rejected=1,
    ),
    Row(
        "a field twice",
        answer('{"files": [{"file_id": "a", "file_id": "b", "name": "n", "download_url": "/d"}]}'),
        files=(),
        rejected=1,
    ),
    Row(
        "an odd field twice",
        answer('{"files": [{"x": 1, "x": 2, "file_id": "a", "name": "n", "download_url": "/d"}]}'),
    ),
    Row("the same record twice", page("a", "a")),
    Row("two files of one id", page("a", record("a", name="other.zip")), rejected=1),
    Row("every record bad", page({}, {}), files=(), rejected=2),
    Row(
        "ids with / by profile",
        page(record("p/q", name="n"), "a"),
        files=("a", "p%2Fq"),
        profile={"export_api_encoded_ids": True},
    ),
    Row(
        "ids that climb, by profile",
        page(record("../q", name="n"), "a"),
        rejected=1,
        profile={"export_api_encoded_ids": True},
    ),
    Row(
        "fields by expressions",
        answer(
            json.dumps({"data": {"items": [{"meta": {"id": 5}, "links": [{"rel": "zip", "href": "/d"}]}]}})
        ),
        files=("5",),
        profile={
            "export_api_files_field": "data.items",
            "export_api_file_id_field": "meta.id",
            "export_api_file_name_field": "name || meta.id",
            "export_api_download_url_field": "links[?rel=='zip'].href | [0]",
        },
    ),
    Row(
        "an expression that fails on a record",
        page("a", record("b", size="x")),
        files=(),
        rejected=2,
        profile={"export_api_file_size_field": "abs(name)"},
    ),
]

ROWS = {
    f"{group}: {row.name}": row
    for group, rows in {
        "body": BODIES, "coding": CODINGS, "framing": FRAMING, "status": STATUSES, "redirect": REDIRECTS,
        "cursor": CURSORS, "link": LINKS, "address": ADDRESSES, "number": NUMBERS, "record": RECORDS,
    }.items()
    for row in rows
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_habit_ends_as_the_contract_says(name: str) -> None:
    row = ROWS[name]
    with row.server() as server:
        seen = meet(server, **row.profile)
    assert (seen.outcome, seen.files, seen.listing.rejected) == (
        row.outcome,
        sorted(row.files),
        row.rejected,
    ), seen.error
    if row.requests is not None:
        # One of them was for the status.
        assert seen.requests == row.requests
    assert len(seen.listing.rejections) == min(row.rejected, 5)


STATUS_ROWS: dict[str, tuple[str, dict[str, Any], str]] = {
    "another word": ('{"status": "COMPLETED"}', {}, RETRY),
    "no word": ("{}", {}, RETRY),
    "null": ('{"status": null}', {}, RETRY),
    "a list": ('{"status": ["completed"]}', {}, RETRY),
    "the word twice": ('{"status": "running", "status": "completed"}', {}, RETRY),
    "failed": ('{"status": "failed"}', {}, "park:export-failed"),
    "expired": ('{"status": "expired"}', {}, "park:export-expired"),
    "their word": (
        '{"state": "DONE"}',
        {"status_field": "state", "status_words": {"DONE": "completed"}},
        "listed",
    ),
    "a number": ('{"status": 3}', {"status_words": {"3": "completed"}}, "listed"),
    "a truth": (
        '{"ready": true}',
        {"status_field": "ready", "status_words": {"true": "completed"}},
        "listed",
    ),
    "by an expression": (
        '{"job": {"state": "ended", "result": "ok"}}',
        {
            "status_field": "job.state == 'ended' && job.result || job.state",
            "status_words": {"ok": "completed"},
        },
        "listed",
    ),
    "of another job": ('{"id": "other", "status": "completed"}', {"job_id_field": "id"}, RETRY),
    "of this job": ('{"id": "job", "status": "completed"}', {"job_id_field": "id"}, "listed"),
    "an expression that fails": ('{"status": "completed"}', {"status_field": "abs(status)"}, RETRY),
}


@pytest.mark.parametrize("name", STATUS_ROWS)
def test_a_status_is_read_by_the_vendors_words(name: str) -> None:
    document, profile, outcome = STATUS_ROWS[name]
    with OddServer(lambda _asked: page(), status=lambda _asked: answer(document)) as server:
        seen = meet(server, **{f"export_api_{key}": value for key, value in profile.items()})
    assert seen.outcome == outcome, seen.error


def test_the_token_never_leaves_the_apis_origin_whatever_its_listing_says() -> None:
    stolen: list[dict[str, str]] = []

    def steal(asked: Asked) -> Bytes:
        stolen.append(asked.headers)
        return page("a")

    with OddServer(steal) as thief:
        elsewhere = f"{thief.base_url}/steal"
        for habit, profile in (
            (redirected(elsewhere), {}),
            (lambda _asked: page("a", next=elsewhere), NEXT),
            (lambda _asked: answer(BODY, Link=f"<{elsewhere}>; rel=next"), LINK),
        ):
            with OddServer(habit) as server:
                assert meet(server, **profile).outcome == RETRY
    assert stolen == []
