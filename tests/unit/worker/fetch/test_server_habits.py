"""What servers do, one habit a row: through the real download, from a real socket, to objects in S3.

A row says what the habit ends as. `WHOLE`: every file is in S3 as it should be. An exception: the download
fails with it, and what the message does then is `outcomes.py`'s. The next report is one more row.
"""

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.export_api import FileRecord
from runtime.worker.archive.decoders import zstd  # type: ignore[attr-defined]  # one of two modules
from runtime.worker.fetch import archive as archive_module
from runtime.worker.fetch import patience
from runtime.worker.fetch.errors import DownloadFailed, NotTheArchive
from runtime.worker.fetch.guard import ForbiddenDownload
from runtime.worker.manifest.manifest import Manifest
from tests.unit.worker.conftest import World
from tests.unit.worker.fetch.habits import (
    ARCHIVE,
    CLOSE,
    ETAG,
    FILES,
    RESET,
    SIZE,
    Habit,
    HabitServer,
    Request,
    Sent,
    answer,
    chunked,
    head,
    part,
    whole,
)
from tests.unit.worker.servers import ArchiveServer, Behaviour

WHOLE = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """`ends`: an exception and what its text holds, or WHOLE. `renewals`: how often the API is asked."""

    habit: Habit
    ends: tuple[type[Exception], str] | None = WHOLE
    renewals: int = 0


ROWS: dict[str, Row] = {}


def row(
    name: str, ends: tuple[type[Exception], str] | None = WHOLE, renewals: int = 0
) -> Callable[[Callable[[Request], Any]], Habit]:
    """Add the habit to the table; a function that returns bytes sends them."""

    def add(function: Callable[[Request], Any]) -> Habit:
        def habit(request: Request) -> Iterator[Sent]:
            made = function(request)
            yield from (made,) if isinstance(made, bytes) else made

        assert name not in ROWS, name
        ROWS[name] = Row(habit=habit, ends=ends, renewals=renewals)
        return habit

    return add


def once(first: Callable[[Request], Any]) -> Callable[[Request], Iterator[Sent]]:
    """The first request for a span of the archive meets this, all others are served."""
    met: list[int] = []

    def habit(request: Request) -> Iterator[Sent]:
        if request.payload and not met:
            met.append(request.number)
            made = first(request)
            yield from (made,) if isinstance(made, bytes) else made
        else:
            yield part(request)

    return habit


def opening(*answers: bytes) -> Callable[[Request], bytes]:
    """The first requests are answered so, all others are served."""
    return lambda request: answers[request.number - 1] if request.number <= len(answers) else part(request)


# --- ranges ----------------------------------------------------------------------------------------------

row("serves ranges")(part)
row("serves no ranges")(lambda r: whole())
row("says Accept-Ranges: none")(lambda r: whole("Accept-Ranges: none"))
row("serves no ranges, in chunks")(lambda r: chunked(ARCHIVE))
row("serves ranges in chunks")(
    lambda r: (
        chunked(
            ARCHIVE[slice(*r.asked)],
            f"Content-Range: bytes {r.asked[0]}-{r.asked[1] - 1}/{SIZE}",
            status="206 Partial Content",
        )
        if r.ranged
        else whole()
    )
)
row("no range, no length, until close")(lambda r: iter([head("200 OK") + ARCHIVE, CLOSE]))
row("the whole archive to a range, in a 206 with Content-Range 0-")(
    lambda r: (
        answer("206 Partial Content", ARCHIVE, f"Content-Range: bytes 0-{SIZE - 1}/{SIZE}")
        if r.ranged
        else whole()
    )
)
row("a 206 to a request without a range")(
    lambda r: answer("206 Partial Content", ARCHIVE, f"Content-Range: bytes 0-{SIZE - 1}/{SIZE}")
)
row("a whole body under the Content-Range that was asked for")(
    lambda r: (
        answer("206 Partial", ARCHIVE, f"Content-Range: bytes {r.asked[0]}-{r.asked[1] - 1}/{SIZE}")
        if r.ranged
        else whole()
    )
)
row("the same in chunks")(
    lambda r: (
        chunked(ARCHIVE, f"Content-Range: bytes {r.asked[0]}-{r.asked[1] - 1}/{SIZE}", status="206 Partial")
        if r.payload
        else part(r)
    )
)


def _ranged(start: int, stop: int, total: object = SIZE, unit: str = "bytes ") -> bytes:
    body = ARCHIVE[start:stop]
    return answer("206 Partial", body, f"ETag: {ETAG}", f"Content-Range: {unit}{start}-{stop - 1}/{total}")


row("another range than was asked for")(
    lambda r: _ranged(r.asked[0] + 1, r.asked[1]) if r.payload else part(r)
)
row("at most 64 KiB a range")(
    lambda r: _ranged(r.asked[0], min(r.asked[1], r.asked[0] + 65_536)) if r.ranged else whole()
)
row("at most 100 bytes of a suffix")(lambda r: _ranged(r.asked[0], r.asked[0] + 100) if r.suffix else part(r))
row("a suffix read as the first bytes")(
    lambda r: _ranged(0, r.asked[1] - r.asked[0]) if r.suffix else part(r)
)
row("416 to a suffix")(
    lambda r: answer("416 No", b"", f"Content-Range: bytes */{SIZE}") if r.suffix else part(r)
)
row("416 to a suffix, saying nothing")(lambda r: answer("416 No", b"") if r.suffix else part(r))
row("400 to a suffix", renewals=1)(lambda r: answer("400 Bad", b"") if r.suffix else part(r))
row("405 to any range", renewals=1)(lambda r: answer("405 No", b"") if r.ranged else whole())
row("501 to any range")(lambda r: answer("501 No", b"") if r.ranged else whole())
row("416 to a span, of the right length")(
    lambda r: answer("416 No", b"", f"Content-Range: bytes */{SIZE}") if r.payload else part(r)
)
row("416 to a span, saying nothing")(lambda r: answer("416 No", b"") if r.payload else part(r))
row("a total of *")(lambda r: _ranged(*r.asked, "*") if r.ranged else whole())
row("a wrong total")(lambda r: _ranged(*r.asked, SIZE + 9) if r.payload else part(r))
row("a total below the range")(lambda r: _ranged(*r.asked, 3) if r.ranged else whole())
row("Content-Range with =")(lambda r: _ranged(*r.asked, unit="bytes=") if r.ranged else whole())
row("Content-Range with Bytes")(lambda r: _ranged(*r.asked, unit="Bytes  ") if r.ranged else whole())
row("no Content-Range")(lambda r: answer("206 Partial", ARCHIVE[slice(*r.asked)]) if r.ranged else whole())


@row("multipart/byteranges")
def _(r: Request) -> bytes:
    if not r.ranged:
        return whole()
    inner = b"--x\r\nContent-Range: bytes %d-%d/%d\r\n\r\n" % (r.asked[0], r.asked[1] - 1, SIZE)
    body = inner + ARCHIVE[slice(*r.asked)] + b"\r\n--x--\r\n"
    return answer("206 Partial", body, "Content-Type: multipart/byteranges; boundary=x")


# --- validators ------------------------------------------------------------------------------------------


def _validated(r: Request, *headers: str) -> bytes:
    if not r.ranged:
        return answer("200 OK", ARCHIVE, *headers)
    cr = f"Content-Range: bytes {r.asked[0]}-{r.asked[1] - 1}/{SIZE}"
    return answer("206 Partial", ARCHIVE[slice(*r.asked)], cr, *headers)


row("no validators")(_validated)
row("a validator per node")(lambda r: _validated(r, f'ETag: "node-{r.number}"'))
row("a validator per node, minding If-Range")(
    lambda r: (
        answer("200 OK", ARCHIVE, f'ETag: "node-{r.number}"')
        if "if-range" in r.headers
        else _validated(r, f'ETag: "node-{r.number}"')
    )
)
row("weak ETags")(lambda r: _validated(r, 'ETag: W/"v1"'))
row("now weak, now strong")(lambda r: _validated(r, f'ETag: {"W/" * (r.number % 2)}"v1"'))
row("an ETag without quotes")(lambda r: _validated(r, "ETag: v1"))
row("an empty ETag")(lambda r: _validated(r, "ETag:"))
row("an ETag twice")(lambda r: _validated(r, "ETag: v1", "ETag: v1"))
row("Last-Modified alone")(lambda r: _validated(r, "Last-Modified: Mon, 01 Jun 2026 00:00:00 GMT"))
row("Last-Modified per node")(
    lambda r: _validated(r, f"Last-Modified: Mon, 01 Jun 2026 00:00:{r.number:02} GMT")
)
row("Last-Modified per node beside one ETag")(
    lambda r: _validated(r, f"ETag: {ETAG}", f"Last-Modified: Mon, 01 Jun 2026 00:00:{r.number:02} GMT")
)
row("the whole archive to any If-Range")(lambda r: whole() if "if-range" in r.headers else part(r))

# --- bodies that are no archive --------------------------------------------------------------------------

PAGE = b"<!doctype html><title>Maintenance</title>" * 20
row("an empty archive", (NotTheArchive, "no ZIP record"))(
    lambda r: answer("416 No", b"", "Content-Range: bytes */0") if r.ranged else answer("200 OK", b"")
)
row("nothing with 200", (NotTheArchive, "no ZIP record"))(lambda r: answer("200 OK", b""))
row("a page with 200", (NotTheArchive, "no ZIP record"))(
    lambda r: answer("200 OK", PAGE, "Content-Type: text/html")
)
row("a page with 206", (NotTheArchive, "no ZIP record"))(
    lambda r: answer("206 Partial", PAGE, f"Content-Range: bytes 0-{len(PAGE) - 1}/{len(PAGE)}")
)
row("JSON with 200", (NotTheArchive, "no ZIP record"))(lambda r: answer("200 OK", b'{"error": "later"}'))
row("a page with 200 at first")(opening(answer("200 OK", PAGE)))
row("cut cleanly", (NotTheArchive, "do not close"))(lambda r: answer("200 OK", ARCHIVE[:100_000]))
row("cut until close", (NotTheArchive, "do not close"))(
    lambda r: iter([head("200 OK") + ARCHIVE[:100_000], CLOSE])
)
row("a length below the body's", (NotTheArchive, "do not close"))(
    lambda r: head("200 OK", "Content-Length: 100000") + ARCHIVE
)
row("204", (DownloadFailed, "answered 204"))(lambda r: head("204 No Content"))
row("202", (DownloadFailed, "answered 202: soon"))(
    lambda r: answer("202 Accepted", b"soon", "Retry-After: 60")
)
row("304", (DownloadFailed, "answered 304"))(lambda r: head("304 Not Modified"))
row("203 through a proxy")(lambda r: answer("203 Transformed", ARCHIVE))

# --- redirects -------------------------------------------------------------------------------------------


def redirect(status: str, location: str, then: str) -> Callable[[Request], bytes]:
    """From /archive; `then` is what is asked for next."""

    def habit(r: Request) -> bytes:
        if r.path == "/archive":
            return answer(status, b"moved", f"Location: {location.format(base=r.base, host=r.host)}")
        return part(r) if r.path == then else answer("404 Not Found", r.path.encode())

    return habit


for status in ("300 Choices", "301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent"):
    row(f"redirects with {status}")(redirect(status, "/signed?sig=a%2Fb&x=1", "/signed?sig=a%2Fb&x=1"))
row("redirects to a whole URL")(redirect("302 Found", "{base}/x", "/x"))
row("redirects without a scheme")(redirect("302 Found", "//{host}/x", "/x"))
row("redirects to a neighbour")(redirect("302 Found", "neighbour", "/neighbour"))
row("redirects to dots")(redirect("302 Found", "./a/../b", "/b"))
row("redirects to a query")(redirect("302 Found", "?token=1", "/archive?token=1"))
row("redirects with a fragment")(redirect("302 Found", "/x#part", "/x"))
row("redirects to raw UTF-8")(
    redirect("302 Found", "/grüße/日本".encode().decode("latin-1"), "/gr%C3%BC%C3%9Fe/%E6%97%A5%E6%9C%AC")
)
row("redirects to raw Latin-1")(redirect("302 Found", "/gr\xfc\xdfe", "/gr%FC%DFe"))
row("redirects to a name with spaces")(redirect("302 Found", "/a b c", "/a%20b%20c"))
row("redirects to a name with odd characters")(redirect("302 Found", "/a|b\\c{{d}}^", "/a|b\\c{d}^"))
row("redirects in circles", (ForbiddenDownload, "DOWNLOAD_MAX_REDIRECTS"))(
    lambda r: answer("302 Found", b"", "Location: /archive")
)
row("redirects without saying where", (DownloadFailed, "answered 302"))(lambda r: answer("302 Found", b""))
row("redirects to another scheme", (ForbiddenDownload, "over ftp"))(
    lambda r: answer("302 Found", b"", "Location: ftp://127.0.0.1/x")
)
row("redirects to link-local", (ForbiddenDownload, "not among the allowed"))(
    lambda r: answer("302 Found", b"", "Location: http://169.254.169.254/x")
)
row("redirects with a long body")(
    lambda r: answer("302 Found", bytes(200_000), "Location: /x") if r.path == "/archive" else part(r)
)
row("redirects with a body cut short")(
    lambda r: (
        iter([head("302 Found", "Location: /x", "Content-Length: 50"), CLOSE])
        if r.path == "/archive"
        else part(r)
    )
)


@row("redirects to links that serve once")
def _(r: Request) -> bytes:
    if r.path == "/archive":
        return answer("302 Found", b"", f"Location: /once/{r.number}")
    return part(r) if r.path == f"/once/{r.number - 1}" else answer("403 Expired", b"")


# --- links that run out, refusals, being busy ------------------------------------------------------------


def refusing(code: int, *, fresh_too: bool) -> Callable[[Request], bytes]:
    refusal = answer(f"{code} No", b"<Code>ExpiredToken</Code>")
    return lambda r: part(r) if r.path == "/fresh" and not fresh_too else refusal


for code in (400, 401, 402, 403, 404, 406, 409, 410, 411, 422, 423, 451):
    row(f"an old link answers {code}", renewals=1)(refusing(code, fresh_too=False))
    row(f"every link answers {code}", (DownloadFailed, f"answered {code}: .*even to a fresh"), renewals=1)(
        refusing(code, fresh_too=True)
    )
row("the link runs out on the way", renewals=1)(
    lambda r: answer("403 Expired", b"") if r.payload and r.path != "/fresh" else part(r)
)
for code in (408, 425, 429, 500, 502, 503, 504, 507, 520, 529, 599):
    row(f"{code} twice")(opening(*[answer(f"{code} Later", b"")] * 2))
row("503 for ever", (DownloadFailed, "answered 503"))(lambda r: answer("503 Later", b""))
row("501 for ever", (DownloadFailed, "answered 501"))(lambda r: answer("501 Never", b""))
for text in (
    *("0", "-5", "0.01", "soon", "", "Mon, 01 Jan 2024 00:00:00 GMT", "Monday, 01-Jan-24 00:00:00 GMT"),
    *("Mon Jan  1 00:00:00 2024", "Mon, 01 Jan 2024 00:00:00 +9999999999999", "\xb2", "0, 0"),
):
    row(f"429 with Retry-After {text!r}")(opening(answer("429 Slow", b"", f"Retry-After: {text}")))
for text in ("31", "900", "86400", "9" * 400, "1893456000", "Fri, 01 Jan 2100 00:00:00 GMT"):
    row(f"503 with Retry-After {text[:30]}", (DownloadFailed, "answered 503"))(
        opening(answer("503 Later", b"", f"Retry-After: {text}"))
    )
row("403 with Retry-After is being busy")(opening(answer("403 Slow", b"", "Retry-After: 0")))

# --- connections -----------------------------------------------------------------------------------------

row("closes without an answer, once")(once(lambda r: iter([CLOSE])))
row("breaks without an answer, once")(once(lambda r: iter([RESET])))
row("closes inside the head, once")(once(lambda r: iter([b"HTTP/1.1 206 Par", CLOSE])))
row("closes inside the body")(once(lambda r: iter([part(r)[:50_000], CLOSE])))
row("breaks inside the body")(once(lambda r: iter([part(r)[:50_000], 0.05, RESET])))
row("closes each span after 64 KiB")(
    lambda r: iter([part(r)[:65_800], CLOSE]) if r.payload and r.asked[1] - r.asked[0] > 65_536 else part(r)
)
row("never tells the body's end", (DownloadFailed, "before the answer's end"))(
    lambda r: iter([whole()[:-5], CLOSE])
)
row("closes inside a chunk", (DownloadFailed, "the download broke"))(
    lambda r: iter([chunked(ARCHIVE)[:50_000], CLOSE])
)
row("lies about keep-alive")(lambda r: iter([part(r, "Connection: keep-alive"), CLOSE]))
row("closes each time, and says so")(lambda r: iter([part(r, "Connection: close"), CLOSE]))
row("closes each time, and says so in a list")(lambda r: iter([part(r, "Connection: x, Close"), CLOSE]))
row("says close and stays")(lambda r: part(r, "Connection: close"))
row("falls silent before the answer, once")(once(lambda r: iter([2.0])))
row("falls silent inside the body, once")(once(lambda r: iter([part(r)[:50_000], 2.0])))
row("drips the body, once")(
    once(lambda r: itertools.chain([part(r)[:10_000]], *([b"x", 0.1] for _ in range(40))))
)
row("drips the head, once")(
    once(lambda r: itertools.chain([b"HTTP/1.1 206 OK\r\n"], *([b"X: y\r\n", 0.1] for _ in range(40))))
)
row("drips a chunk's first line, once")(
    once(
        lambda r: itertools.chain(
            [
                head(
                    "206 Part",
                    "Transfer-Encoding: chunked",
                    f"Content-Range: bytes {r.asked[0]}-{r.asked[1] - 1}/{SIZE}",
                )
            ],
            [b"5;"],
            *([b"x", 0.1] for _ in range(40)),
        )
    )
)
row("speaks unasked after the answer")(lambda r: iter([part(r), 0.01, answer("408 Idle", b"")]))
row("garbage after the body")(lambda r: part(r) + b"\r\n\r\ngarbage")

# --- heads and framing -----------------------------------------------------------------------------------


def spelled(change: Callable[[bytes], bytes]) -> Callable[[Request], bytes]:
    """The right answer with its head rewritten."""

    def habit(r: Request) -> bytes:
        text, _, body = part(r).partition(b"\r\n\r\n")
        return change(text + b"\r\n") + b"\r\n" + body

    return habit


row("lower-case names")(spelled(lambda text: text[:9] + text[9:].lower()))
row("upper-case names")(spelled(lambda text: text.replace(b"Content-Length", b"CONTENT-LENGTH")))
row("no reason phrase")(spelled(lambda text: text.replace(b" Partial Content", b"").replace(b" OK", b"")))
row("an odd reason phrase")(spelled(lambda text: text.replace(b"Partial", b"\xe9\xff ;:")))
row("bare line feeds")(spelled(lambda text: text.replace(b"\r\n", b"\n")))
row("folded headers")(spelled(lambda text: text + b"X: a\r\n b\r\n\tc\r\n"))
row("white space around values")(
    spelled(lambda text: text.replace(b"Length: ", b"Length: \t ").replace(b"\r\nETag", b"  \r\nETag"))
)
row("no white space before values")(spelled(lambda text: text.replace(b": ", b":")))
row("many headers")(spelled(lambda text: text + b"".join(b"X-%d: y\r\n" % i for i in range(2_000))))
row("a long header")(spelled(lambda text: text + b"X: " + b"y" * 60_000 + b"\r\n"))
row("a header beyond reason", (DownloadFailed, "longer than 65536"))(
    spelled(lambda text: text + b"X: " + b"y" * 70_000 + b"\r\n")
)
row("headers beyond ASCII")(spelled(lambda text: text + b"X: \xe9\xff\x01\r\n"))
row("a NUL in a header", (DownloadFailed, "malformed"))(spelled(lambda text: text + b"X: \x00\r\n"))
row("cookies")(spelled(lambda text: text + b"Set-Cookie: a=b\r\nSet-Cookie: c=d, e\r\n"))
row("its length twice")(spelled(lambda text: text + text[text.index(b"Content-Length") :]))
row("two lengths", (DownloadFailed, "Content-Length"))(spelled(lambda text: text + b"Content-Length: 7\r\n"))
row("a length that is no number", (DownloadFailed, "Content-Length"))(
    lambda r: head("200 OK", "Content-Length: many") + ARCHIVE
)
row("a length of -1", (DownloadFailed, "Content-Length"))(
    lambda r: head("200 OK", "Content-Length: -1") + ARCHIVE
)
row("white space before the colon", (DownloadFailed, "malformed"))(
    spelled(lambda text: text.replace(b"Length:", b"Length :"))
)
row("an empty line in front", (DownloadFailed, "not HTTP/1.1"))(lambda r: b"\r\n" + part(r))
row("another protocol", (DownloadFailed, "not HTTP/1.1"))(
    lambda r: iter([b"220 ftp.example ready\r\n\r\n", CLOSE])
)
row("HTTP/0.9", (DownloadFailed, "not HTTP/1.1"))(lambda r: iter([b"PK\x03\x04\n\n" + ARCHIVE, CLOSE]))
row("HTTP/1.0")(spelled(lambda text: text.replace(b"HTTP/1.1", b"HTTP/1.0")))
row("HTTP/1.0 with keep-alive")(
    spelled(lambda text: text.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Connection: Keep-Alive\r\n")
)
row("HTTP/1.0 without ranges or length")(
    lambda r: iter([head("200 OK", version="HTTP/1.0") + ARCHIVE, CLOSE])
)
row("100 first")(lambda r: head("100 Continue") + part(r))
row("103 thrice first")(lambda r: head("103 Early Hints", "Link: </x>") * 3 + part(r))
row("interim answers without end", (DownloadFailed, "interim"))(
    lambda r: head("102 Processing") * 500 + part(r)
)
row("101 unasked", (DownloadFailed, "switched protocols"))(lambda r: head("101 Switching", "Upgrade: h2c"))
row("chunks with extensions and trailers")(
    lambda r: (
        head("200 OK", "Transfer-Encoding: chunked")
        + b"%X;name=value\r\n" % SIZE
        + ARCHIVE
        + b"\r\n000;last\r\nDigest: x\r\n\r\n"
    )
)
row("chunks beside a length")(lambda r: chunked(ARCHIVE, "Content-Length: 5"))
row("chunks of one byte at first")(
    lambda r: (
        head("200 OK", "Transfer-Encoding: chunked")
        + b"".join(b"1\r\n%c\r\n" % byte for byte in ARCHIVE[:3_000])
        + b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE - 3_000, ARCHIVE[3_000:])
    )
)


def chunk_of(size: bytes) -> Callable[[Request], bytes]:
    return lambda r: head("200 OK", "Transfer-Encoding: chunked") + size + b"\r\nabcde\r\n0\r\n\r\n"


for size in (b"-5", b"0x5", b"1_0", b"", b"five", b" 5"):
    row(f"a chunk of {size!r} bytes", (DownloadFailed, "begins with"))(chunk_of(size))
row("another transfer coding", (DownloadFailed, "Transfer-Encoding is 'gzip, chunked'"))(
    lambda r: chunked(gzip.compress(ARCHIVE)).replace(b"chunked", b"gzip, chunked", 1)
)

# --- content codings -------------------------------------------------------------------------------------


def coded(name: str, body: bytes) -> Callable[[Request], bytes]:
    return lambda r: answer("200 OK", body, f"Content-Encoding: {name}", f"ETag: {ETAG}")


_raw = zlib.compressobj(wbits=-15)
RAW_DEFLATE = _raw.compress(ARCHIVE) + _raw.flush()
row("gzip unasked")(coded("gzip", gzip.compress(ARCHIVE)))
row("gzip in capitals")(coded("GZip", gzip.compress(ARCHIVE)))
row("x-gzip unasked")(coded("x-gzip", gzip.compress(ARCHIVE)))
row("gzip in members")(coded("gzip", gzip.compress(ARCHIVE[:70_000]) + gzip.compress(ARCHIVE[70_000:])))
row("gzip in chunks")(lambda r: chunked(gzip.compress(ARCHIVE), "Content-Encoding: gzip", size=777))
row("deflate unasked")(coded("deflate", zlib.compress(ARCHIVE)))
row("deflate without its wrapper")(coded("deflate", RAW_DEFLATE))
row("zstd unasked")(coded("zstd", zstd.compress(ARCHIVE)))
row("zstd in frames")(coded("zstd", zstd.compress(ARCHIVE[:70_000]) + zstd.compress(ARCHIVE[70_000:])))
row("br unasked", (DownloadFailed, "Content-Encoding br, which is not read"))(
    coded("br", b"\x8b" + bytes(50))
)
row("two codings", (DownloadFailed, "Content-Encoding gzip, gzip"))(
    coded("gzip, gzip", gzip.compress(gzip.compress(ARCHIVE)))
)
row("gzip cut short", (DownloadFailed, "inside its content coding"))(
    coded("gzip", gzip.compress(ARCHIVE)[:-9])
)
row("gzip damaged", (DownloadFailed, "content coding is damaged"))(
    coded("gzip", gzip.compress(ARCHIVE)[:-8] + bytes(8))
)
row("gzip in name only")(lambda r: part(r, "Content-Encoding: gzip"))
row("br in name only")(lambda r: part(r, "Content-Encoding: br"))
row("aws-chunked, as S3 keeps it")(lambda r: part(r, "Content-Encoding: aws-chunked"))
row("identity")(lambda r: part(r, "Content-Encoding: identity"))
GZIPPED = gzip.compress(ARCHIVE)
row("ranges of what it has compressed")(
    lambda r: (
        answer(
            "206 Partial",
            GZIPPED[-65_557:],
            f"Content-Range: bytes {len(GZIPPED) - 65_557}-{len(GZIPPED) - 1}/{len(GZIPPED)}",
            "Content-Encoding: gzip",
        )
        if r.ranged
        else answer("200 OK", GZIPPED, "Content-Encoding: gzip")
    )
)


class Api:
    """Gives another link to the same server."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.asked = 0

    def get_file(self, export_job_id: str, file_id: str, **_: object) -> FileRecord:
        self.asked += 1
        return FileRecord(file_id=file_id, name="export.zip", download_url=f"{self.base}/fresh")

    def headers_for(self, url: str) -> Mapping[str, str]:
        return {}


@pytest.fixture(scope="module")
def shared_world(session: boto3.Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ArchiveServer(Behaviour()) as unused:
        world = World(unused, tmp_path_factory.mktemp("habits"), session)
        world.seed(FILES)
        yield world
        world.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_BACK_OFF_BASE_S", 0.001)
    monkeypatch.setattr(patience, "_BACK_OFF_MAX_S", 0.002)


def download(world: World, server: HabitServer, **settings: Any) -> tuple[Manifest, Api]:
    # A row that failed may have left objects: what is there from now on is this row's own.
    for key in world.keys("exports/"):
        world.s3.delete_object(Bucket=world.bucket, Key=key)
    api = Api(f"http://127.0.0.1:{server.port}")
    processor = world.processor(
        api,
        **{
            "stall_window_s": 0.4,
            "connections_per_archive": 2,
            "download_allowed_hosts": "127.0.0.1",
            **settings,
        },
    )
    manifest = processor.process(world.task(download_url=server.url), Cancellation())
    assert isinstance(manifest, Manifest)
    # An archive that was started over on the way finds there what its first attempt had uploaded.
    assert set(manifest.outcomes) <= {"uploaded", "already-present"}
    assert manifest.matched == len(FILES)
    for name, data in FILES.items():
        assert world.object(f"exports/{world.job}/{name}") == data, name
    return manifest, api


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ROWS)
def test_a_habit(shared_world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[name]
    asked: list[Api] = []
    made = Api.__init__
    monkeypatch.setattr(Api, "__init__", lambda self, base: (made(self, base), asked.append(self))[0])
    with HabitServer(row.habit) as server:
        if row.ends is WHOLE:
            download(shared_world, server)
        else:
            kind, text = row.ends
            with pytest.raises(kind, match=text):
                download(shared_world, server)
            assert shared_world.keys(f"exports/{shared_world.job}/") == []
        assert [api.asked for api in asked] == [row.renewals]
        assert len(server.requests) < 40
    assert list(shared_world.scratch.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_more_redirects_by_setting(shared_world: World) -> None:
    def habit(request: Request) -> Iterator[Sent]:
        hops = int(request.path.partition("/hop/")[2] or 0)
        yield part(request) if hops == 9 else answer("302 Found", b"", f"Location: /hop/{hops + 1}")

    with HabitServer(habit) as server:
        with pytest.raises(ForbiddenDownload, match="more than 5 times"):
            download(shared_world, server)
        download(shared_world, server, download_max_redirects=9)


@pytest.mark.usefixtures("quick")
def test_a_large_archive_without_suffix_ranges_is_not_spooled(
    shared_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_SMALL_BYTES", 1_000)

    def habit(request: Request) -> Iterator[Sent]:
        yield whole() if request.suffix else part(request)

    with HabitServer(habit) as server:
        download(shared_world, server)
        assert [r.headers.get("range") for r in server.requests[:2]] == ["bytes=-65557", "bytes=0-0"]
        assert all("range" in r.headers for r in server.requests)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("url", ["http://127.0.0.1:1/closed", "http://nowhere.invalid/x", "http://a..b/x"])
def test_nobody_there(shared_world: World, url: str) -> None:
    processor = shared_world.processor(download_allowed_hosts="127.0.0.1,nowhere.invalid,a..b")
    with pytest.raises(DownloadFailed, match=r"connecting to|cannot be resolved"):
        processor.process(shared_world.task(download_url=url), Cancellation())
