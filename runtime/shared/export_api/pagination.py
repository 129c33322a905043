"""Where the next page of a listing is, in each of the ways that vendors page.

A position is text that the ledger can keep: a cursor, an address, a page number or an offset. Nothing ends a
listing but what the profile calls its end: an answer that says neither "go on" nor "the end" is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jmespath

from runtime.shared.export_api.errors import InvalidAnswer
from runtime.shared.export_api.link import next_link
from runtime.shared.export_api.profile import VendorProfile
from runtime.shared.export_api.records import search

# A DynamoDB item holds 400 kB; a position far beyond any real one is a broken answer.
MAX_POSITION_BYTES = 65_536
_BEYOND_THE_END = frozenset((400, 404, 416, 422))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedPage:
    """One page as it came: where from, the document, its `Link` header, and how many records it lists."""

    url: str
    position: str | None
    document: Any
    link: str
    listed: int


class Pages(Protocol):
    """One way of paging."""

    def parameters(self, position: str | None) -> Mapping[str, str] | None:
        """The query for the page at `position`; None when the position is the page's whole address."""

    def following(self, page: RequestedPage) -> str | None:
        """Where the next page is, None after the last. Raises InvalidAnswer."""

    def beyond_the_end(self, position: str, status: int) -> bool:
        """Whether this refusal of a page after the first means that there is none."""


def pages_of(profile: VendorProfile, own: Callable[[str, str], str]) -> Pages:
    """The way that the profile names. `own(base, url)` resolves a URL that must stay on the API's origin."""
    match profile.export_api_pagination:
        case "cursor":
            return _Cursors(profile)
        case "next-url":
            return _Addresses(profile, own, header=False)
        case "link-header":
            return _Addresses(profile, own, header=True)
        case "page":
            return _Numbers(profile, profile.export_api_page_param, profile.export_api_first_page)
        case "offset":
            return _Numbers(profile, profile.export_api_offset_param, 0)


class _Ends:
    """The signs by which the profile tells the last page, whatever the way of paging."""

    def __init__(self, profile: VendorProfile) -> None:
        self.profile = profile
        has_more = profile.export_api_has_more_field
        self._has_more = jmespath.compile(has_more) if has_more else None
        self._end_values = frozenset(profile.export_api_end_values)
        self._limit = {profile.export_api_limit_param: str(profile.export_api_page_size)}

    def limit(self) -> dict[str, str]:
        return dict(self._limit)

    def says_more(self, page: RequestedPage) -> bool | None:
        """The word of `has_more`; None when the vendor has no such field. Raises InvalidAnswer."""
        if self._has_more is None:
            return None
        value = search(self._has_more, page.document)
        if isinstance(value, str):
            return value.strip().lower() not in {"", "false", "no", "0"}
        return bool(value)

    def text(self, value: Any) -> str | None:
        """A cursor or address as text, None where it means the end. Raises InvalidAnswer for neither."""
        if value is None or value == "" or value is False:
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise InvalidAnswer(f"the position of the next page is a JSON {type(value).__name__}")
        text = str(value)
        if text in self._end_values:
            return None
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise InvalidAnswer("the position of the next page is not Unicode text") from error
        if size > MAX_POSITION_BYTES:
            raise InvalidAnswer("the position of the next page is longer than 64 KiB")
        return text

    def short(self, page: RequestedPage) -> bool:
        return self.profile.export_api_short_page_ends and page.listed < self.profile.export_api_page_size

    def beyond_the_end(self, position: str, status: int) -> bool:  # noqa: ARG002
        return status in self.profile.export_api_end_statuses


class _Named(_Ends):
    """The vendor names the next page."""

    def following(self, page: RequestedPage) -> str | None:
        more = self.says_more(page)
        if more is False:
            return None
        named = self.named(page)
        if named is None and more:
            raise InvalidAnswer("the listing says that it has more, but not where")
        return None if self.short(page) else named

    def named(self, page: RequestedPage) -> str | None:
        raise NotImplementedError


class _Cursors(_Named):
    """`next_cursor` in the body, sent back as a parameter."""

    def __init__(self, profile: VendorProfile) -> None:
        super().__init__(profile)
        self._field = jmespath.compile(profile.export_api_next_cursor_field)

    def parameters(self, position: str | None) -> Mapping[str, str]:
        cursor = {} if position is None else {self.profile.export_api_cursor_param: position}
        return self.limit() | cursor

    def named(self, page: RequestedPage) -> str | None:
        return self.text(search(self._field, page.document))


class _Addresses(_Named):
    """The next page's address in the body or the `Link` header, relative to the page it came with."""

    def __init__(self, profile: VendorProfile, own: Callable[[str, str], str], *, header: bool) -> None:
        super().__init__(profile)
        self._own = own
        self._field = None if header else jmespath.compile(profile.export_api_next_url_field)

    def parameters(self, position: str | None) -> Mapping[str, str] | None:
        return self.limit() if position is None else None

    def named(self, page: RequestedPage) -> str | None:
        if self._field is not None:
            address = self.text(search(self._field, page.document))
        else:
            link = next_link(page.link)
            # RFC 8288, section 3.2: with an anchor the link is about another document than this page.
            if link is None or (link[1] is not None and self._own(page.url, link[1]) != page.url):
                return None
            address = self.text(link[0])
        return None if address is None else self.text(self._own(page.url, address))


@dataclass(frozen=True, slots=True)
class _Mark:
    """A page number or offset, with what has been seen of how many where the vendor gives a total."""

    index: int
    seen: int = 0
    total: int = -1

    def __str__(self) -> str:
        return str(self.index) if self.total < 0 else f"{self.index}/{self.seen}/{self.total}"

    @classmethod
    def of(cls, position: str) -> "_Mark":
        parts = position.split("/")
        if len(parts) not in {1, 3} or not all(part.isascii() and part.isdigit() for part in parts):
            raise InvalidAnswer("the recorded position is of another way of paging")
        return cls(*map(int, parts))


class _Numbers(_Ends):
    """Page numbers, or offsets, until what the profile calls the end or an empty page.

    A total is not believed alone: a full page that reaches it is followed by one more request, and an empty
    page before it is an error, so that a total that is wrong in either direction loses no file silently.
    """

    def __init__(self, profile: VendorProfile, parameter: str, first: int) -> None:
        super().__init__(profile)
        self._parameter, self._first = parameter, first
        self._offsets = profile.export_api_pagination == "offset"
        files, pages = profile.export_api_total_field, profile.export_api_total_pages_field
        self._total = jmespath.compile(files or pages) if files or pages else None
        self._counts_pages = bool(pages) and not files

    def parameters(self, position: str | None) -> Mapping[str, str]:
        mark = _Mark(self._first) if position is None else _Mark.of(position)
        return self.limit() | {self._parameter: str(mark.index)}

    def following(self, page: RequestedPage) -> str | None:
        before = _Mark(self._first) if page.position is None else _Mark.of(page.position)
        step = page.listed if self._offsets else 1
        after = replace(
            before,
            index=before.index + step,
            seen=before.seen + (1 if self._counts_pages and page.listed else page.listed),
            total=max(before.total, self._announced(page)),
        )
        more = self.says_more(page)
        if more is not None:
            if more and not step:
                raise InvalidAnswer("the listing says that it has more, but gives an empty page")
            return str(after) if more else None
        if page.listed and not self.short(page) and not self._complete(after, page):
            return str(after)
        if after.seen < after.total:
            unit = "pages" if self._counts_pages else "files"
            raise InvalidAnswer(f"the listing ends after {after.seen} of {after.total} {unit}")
        return None

    def beyond_the_end(self, position: str, status: int) -> bool:
        mark = _Mark.of(position)
        reached = 0 <= mark.total <= mark.seen and status in _BEYOND_THE_END
        return reached or super().beyond_the_end(position, status)

    def _announced(self, page: RequestedPage) -> int:
        if self._total is None:
            return -1
        value = search(self._total, page.document)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            value = int(value)
        if value is None and page.position is not None:
            return -1
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
            raise InvalidAnswer("the listing gives no usable total")
        return value

    def _complete(self, after: _Mark, page: RequestedPage) -> bool:
        full = page.listed >= self.profile.export_api_page_size
        return 0 <= after.total <= after.seen and not full
