"""The ways vendors page through a listing, as one question: where is the next page?

A position is a string the ledger can keep: a cursor, an address, a page number or an offset. Page numbers
and offsets go on until an empty page, because a vendor may cap the page size below what was asked for.
"""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from runtime.orchestrator.settings import OrchestratorSettings
from runtime.shared.backoff import Wait
from runtime.shared.export_api import ExportApi, FileRecord, InvalidAnswer
from runtime.shared.export_api.client import Answer, describe

# A DynamoDB item holds 400 kB; a position far beyond any real one is a broken answer.
MAX_POSITION_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Page:
    """The usable records, a sentence for each unusable one, and where the next page is (None: this was the
    last).
    """

    records: tuple[FileRecord, ...]
    malformed: tuple[str, ...]
    next_position: str | None


class Listing:
    """Fetches the pages of a job's files in the mode that the settings name."""

    def __init__(self, api: ExportApi, settings: OrchestratorSettings) -> None:
        self._api = api
        self._settings = settings

    def page(self, export_job_id: str, position: str | None, *, wait: Wait = time.sleep) -> Page:
        """The page at `position` (None: the first). Raises ApiError."""
        url = self._url(export_job_id, position)
        answer = self._api.get_json(url, wait=wait)
        files = _field(answer.document, self._settings.export_api_files_field)
        if not isinstance(files, list):
            raise InvalidAnswer(f'the listing has no list "{self._settings.export_api_files_field}"')
        records, malformed = [], []
        for number, item in enumerate(files, start=1):
            try:
                record = FileRecord.model_validate(item)
                records.append(
                    record.model_copy(update={"download_url": self._api.absolute(record.download_url)})
                )
            except (ValidationError, InvalidAnswer) as error:
                text = describe(error) if isinstance(error, ValidationError) else str(error)
                malformed.append(f"record {number} of the page: {text}")
        following = self._next(url, answer, position, len(files))
        if following is not None and len(following.encode()) > MAX_POSITION_BYTES:
            raise InvalidAnswer("the position of the next page is longer than 64 KiB")
        return Page(tuple(records), tuple(malformed), following)

    def _url(self, export_job_id: str, position: str | None) -> str:
        settings = self._settings
        path = f"/v1/exports/{quote(export_job_id, safe='')}/files"
        params = {settings.export_api_limit_param: str(settings.export_api_page_size)}
        match settings.export_api_pagination:
            case "cursor":
                if position is not None:
                    params[settings.export_api_cursor_param] = position
            case "next-url" | "link-header":
                if position is not None:
                    return position
            case "page":
                params[settings.export_api_page_param] = position or str(settings.export_api_first_page)
            case "offset":
                params[settings.export_api_offset_param] = position or "0"
        return self._api.url(path, params)

    def _next(self, url: str, answer: Answer, position: str | None, count: int) -> str | None:
        settings = self._settings
        match settings.export_api_pagination:
            case "cursor":
                return _text(_field(answer.document, settings.export_api_next_cursor_field))
            case "next-url":
                return self._absolute(url, _text(_field(answer.document, settings.export_api_next_url_field)))
            case "link-header":
                return self._absolute(url, answer.next_link)
            case "page":
                current = int(position or settings.export_api_first_page)
                return str(current + 1) if count else None
            case "offset":
                return str(int(position or 0) + count) if count else None

    def _absolute(self, url: str, following: str | None) -> str | None:
        """Relative addresses are relative to the page they came with; another origin's would get our
        credentials.
        """
        if following is None:
            return None
        try:
            absolute = str(httpx.URL(url).join(following))
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidAnswer("the address of the next page cannot be read") from error
        if not self._api.is_own(absolute):
            raise InvalidAnswer("the next page is on another origin than the API")
        return absolute


def _field(document: Any, path: str) -> Any:
    """A field by its dotted path; None when any step is missing."""
    for step in path.split("."):
        document = document.get(step) if isinstance(document, dict) else None
    return document


def _text(value: Any) -> str | None:
    """A cursor as text; null and "" both mean the end. Raises InvalidAnswer for anything but text and
    numbers.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise InvalidAnswer(f"the position of the next page is a JSON {type(value).__name__}")
    return str(value)
