"""The door to the Export API: one request at a time, authenticated, retried a little, answered in our words.

Credentials go to the API's own origin only. Every method raises the errors of `errors.py`, nothing of httpx.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from runtime.shared.backoff import Backoff, Wait
from runtime.shared.circuits import Circuits
from runtime.shared.export_api.auth import Authenticator
from runtime.shared.export_api.body import ACCEPT_ENCODING, Unreadable, read_beginning, read_document
from runtime.shared.export_api.errors import (
    ApiError,
    Gone,
    InvalidAnswer,
    NotFound,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
)
from runtime.shared.export_api.pagination import RequestedPage, pages_of
from runtime.shared.export_api.profile import JobStatus, VendorProfile
from runtime.shared.export_api.records import FileRecord, RecordReader, expand
from runtime.shared.rate import NoneFree, Pace, Permits, TooFast
from runtime.shared.retry_after import retry_after_s

# The circuits of the API: one may fail while the others are well.
STATUS, LISTING, RECORD = "status", "listing", "record"

# Waits longer than this are the message's to make, not the slot's.
INLINE_WAIT_S = 3.0
FIRST_WAIT_S = 0.2
MAX_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_ERROR_BODY_BYTES = 64 * 1024

_AMBIGUOUS = re.compile(r"[\\\x00-\x20\x7f]")
# An address that every parser reads the same way, and most are of this kind.
_PLAIN = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?][!-~]*)?")


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON document, where it came from in the end, and its `Link` header."""

    document: Any
    url: str
    link: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing.

    The usable records, a sentence for each unusable one, and where the next page is (None: this was the
    last).
    """

    records: tuple[FileRecord, ...]
    rejected: tuple[str, ...]
    next_position: str | None
    repeats: bool = False
    """The next page is this page."""


class ExportApi:
    """Thread-safe.

    `timer` surrounds each request, `on_error` hears the kind of each failed one (for metrics).

    A method's `wait` makes the pauses between inline retries and ends them early when the work is cancelled
    (see `Backoff`).
    """

    def __init__(
        self,
        profile: VendorProfile,
        http: httpx.Client,
        authenticator: Authenticator,
        circuits: Circuits,
        *,
        pace: Pace | None = None,
        permits: Permits | None = None,
        timer: Callable[[], AbstractContextManager[None]] = nullcontext,
        on_error: Callable[[str], None] = lambda _kind: None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._profile = profile
        self._base = httpx.URL(profile.export_api_base_url)
        # Parsing an address costs more than all else of a request here, so those we make are put together.
        self._root = str(self._base).rstrip("/")
        self._own_beginning = str(self._base.copy_with(raw_path=b"/"))
        self._http = http
        self._authenticator = authenticator
        self._circuits = circuits
        self._pace = pace
        self._permits = permits
        self._timer = timer
        self._on_error = on_error
        self._utc_now = utc_now
        self._reader = RecordReader(profile, self.absolute)
        self._pages = pages_of(profile, self._own)
        # What each dependency was asked last, which is what a probe asks.
        self._asked: dict[str, str] = {}
        for dependency in (STATUS, LISTING, RECORD):
            circuits.add(dependency, counts=_counts, probe=self._probe)

    def job_status(self, export_job_id: str, *, wait: Wait = time.sleep) -> JobStatus:
        """Raises ApiError; NotFound for an unknown job."""
        url = self._url(self._profile.export_api_status_path, export_job_id=export_job_id)
        return self._reader.status(self._get(STATUS, url, wait=wait).document, export_job_id)

    def get_file(self, export_job_id: str, file_id: str, *, wait: Wait = time.sleep) -> FileRecord:
        """The file's record with a fresh `download_url`. Raises ApiError; NotFound for an unknown file."""
        url = self._url(self._profile.export_api_file_path, export_job_id=export_job_id, file_id=file_id)
        return self._reader.file(self._get(RECORD, url, wait=wait).document, file_id)

    def list_files(self, export_job_id: str, position: str | None = None, *, wait: Wait = time.sleep) -> Page:
        """The page of the job's files at `position` (None: the first). Raises ApiError."""
        parameters = self._pages.parameters(position)
        if parameters is None and position is not None:
            url = position
        else:
            url = self._url(self._profile.export_api_files_path, export_job_id=export_job_id)
            url += ("&" if "?" in url else "?") + str(httpx.QueryParams(dict(parameters or {})))
        try:
            answer = self._get(LISTING, url, wait=wait)
        except (NotFound, Refused) as error:
            if position is None or not self._pages.beyond_the_end(position, error.status or 0):
                raise
            return Page((), (), None)
        records = self._reader.page(answer.document)
        following = self._pages.following(
            RequestedPage(
                url=answer.url,
                position=position,
                document=answer.document,
                link=answer.link,
                listed=records.listed,
            )
        )
        repeats = following is not None and following in (position, url, answer.url)
        return Page(records.usable, records.rejected, following, repeats)

    def absolute(self, url: str) -> str:
        """A possibly relative URL from an answer. Raises InvalidAnswer when it is not http(s) at all."""
        # What is absolute already goes on letter for letter: normalising could break its signature.
        if _PLAIN.fullmatch(url):
            return url
        try:
            given = httpx.URL(url)
            absolute = self._base.copy_with(path=self._base.path.rstrip("/") + "/").join(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidAnswer("an answer holds a URL that cannot be read") from error
        scheme = given.scheme or absolute.scheme
        if scheme not in {"http", "https"}:
            raise InvalidAnswer(f"an answer holds a URL that is not http(s) ({scheme[:20]}:)")
        if given.scheme and not given.host:
            raise InvalidAnswer("an answer holds a URL without a host")
        return url if given.is_absolute_url else str(absolute)

    def is_own(self, url: str) -> bool:
        """True when the URL is on the API's own origin (scheme, host and port), beyond any doubt."""
        # Parsers disagree on these (https://evil\\@own/): whoever opens the URL may read another host than
        # we do.
        if _AMBIGUOUS.search(url):
            return False
        if url.startswith(self._own_beginning):
            return True
        try:
            parsed = httpx.URL(url)
            return not parsed.userinfo and _origin(parsed) == _origin(self._base)
        except (httpx.InvalidURL, ValueError):
            return False

    def headers_for(self, url: str, *, fresh: bool = False) -> Mapping[str, str]:
        """The credentials and the vendor's own headers for a download from this URL.

        None unless it is on the API's origin, and the profile wants them there.

        `fresh` after a 401 or 403. Raises Unauthorised | Unavailable.
        """
        if not self.takes_credentials(url):
            return {}
        return {**self._profile.export_api_headers, **self._authenticator.headers(fresh=fresh)}

    def takes_credentials(self, url: str) -> bool:
        """Whether a download from this URL is asked for with the API's credentials."""
        return self._profile.export_api_token_with_downloads and self.is_own(url)

    def _url(self, template: str, **ids: str) -> str:
        """A path of the API below its base URL."""
        path = expand(template, ids, encoded=self._profile.export_api_encoded_ids)
        return self._root + path

    def _own(self, base: str, url: str) -> str:
        """A URL from an answer that our credentials go to. Raises InvalidAnswer for another origin's."""
        try:
            absolute = httpx.URL(base).join(url)
            upgraded = absolute.copy_with(scheme="https", port=None)
            # Behind a proxy that ends TLS many servers believe that they speak plain HTTP.
            if absolute.scheme == "http" and absolute.port is None and self.is_own(str(upgraded)):
                absolute = upgraded
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidAnswer("an address within the API cannot be read") from error
        if not self.is_own(str(absolute)):
            raise InvalidAnswer("the API refers to another origin for its own documents")
        return str(absolute)

    def _get(self, dependency: str, url: str, *, wait: Wait) -> Answer:
        """GET a JSON document from the API's own origin, retrying inline what a moment may heal.

        Raises ApiError, CircuitOpen.
        """
        if not self.is_own(url):
            raise InvalidAnswer("the API refers to another origin for its own documents")

        attempts = self._profile.export_api_attempts
        backoff = Backoff(wait, attempts=attempts, base_s=FIRST_WAIT_S, max_s=INLINE_WAIT_S)
        # The circuit counts whole operations: a few failed tries of one request are not an outage.
        self._asked[dependency] = url
        with self._circuits.call(dependency):
            while True:
                try:
                    return self._observed(url, wait)
                except Unavailable as error:
                    if not backoff.failed(error.retry_after_s):
                        raise

    def _probe(self, dependency: str) -> None:
        """Ask once what was asked last. Raises ApiError, CircuitOpen (of the secret)."""
        # A task that has asked nothing yet asks for a job that nobody has: an answer that it is unknown comes
        # from an API that is well, and where only real jobs fail the circuit opens again at once.
        made_up = {"export_job_id": "circuit-probe", "file_id": "circuit-probe"}
        templates = {
            STATUS: self._profile.export_api_status_path,
            LISTING: self._profile.export_api_files_path,
            RECORD: self._profile.export_api_file_path,
        }
        self._observed(self._asked.get(dependency) or self._url(templates[dependency], **made_up), time.sleep)

    def _observed(self, url: str, wait: Wait) -> Answer:
        try:
            return self._once(url, wait)
        except ApiError as error:
            self._on_error(type(error).__name__)
            raise

    def _once(self, url: str, wait: Wait) -> Answer:
        """One request and the redirects it leads through."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._in_turn(url, wait, fresh=False)
            if isinstance(answer, Failure) and answer.status in {401, 403} and answer.retry_after_s is None:
                # The secret may just have rotated.
                answer = self._in_turn(url, wait, fresh=True)
            if isinstance(answer, Answer):
                return answer
            if answer.status not in _REDIRECTS or not answer.location:
                raise answer.error()
            url = self._own(url, answer.location)
        raise InvalidAnswer(f"GET {httpx.URL(url).path} redirects more than {MAX_REDIRECTS} times")

    def _in_turn(self, url: str, wait: Wait, *, fresh: bool) -> "Answer | Failure":
        """One call when it is our turn, as the vendor's limits for the whole fleet have it."""
        try:
            if self._pace is not None:
                self._pace.take(wait)
            with self._permits.hold(wait) if self._permits is not None else nullcontext(), self._timer():
                answer = self._send(url, fresh=fresh)
        except (TooFast, NoneFree) as error:
            raise RateLimited(f"no call was made: {error}", error.retry_after_s) from error
        except (ClientError, BotoCoreError) as error:
            # Beyond the vendor's limit others of ours would be refused.
            raise RateLimited(f"no call was made: the fleet's limits cannot be read: {error}") from error
        if self._pace is not None and isinstance(answer, Failure) and answer.is_rate_limit:
            self._pace.slow_down(answer.retry_after_s)
        return answer

    def _send(self, url: str, *, fresh: bool) -> "Answer | Failure":
        headers = {
            "Accept": "application/json",
            **self._profile.export_api_headers,
            "Accept-Encoding": ACCEPT_ENCODING,
            **self._authenticator.headers(fresh=fresh),
        }
        try:
            with self._http.stream("GET", url, headers=headers) as answer:
                if answer.status_code != 200:
                    return self._failure(_what(url), answer)
                document = read_document(
                    answer.iter_raw(),
                    answer.headers.get("content-encoding", ""),
                    answer.headers.get("content-type", ""),
                    limit=self._profile.export_api_max_answer_bytes,
                )
                return Answer(document, url, _header(answer, b"link"))
        except Unreadable as error:
            raise InvalidAnswer(f"{_what(url)} answers 200 with {error}") from error
        except httpx.TransportError as error:
            raise Unavailable(f"{_what(url)} failed: {type(error).__name__}") from error

    def _failure(self, what: str, answer: httpx.Response) -> "Failure":
        try:
            body = read_beginning(answer.iter_raw(), _ERROR_BODY_BYTES)
        except httpx.TransportError:
            # The status says enough, whatever became of the text.
            body = b""
        location = _header(answer, b"location")
        return Failure(
            what=what,
            status=answer.status_code,
            title=_problem(answer, body),
            # RFC 9110 wants ASCII there; a raw UTF-8 address is what several servers send.
            location=quote(location, safe="!#$%&'()*+,/:;=?@[]~"),
            retry_after_s=retry_after_s(answer.headers.get("retry-after"), self._utc_now()),
        )


def _what(url: str) -> str:
    """A request in words, without its query."""
    return f"GET {httpx.URL(url).path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An answer other than 200."""

    what: str
    status: int
    title: str
    location: str
    retry_after_s: float | None

    @property
    def is_rate_limit(self) -> bool:
        """Several vendors limit the rate with 403: nobody says when to come back with wrong credentials."""
        return self.status == 429 or (self.status == 403 and self.retry_after_s is not None)

    def error(self) -> ApiError:
        """The failure as the caller's error."""
        error = self._error(f"{self.what} answers {self.status}{self.title}")
        error.status = self.status
        return error

    def _error(self, text: str) -> ApiError:
        status = self.status
        if self.is_rate_limit:
            return RateLimited(text, self.retry_after_s)
        if status in {401, 403}:
            return Unauthorised(text)
        if status == 404:
            return NotFound(text)
        if status == 410:
            return Gone(text)
        if status >= 500 or status in {408, 425}:
            return Unavailable(text, self.retry_after_s)
        if status < 400:
            return InvalidAnswer(f"{text}; a JSON document was expected")
        return Refused(text)


def _counts(error: BaseException) -> bool:
    """Whether the error speaks of an unwell API: not a 404, a limit on our own rate, or our own secret."""
    return isinstance(error, (Unavailable, InvalidAnswer, Unauthorised)) and not isinstance(
        error, RateLimited
    )


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _header(answer: httpx.Response, name: bytes) -> str:
    """Every line of a header as one, in UTF-8 where it is that."""
    raw = b", ".join(value for key, value in answer.headers.raw if key.lower() == name)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _problem(answer: httpx.Response, body: bytes) -> str:
    """The title of RFC 9457 problem details, where offered."""
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    try:
        title = json.loads(body).get("title")
    except (ValueError, RecursionError, AttributeError):
        return ""
    return f" ({title[:200]})" if isinstance(title, str) else ""
