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
from typing import Annotated, Any, Literal, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from runtime.shared.backoff import Backoff, Wait
from runtime.shared.contracts import Identifier
from runtime.shared.export_api.auth import Authenticator
from runtime.shared.export_api.circuit import Circuit
from runtime.shared.export_api.errors import (
    ApiError,
    InvalidAnswer,
    NotFound,
    RateLimited,
    Refused,
    Unauthorised,
    Unavailable,
)
from runtime.shared.retry_after import retry_after_s

JobStatus = Literal["pending", "running", "completed", "failed", "expired"]
_STATUSES = ("pending", "running", "completed", "failed", "expired")

# A page of 500 records is a few hundred kB; an answer beyond this is not one we asked for.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
FIRST_WAIT_S = 0.2
# Waits longer than this are the message's to make, not the slot's.
INLINE_WAIT_S = 3.0

_AMBIGUOUS = re.compile(r"[\\\x00-\x20\x7f]")


def _usable_size(value: Any) -> Any:
    # The size is a hint; a vendor that gives "unknown" or -1 must not lose the file over it.
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class FileRecord(BaseModel):
    """One file of an export, as the API lists it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file_id: Identifier
    name: Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
    size: Annotated[int | None, BeforeValidator(_usable_size)] = None
    download_url: Annotated[str, StringConstraints(min_length=1, max_length=65_536), Field(repr=False)]


class ExportApi:
    """Thread-safe. `timer` surrounds each request, `on_error` hears the kind of each failed one (for
    metrics).

    A method's `wait` makes the pauses between inline retries and ends them early when the work is cancelled
    (see `Backoff`).
    """

    def __init__(
        self,
        base_url: str,
        http: httpx.Client,
        authenticator: Authenticator,
        circuit: Circuit,
        *,
        attempts: int,
        timer: Callable[[], AbstractContextManager[None]] = nullcontext,
        on_error: Callable[[str], None] = lambda _kind: None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._base = httpx.URL(base_url)
        self._http = http
        self._authenticator = authenticator
        self._circuit = circuit
        self._attempts = attempts
        self._timer = timer
        self._on_error = on_error
        self._utc_now = utc_now

    def job_status(self, export_job_id: str, *, wait: Wait = time.sleep) -> JobStatus:
        """Raises ApiError; NotFound for an unknown job."""
        document = self.get_json(self.url(f"/v1/exports/{quote(export_job_id, safe='')}"), wait=wait).document
        status = document.get("status") if isinstance(document, dict) else None
        if status not in _STATUSES:
            raise InvalidAnswer(
                f"the job's status is {json.dumps(status)[:100]}, not one of {', '.join(_STATUSES)}"
            )
        return cast("JobStatus", status)

    def get_file(self, export_job_id: str, file_id: str, *, wait: Wait = time.sleep) -> FileRecord:
        """The file's record with a fresh `download_url`. Raises ApiError; NotFound for an unknown file."""
        path = f"/v1/exports/{quote(export_job_id, safe='')}/files/{quote(file_id, safe='')}"
        document = self.get_json(self.url(path), wait=wait).document
        try:
            record = FileRecord.model_validate(document)
        except ValidationError as error:
            raise InvalidAnswer(f"the file record of {file_id} is not usable: {describe(error)}") from error
        if record.file_id != file_id:
            raise InvalidAnswer(f"asked for file {file_id}, the API answers with {record.file_id}")
        return record

    def url(self, path: str, params: Mapping[str, str] | None = None) -> str:
        """A path of the API below its base URL."""
        url = self._base.copy_with(raw_path=(self._base.path.rstrip("/") + path).encode("ascii"))
        return str(url.copy_merge_params(params) if params else url)

    def absolute(self, url: str) -> str:
        """A possibly relative URL from an answer. Raises InvalidAnswer when it is not http(s) at all."""
        try:
            absolute = self._base.join(url)
            # What is absolute already goes on letter for letter: normalising could break its signature.
            if httpx.URL(url).is_absolute_url and absolute.scheme in {"http", "https"} and absolute.host:
                return url
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidAnswer("an answer holds a URL that cannot be read") from error
        if absolute.scheme not in {"http", "https"} or not absolute.host:
            raise InvalidAnswer(f"an answer holds a URL that is not http(s) ({absolute.scheme[:20]}:)")
        return str(absolute)

    def is_own(self, url: str) -> bool:
        """True when the URL is on the API's own origin (scheme, host and port), beyond any doubt."""
        # Parsers disagree on these (https://evil\\@own/): whoever opens the URL may read another host than
        # we do.
        if _AMBIGUOUS.search(url):
            return False
        try:
            parsed = httpx.URL(url)
            return not parsed.userinfo and _origin(parsed) == _origin(self._base)
        except (httpx.InvalidURL, ValueError):
            return False

    def headers_for(self, url: str, *, fresh: bool = False) -> Mapping[str, str]:
        """The credentials to send to this URL: none unless it is the API's own.

        `fresh` after a 401 or 403. Raises Unauthorised | Unavailable.
        """
        return self._authenticator.headers(fresh=fresh) if self.is_own(url) else {}

    def get_json(self, url: str, *, wait: Wait = time.sleep) -> "Answer":
        """GET a JSON document from the API's own origin, retrying inline what a moment may heal. Raises
        ApiError.
        """
        if not self.is_own(url):
            raise InvalidAnswer("the API refers to another origin for its own listing")

        backoff = Backoff(wait, attempts=self._attempts, base_s=FIRST_WAIT_S, max_s=INLINE_WAIT_S)
        # The circuit counts whole operations: a few failed tries of one request are not an outage.
        with self._circuit.call(_counts):
            while True:
                try:
                    return self._observed(url)
                except Unavailable as error:
                    if not backoff.failed(error.retry_after_s):
                        raise

    def _observed(self, url: str) -> "Answer":
        try:
            with self._timer():
                return self._once(url)
        except ApiError as error:
            self._on_error(type(error).__name__)
            raise

    def _once(self, url: str) -> "Answer":
        answer, body = self._send(url, fresh=False)
        if answer.status_code in {401, 403}:
            # The secret may just have rotated.
            answer, body = self._send(url, fresh=True)
        what = f"GET {answer.request.url.path}"
        status = answer.status_code
        if status == 200:
            return Answer(_document(what, answer, body), answer.links.get("next", {}).get("url"))
        pause = retry_after_s(answer.headers.get("retry-after"), self._utc_now())
        text = f"{what} answers {status}{_problem(answer, body)}"
        # Several vendors limit the rate with 403: nobody says when to come back with the wrong credentials.
        if status == 429 or (status == 403 and pause is not None):
            raise RateLimited(text, pause)
        if status in {401, 403}:
            raise Unauthorised(text)
        if status == 404:
            raise NotFound(text)
        if status >= 500 or status == 408:
            raise Unavailable(text, pause)
        if status < 400:
            raise InvalidAnswer(f"{text}; a JSON document was expected")
        raise Refused(text)

    def _send(self, url: str, *, fresh: bool) -> tuple[httpx.Response, bytes]:
        headers = {"Accept": "application/json", **self._authenticator.headers(fresh=fresh)}
        try:
            with self._http.stream("GET", url, headers=headers) as answer:
                body = bytearray()
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise InvalidAnswer(
                            f"GET {answer.request.url.path} answers more than {MAX_ANSWER_BYTES} bytes"
                        )
                return answer, bytes(body)
        except httpx.DecodingError as error:
            raise InvalidAnswer("an answer cannot be decompressed") from error
        except httpx.TransportError as error:
            raise Unavailable(f"GET {httpx.URL(url).path} failed: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON document and the address that its `Link` header calls next, if any."""

    document: Any
    next_link: str | None


def describe(error: ValidationError) -> str:
    """The fields at fault, without their values (they may be signed URLs)."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'record'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)[:3]
    )


def _counts(error: BaseException) -> bool:
    """What tells the circuit that the API is unwell: not a 404, and not a limit on our own rate."""
    return isinstance(error, (Unavailable, InvalidAnswer, Unauthorised)) and not isinstance(
        error, RateLimited
    )


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _document(what: str, answer: httpx.Response, body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = answer.headers.get("content-type", "no content type")[:60]
        raise InvalidAnswer(f"{what} answers 200 with {kind} that is not JSON") from error


def _problem(answer: httpx.Response, body: bytes) -> str:
    """The title of RFC 9457 problem details, where offered."""
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    try:
        title = json.loads(body).get("title")
    except (ValueError, RecursionError, AttributeError):
        return ""
    return f" ({title[:200]})" if isinstance(title, str) else ""
