"""How the API misbehaves on purpose.

The server asks a plan before it answers each request. `Script` breaks named requests a given number of times,
which is what a test wants; `SeededFaults` breaks a share of all requests, and the same seed breaks the
same ones however the requests of different files interleave.
"""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Literal, Protocol

Kind = Literal["status", "files", "file", "download"]


@dataclass(frozen=True)
class Request:
    """A request as the plan sees it."""

    kind: Kind
    job_id: str
    file_id: str | None = None


@dataclass(frozen=True)
class WrongAnswer:
    """Another answer than the right one.

    No problem text: an HTML page, as a proxy sends it, with any status (200 too); with a `code`: XML, as a
    storage front says it.
    """

    status: int
    problem: str = ""
    retry_after: str | None = None
    code: str = ""


@dataclass(frozen=True)
class Break:
    """The connection ends after this many bytes of the body: cleanly (a cut) or by a reset."""

    after_bytes: int
    reset: bool = False


@dataclass(frozen=True)
class Drip:
    """The body comes this slowly."""

    bytes_per_s: int


@dataclass(frozen=True)
class ChangeETag:
    """From this request on the archive has another ETag, as if it had been exported again."""


@dataclass(frozen=True)
class Damage:
    """The body comes with one bit flipped at this share of its length, or as nothing but zeros."""

    at: float
    zeros: bool = False


@dataclass(frozen=True)
class OtherNode:
    """A node of the server's answers that has validators of its own for the same bytes."""

    number: int


@dataclass(frozen=True)
class Hang:
    """No answer for so long, then the connection ends."""

    seconds: float


@dataclass(frozen=True)
class ShufflePage:
    """The page's files come in another order and one of them twice."""


@dataclass(frozen=True)
class NotReady:
    """The job says that it is still running."""


Fault = WrongAnswer | Break | Drip | ChangeETag | Damage | OtherNode | Hang | ShufflePage | NotReady


def retry_after(seconds: int, *, as_date: bool) -> str:
    """`Retry-After` in one of its two forms."""
    return (
        format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        if as_date
        else str(seconds)
    )


class FaultPlan(Protocol):
    """Decides for each request; called from many threads."""

    def decide(self, request: Request) -> Fault | None: ...


@dataclass
class NoFaults:
    """The API as documented."""

    def decide(self, request: Request) -> Fault | None:  # noqa: ARG002
        return None


@dataclass(kw_only=True)
class _Rule:
    fault: Fault
    kind: Kind | None
    job_id: str | None
    file_id: str | None
    left: int

    def matches(self, request: Request) -> bool:
        return (
            self.left > 0
            and self.kind in (None, request.kind)
            and self.job_id in (None, request.job_id)
            and self.file_id in (None, request.file_id)
        )


@dataclass
class Script:
    """Breaks the next `times` requests that match a rule; rules are tried in the order they were added."""

    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self, fault: Fault, *, kind: Kind | None = None, job_id: str | None = None,
        file_id: str | None = None, times: int = 1,
    ) -> None:  # fmt: skip
        with self._lock:
            self._rules.append(_Rule(fault=fault, kind=kind, job_id=job_id, file_id=file_id, left=times))

    def decide(self, request: Request) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if rule.matches(request):
                    rule.left -= 1
                    return rule.fault
        return None


@dataclass(kw_only=True)
class SeededFaults:
    """Breaks the nth request of each kind for each file by random numbers from (seed, request, n).

    `rates` is the share of requests, by the name of the fault; see `FAULTS`. `count` says what was done
    so far. After `most_per_file` faults a file is left in peace, so that every run ends.
    """

    seed: int
    rates: Mapping[str, float]
    most_per_file: int = 6
    count: Counter[str] = field(default_factory=Counter)
    _seen: Counter[Request] = field(default_factory=Counter)
    _spent: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        unknown = set(self.rates) - set(FAULTS)
        if unknown:
            raise ValueError(f"no such faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")

    def decide(self, request: Request) -> Fault | None:
        with self._lock:
            occurrence = self._seen[request]
            self._seen[request] += 1
            target = (request.job_id, request.file_id)
            if self._spent[target] >= self.most_per_file:
                return None
            rng = random.Random(f"{self.seed}/{request}/{occurrence}")
            for name, (kinds, _) in FAULTS.items():
                if request.kind in kinds and rng.random() < self.rates.get(name, 0.0):
                    self._spent[target] += 1
                    self.count[name] += 1
                    return _make(name, rng)
        return None


_ANY: tuple[Kind, ...] = ("status", "files", "file", "download")
# Every fault the campaign knows: which requests it can befall, and what it is in a sentence.
FAULTS: dict[str, tuple[tuple[Kind, ...], str]] = {
    "server-error": (_ANY, "500, 502 or 504, with a problem document or an HTML page"),
    "throttled": (_ANY, "429 or 503 with Retry-After, in seconds or as a date"),
    "unauthorised": (("status", "files", "file"), "401 although the token is right"),
    "expired-url": (("download",), "403 or 410: the signed URL is over before its time"),
    "expired-token": (("download",), "400 with S3's code for credentials that have run out"),
    "html": (("download",), "200 with an HTML page instead of the archive"),
    "flipped": (("download",), "a body with one flipped bit"),
    "zeros": (("download",), "a body of nothing but zeros"),
    "reset": (("files", "download"), "a connection reset in the middle of a body"),
    "cut": (("files", "download"), "a body that ends too early"),
    "drip": (("download",), "a body at 20 kB a second"),
    "changed-etag": (("download",), "another ETag than at the request before"),
    "shuffled-page": (("files",), "a page in another order, with one file twice"),
    "not-ready": (("status",), "a job that says it is still running"),
}


def _make(name: str, rng: random.Random) -> Fault:
    match name:
        case "server-error":
            return WrongAnswer(rng.choice((500, 502, 504)), rng.choice(("", "an injected server error")))
        case "throttled":
            wait = retry_after(rng.choice((0, 1, 2)), as_date=rng.random() < 0.5)
            return WrongAnswer(rng.choice((429, 503)), "an injected throttle", wait)
        case "unauthorised":
            return WrongAnswer(401, "an injected refusal of the token")
        case "expired-url":
            return WrongAnswer(rng.choice((403, 410)), "an injected expiry of the URL")
        case "expired-token":
            return WrongAnswer(400, "The provided token has expired.", code="ExpiredToken")
        case "html":
            return WrongAnswer(200)
        case "flipped" | "zeros":
            return Damage(rng.random(), zeros=name == "zeros")
        case "reset" | "cut":
            return Break(rng.randrange(200_000), reset=name == "reset")
        case "drip":
            return Drip(20_000)
        case "changed-etag":
            return ChangeETag()
        case "shuffled-page":
            return ShufflePage()
        case "not-ready":
            return NotReady()
    raise AssertionError(name)
