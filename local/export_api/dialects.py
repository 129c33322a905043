"""How each sample vendor speaks: paths, credentials, documents and pages, one class per profile.

`stacks.profiles` says the same from the client's side, docs/profiles/ describes it for readers, and a test
holds the two together. The catalogue's ids are ours; a vendor's own may be numbers or hold a "/".
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any, ClassVar, Literal, Protocol
from urllib.parse import quote, unquote, urlencode

from local.export_api.catalogue import ExportFile, Status

Kind = Literal["status", "files", "file", "link", "download"]
IdStyle = Literal["words", "numbers", "paths"]
Routes = tuple[tuple[Kind, re.Pattern[str]], ...]
Documents = tuple[dict[str, Any], dict[str, str]]

_JOB, _FILE = r"(?P<job_id>[^/]+)", r"(?P<file_id>[^/]+)"
_DOWNLOAD = rf"/download/{_JOB}/{_FILE}\.zip"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A page to be shown: its records, where it lies in the whole, and the address it was asked at."""

    records: Sequence[dict[str, Any]]
    first: int
    limit: int
    total: int
    url: str

    @property
    def following(self) -> int | None:
        after = self.first + self.limit
        return after if after < self.total else None


class Dialect(Protocol):
    """The interface of a vendor that the server asks. `tokens` are the secrets accepted now."""

    prefix: ClassVar[str]
    """The path of the base URL."""
    ids: ClassVar[IdStyle]
    routes: ClassVar[Routes]
    largest_page: ClassVar[int]
    grants_tokens: ClassVar[bool]
    """Whether clients first get a token for their secret (POST /oauth2/v2.0/token)."""

    def secret(self, token: str, base_url: str) -> dict[str, str]:
        """The secret that an operator puts into Secrets Manager."""

    def refusal(self, headers: Message, tokens: set[str]) -> tuple[int, str] | None:
        """Status and sentence for a caller that does not prove who it is."""

    def window(self, query: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        """The first record asked for, and how many. Raises ValueError."""

    def status(self, job_id: str, status: Status) -> dict[str, Any]: ...

    def record(self, file: ExportFile, url: str) -> dict[str, Any]: ...

    def page(self, listing: Listing) -> Documents:
        """The page's document and headers."""

    def file(self, record: dict[str, Any]) -> dict[str, Any]:
        """The answer about one file."""


def _bearer(headers: Message, tokens: set[str]) -> tuple[int, str] | None:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    good = scheme.lower() == "bearer" and token in tokens
    return None if good else (401, "send a valid bearer token")


def _patterns(**paths: str) -> Routes:
    def routes() -> Iterator[tuple[Kind, re.Pattern[str]]]:
        for kind in ("status", "files", "file", "link", "download"):
            if kind in paths:
                yield kind, re.compile(paths[kind])

    return tuple(routes())


def _whole(query: Mapping[str, Sequence[str]], name: str, default: int, largest: int) -> int:
    value = int(query.get(name, [str(default)])[0])
    if not value >= 0:
        raise ValueError(f"{name} is {value}")
    return min(value, largest)


class Default:
    """The contract's own (docs/export-api.openapi.yaml)."""

    prefix: ClassVar[str] = ""
    ids: ClassVar[IdStyle] = "words"
    largest_page: ClassVar[int] = 1_000
    grants_tokens: ClassVar[bool] = False
    routes: ClassVar[Routes] = _patterns(
        status=rf"/v1/exports/{_JOB}",
        files=rf"/v1/exports/{_JOB}/files",
        file=rf"/v1/exports/{_JOB}/files/{_FILE}",
        download=_DOWNLOAD,
    )

    def secret(self, token: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        return {"token": token}

    def refusal(self, headers: Message, tokens: set[str]) -> tuple[int, str] | None:
        return _bearer(headers, tokens)

    def window(self, query: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        limit = max(_whole(query, "limit", 100, self.largest_page), 1)
        return _read_cursor(query.get("cursor", [""])[0]), limit

    def status(self, job_id: str, status: Status) -> dict[str, Any]:
        return {"export_job_id": job_id, "status": status}

    def record(self, file: ExportFile, url: str) -> dict[str, Any]:
        size = {"size": file.archive.size} if file.lists_size else {}
        return {"file_id": file.file_id, "name": file.name, **size, "download_url": url}

    def page(self, listing: Listing) -> Documents:
        following = listing.following
        cursor = None if following is None else _make_cursor(following)
        return {"files": list(listing.records), "next_cursor": cursor}, {}

    def file(self, record: dict[str, Any]) -> dict[str, Any]:
        return record


class Artifacts:
    """After GitHub's workflow artifacts (docs/profiles/artifacts.openapi.yaml)."""

    prefix: ClassVar[str] = "/repos/acme/exports"
    ids: ClassVar[IdStyle] = "numbers"
    largest_page: ClassVar[int] = 100
    grants_tokens: ClassVar[bool] = False
    routes: ClassVar[Routes] = _patterns(
        status=rf"/actions/runs/{_JOB}",
        files=rf"/actions/runs/{_JOB}/artifacts",
        file=rf"/actions/artifacts/{_FILE}",
        link=rf"/actions/artifacts/{_FILE}/zip",
        download=_DOWNLOAD,
    )
    _words: ClassVar[Mapping[Status, tuple[str, str | None]]] = {
        "pending": ("queued", None),
        "running": ("in_progress", None),
        "completed": ("completed", "success"),
        "failed": ("completed", "failure"),
        "expired": ("completed", "timed_out"),
    }

    def secret(self, token: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        return {"token": token}

    def refusal(self, headers: Message, tokens: set[str]) -> tuple[int, str] | None:
        if "X-Api-Version" not in headers:
            return 400, "send an X-Api-Version"
        return _bearer(headers, tokens)

    def window(self, query: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        limit = max(_whole(query, "per_page", 30, self.largest_page), 1)
        return (max(_whole(query, "page", 1, 1_000_000), 1) - 1) * limit, limit

    def status(self, job_id: str, status: Status) -> dict[str, Any]:
        word, conclusion = self._words[status]
        return {"id": _number(job_id), "status": word, "conclusion": conclusion}

    def record(self, file: ExportFile, url: str) -> dict[str, Any]:
        return {
            "id": _number(file.file_id),
            "name": file.name,
            "size_in_bytes": file.archive.size,
            "expired": False,
            "archive_download_url": url,
        }

    def page(self, listing: Listing) -> Documents:
        number = listing.first // listing.limit + 1
        relations = {"prev": number - 1, "next": number + 1, "first": 1}
        links = [
            f'<{listing.url}?{urlencode({"per_page": listing.limit, "page": page})}>; rel="{relation}"'
            for relation, page in relations.items()
            if page >= 1 and (relation != "next" or listing.following is not None)
        ]
        document = {"total_count": listing.total, "artifacts": list(listing.records)}
        return document, {"Link": ", ".join(links)}

    def file(self, record: dict[str, Any]) -> dict[str, Any]:
        return record


class Odata:
    """After Microsoft Graph (docs/profiles/odata.openapi.yaml)."""

    prefix: ClassVar[str] = "/v1.0"
    ids: ClassVar[IdStyle] = "words"
    largest_page: ClassVar[int] = 100
    grants_tokens: ClassVar[bool] = True
    routes: ClassVar[Routes] = _patterns(
        status=r"/reports/exportJobs\('(?P<job_id>[^/']+)'\)",
        files=r"/reports/exportJobs\('(?P<job_id>[^/']+)'\)/files",
        file=r"/reports/exportJobs\('(?P<job_id>[^/']+)'\)/files\('(?P<file_id>[^/']+)'\)",
        download=_DOWNLOAD,
    )
    _words: ClassVar[Mapping[Status, str]] = {
        "pending": "notStarted",
        "running": "inProgress",
        "completed": "completed",
        "failed": "failed",
        "expired": "expired",
    }

    def secret(self, token: str, base_url: str) -> dict[str, str]:
        return {
            "client_id": "export-processing",
            "client_secret": token,
            "token_url": f"{base_url}/oauth2/v2.0/token",
        }

    def refusal(self, headers: Message, tokens: set[str]) -> tuple[int, str] | None:
        return _bearer(headers, tokens)

    def window(self, query: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        limit = max(_whole(query, "$top", 20, self.largest_page), 1)
        return _read_cursor(query.get("$skiptoken", [""])[0]), limit

    def status(self, job_id: str, status: Status) -> dict[str, Any]:
        return {"id": job_id, "status": self._words[status]}

    def record(self, file: ExportFile, url: str) -> dict[str, Any]:
        # 64-bit numbers are text in OData's IEEE754Compatible form.
        size = {"size": str(file.archive.size)} if file.lists_size else {}
        return {"id": file.file_id, "fileName": file.name, **size, "@content.downloadUrl": url}

    def page(self, listing: Listing) -> Documents:
        document: dict[str, Any] = {"value": list(listing.records)}
        if listing.following is not None:
            query = urlencode({"$top": listing.limit, "$skiptoken": _make_cursor(listing.following)})
            document["@odata.nextLink"] = f"{listing.url}?{query}"
        return document, {}

    def file(self, record: dict[str, Any]) -> dict[str, Any]:
        return record


class Batches:
    """After Adobe Experience Platform's batch exports (docs/profiles/batches.openapi.yaml)."""

    prefix: ClassVar[str] = "/data/foundation"
    ids: ClassVar[IdStyle] = "paths"
    largest_page: ClassVar[int] = 100
    grants_tokens: ClassVar[bool] = False
    routes: ClassVar[Routes] = _patterns(
        status=rf"/catalog/batches/{_JOB}",
        files=rf"/export/batches/{_JOB}/files",
        file=r"/export/files/(?P<file_id>.+)",
        download=_DOWNLOAD,
    )
    _words: ClassVar[Mapping[Status, str]] = {
        "pending": "queued",
        "running": "processing",
        "completed": "success",
        "failed": "failed",
        "expired": "inactive",
    }

    def secret(self, token: str, base_url: str) -> dict[str, str]:  # noqa: ARG002
        return {"api_key": token}

    def refusal(self, headers: Message, tokens: set[str]) -> tuple[int, str] | None:
        if "x-gw-ims-org-id" not in headers:
            return 403, "send an x-gw-ims-org-id"
        return None if headers.get("x-api-key", "") in tokens else (401, "send a valid x-api-key")

    def window(self, query: Mapping[str, Sequence[str]]) -> tuple[int, int]:
        limit = max(_whole(query, "limit", 100, self.largest_page), 1)
        return _whole(query, "start", 0, 1_000_000_000), limit

    def status(self, job_id: str, status: Status) -> dict[str, Any]:
        return {job_id: {"status": self._words[status]}}

    def record(self, file: ExportFile, url: str) -> dict[str, Any]:
        return {
            "dataSetFileId": unquote(file.file_id),
            "name": file.name,
            "length": str(file.archive.size),
            "_links": {"self": {"href": url}},
        }

    def page(self, listing: Listing) -> Documents:
        return {
            "data": list(listing.records),
            "_page": {"start": listing.first, "limit": listing.limit, "count": listing.total},
        }, {}

    def file(self, record: dict[str, Any]) -> dict[str, Any]:
        return {"data": [record], "_page": {"start": 0, "limit": 1, "count": 1}}


DIALECTS: Mapping[str, Dialect] = {
    "default": Default(),
    "artifacts": Artifacts(),
    "odata": Odata(),
    "batches": Batches(),
}


def own_id(ids: IdStyle, vendors: str) -> str:
    """The catalogue's id for one from a URL that has been unquoted."""
    return quote(vendors, safe="") if ids == "paths" else vendors


def _number(own: str) -> int | str:
    return int(own) if own.isdigit() else own


def _make_cursor(first: int) -> str:
    return base64.urlsafe_b64encode(f"from:{first}".encode()).decode()


def _read_cursor(cursor: str) -> int:
    if not cursor:
        return 0
    prefix, _, first = base64.urlsafe_b64decode(cursor).decode().partition(":")
    if prefix != "from":
        raise ValueError(f"cursor {cursor!r}")
    return int(first)
