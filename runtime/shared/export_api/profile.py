"""A vendor as settings: where its documents are, what they call things, how a listing goes on and ends.

The defaults are the default profile (docs/export-api.openapi.yaml). docs/profiles/ explains every field and
shows other vendors. A field is a JMESPath expression on the JSON answer, a path a template on the base URL.
"""

import re
from typing import Annotated, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.shared.setting_types import HttpUrl, NonEmpty, Seconds
from runtime.shared.sizes import MIB

JobStatus = Literal["pending", "running", "completed", "failed", "expired"]
Pagination = Literal["cursor", "next-url", "link-header", "page", "offset"]


# RFC 3986's pchar, "/" and "?", with RFC 6570's {simple} and {+reserved} expansions of the two ids.
_LITERAL = r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]"
_JOB = r"\{\+?export_job_id\}"
_FILE = r"\{\+?file_id\}"
JOB_TEMPLATE = rf"^/(?:{_LITERAL}|{_JOB})*{_JOB}(?:{_LITERAL}|{_JOB})*$"
FILE_TEMPLATE = rf"^/(?:{_LITERAL}|{_JOB}|{_FILE})*{_FILE}(?:{_LITERAL}|{_JOB}|{_FILE})*$"
# RFC 9110's token, but for what the client sets itself, and a field value that cannot end its line.
_HEADER_NAME = (
    "^(?!(?:[Cc]onnection|[Cc]ontent-[Ll]ength|[Hh]ost|[Tt]ransfer-[Ee]ncoding|[Aa]ccept-[Ee]ncoding)$)"
    "[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
)
_HEADER_VALUE = r"^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$"
# These say something about the caller or the moment, never that a listing has ended.
_REFUSALS = (401, 403, 408, 425, 429)


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(f"it is not a JMESPath expression: {str(error).splitlines()[0]}") from error
    return text


def _header_name(name: str) -> str:
    if not re.search(_HEADER_NAME, name):
        raise ValueError("it is not the name of a header, or of one that the client sets itself")
    return name


def _header_value(value: str) -> str:
    if not re.search(_HEADER_VALUE, value):
        raise ValueError("it is not printable ASCII")
    return value


def _end_status(status: int) -> int:
    if status in _REFUSALS:
        raise ValueError("it says something about the caller or the moment, never that a listing has ended")
    return status


def _api_url(url: str) -> str:
    if "?" in url or "#" in url:
        raise ValueError("it must not hold a query or fragment; a path's template may hold a query")
    return url


ApiUrl = Annotated[HttpUrl, AfterValidator(_api_url)]
Expression = Annotated[
    str, Field(min_length=1, json_schema_extra={"format": "jmespath"}), AfterValidator(_expression)
]
OptionalExpression = Annotated[
    str,
    Field(json_schema_extra={"format": "jmespath"}),
    AfterValidator(lambda text: _expression(text) if text else text),
]
HeaderName = Annotated[str, Field(json_schema_extra={"pattern": _HEADER_NAME}), AfterValidator(_header_name)]
HeaderValue = Annotated[
    str, Field(json_schema_extra={"pattern": _HEADER_VALUE}), AfterValidator(_header_value)
]
EndStatus = Annotated[
    int,
    Field(ge=400, le=499, json_schema_extra={"not": {"enum": list(_REFUSALS)}}),
    AfterValidator(_end_status),
]


class VendorProfile(BaseSettings):
    """The variables that say how a vendor's API speaks; both services read them."""

    model_config = SettingsConfigDict(use_attribute_docstrings=True)

    export_api_base_url: ApiUrl
    """Where the API is, with the path that all its addresses share; no query."""
    export_api_headers: Annotated[
        dict[HeaderName, HeaderValue],
        Field(json_schema_extra={"propertyNames": {"pattern": _HEADER_NAME}}),
    ] = {}
    """Sent with every call: a version, a tenant. Never a credential: those belong in the secret."""

    export_api_auth: Literal["bearer", "api-key", "oauth2"] = "bearer"
    """How we prove who we are: `bearer`, `api-key` or `oauth2` (client credentials), with what the secret
    holds.
    """
    export_api_secret_arn: NonEmpty
    """The secret with the credentials; read again when the API refuses them."""
    export_api_key_header: HeaderName = "X-API-Key"
    """The header of the API key, unless the secret's `header` names one."""
    export_api_oauth_token_url: str = ""
    """Where tokens are asked for. All four of OAuth 2.0 may also be fields of the secret, which win."""
    export_api_oauth_scope: str = ""
    """The scope asked for; empty: none is sent."""
    export_api_oauth_audience: str = ""
    """The audience asked for; empty: none is sent."""
    export_api_oauth_client_auth: Literal["basic", "body"] = "basic"
    """Where the client's credentials go: the Authorization header (`basic`) or the `body`."""
    export_api_token_with_downloads: bool = True
    """Whether headers and credentials also go with download links on the API's own origin; never with any
    other. Turn it off where links carry their own signature and refuse both.
    """

    export_api_status_path: Annotated[str, Field(pattern=JOB_TEMPLATE)] = "/v1/exports/{export_job_id}"
    """Template of the address of a job's status document, below the base URL."""
    export_api_files_path: Annotated[str, Field(pattern=JOB_TEMPLATE)] = "/v1/exports/{export_job_id}/files"
    """Template of the address of a job's listing, below the base URL."""
    export_api_file_path: Annotated[str, Field(pattern=FILE_TEMPLATE)] = (
        "/v1/exports/{export_job_id}/files/{file_id}"
    )
    """Template of the address of one file's record, below the base URL: a fresh download link comes from it.
    """
    export_api_encoded_ids: bool = False
    """Ids that hold `/` or what else one path segment cannot are ours percent-encoded: a/b is a%2Fb."""

    export_api_status_field: Expression = "status"
    """Where the status is in its document."""
    export_api_status_words: dict[str, JobStatus] = {
        "pending": "pending",
        "running": "running",
        "completed": "completed",
        "failed": "failed",
        "expired": "expired",
    }
    """The vendor's words for ours; a word that is not here is an answer that cannot be read."""
    export_api_job_id_field: OptionalExpression = ""
    """Where the status document names its job; it must be the one asked for. Empty: not looked at."""
    export_api_files_field: Expression = "files"
    """Where a page has its list of files."""
    export_api_file_field: Expression = "@"
    """Where the answer about one file has its record; `@` is the whole answer."""
    export_api_file_id_field: Expression = "file_id"
    """Where a record has the file's id; a number will do."""
    export_api_file_name_field: Expression = "name"
    """Where a record has the file's name; a number will do."""
    export_api_file_size_field: Expression = "size"
    """Where a record has the archive's size in bytes; a hint only."""
    export_api_download_url_field: Expression = "download_url"
    """Where a record has the download link."""

    export_api_pagination: Pagination = "cursor"
    """How a listing goes on: by a `cursor`, the next page's address in the body (`next-url`) or in the Link
    header (`link-header`), by `page` numbers or by `offset`.
    """
    export_api_page_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Files that a page is asked for. Raise it to the vendor's most: fewer calls."""
    export_api_limit_param: NonEmpty = "limit"
    """The query parameter of the page size."""
    export_api_cursor_param: NonEmpty = "cursor"
    """The query parameter of the cursor, in the mode `cursor`."""
    export_api_page_param: NonEmpty = "page"
    """The query parameter of the page's number, in the mode `page`."""
    export_api_first_page: Annotated[int, Field(ge=0)] = 1
    """The number of the first page, in the mode `page`: 0 or 1 with most vendors."""
    export_api_offset_param: NonEmpty = "offset"
    """The query parameter of the offset in files, in the mode `offset`."""
    export_api_next_cursor_field: Expression = "next_cursor"
    """Where a page has the next cursor, in the mode `cursor`."""
    export_api_next_url_field: Expression = "next"
    """Where a page has the next one's address, in the mode `next-url`."""
    export_api_end_values: tuple[str, ...] = ("-1",)
    """Cursors and addresses that mean the end, beside null, "", false and absence."""
    export_api_has_more_field: OptionalExpression = ""
    """Where a page says whether more follow: false ends the listing, true without a next page is an error.
    Empty: not looked at.
    """
    export_api_total_field: OptionalExpression = ""
    """Where a page has the number of files in the listing, in the modes `page` and `offset`. Empty: not
    looked at.
    """
    export_api_total_pages_field: OptionalExpression = ""
    """Where a page has the number of pages in the listing, in the modes `page` and `offset`. Empty: not
    looked at.
    """
    export_api_short_page_ends: bool = False
    """A page with fewer files than asked for is the last. Not for vendors that cap the page size."""
    export_api_end_statuses: tuple[EndStatus, ...] = ()
    """Statuses that say "beyond the end" to any page but the first, such as 404."""

    export_api_calls_per_s: Annotated[float, Field(ge=0, le=10_000)] = 0
    """Calls a second that the vendor allows the whole fleet; 0 sets no rate. A 429 slows every process either
    way.
    """
    export_api_concurrent_calls: Annotated[int, Field(ge=0)] = 0
    """Calls at once that the vendor allows the whole fleet; 0 sets no limit."""

    export_api_connect_timeout_s: Seconds = 10
    """Seconds that a connection may take to be made."""
    export_api_timeout_s: Seconds = 30
    """The longest silence within an answer, in seconds. Raise it for a vendor that computes long before it
    answers.
    """
    export_api_deadline_s: Seconds = 120
    """The longest that one call may take to the last byte, in seconds. Raise it where pages are big and slow.
    """
    export_api_attempts: Annotated[int, Field(ge=1, le=20)] = 4
    """Tries of one request while the message stays in hand; afterwards the message itself is retried."""
    export_api_max_answer_bytes: Annotated[int, Field(ge=1_024, le=1_024 * MIB)] = 64 * MIB
    """The most bytes that one answer may hold, counted after decompression. Raise it only for a vendor
    without pages.
    """
    export_api_max_page_records: Annotated[int, Field(ge=1)] = 200_000
    """The most records that one page may hold. Raise it only for a vendor without pages."""
    export_api_max_pages: Annotated[int, Field(ge=1)] = 1_000_000
    """The most pages that one listing may have before it is parked as `listing-too-long`."""
