"""Every way of paging comes to every file, and no answer of a vendor gets past the contract."""

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as settings_of_test
from hypothesis import strategies as st

from runtime.shared.export_api import InvalidAnswer
from tests.unit.orchestrator.vendor import Vendor, record

MODES = ["cursor", "next-url", "link-header", "page", "offset"]

# Page numbers and offsets end at an empty page, the other modes may hold empty pages in the middle.
pages = st.lists(st.integers(1, 7), min_size=1, max_size=8)


def walk(vendor: Vendor) -> list[str]:
    api = vendor.api(export_api_page_size=100)
    found: list[str] = []
    position: str | None = None
    for _ in range(100):
        page = api.list_files("job", position)
        found += [item.file_id for item in page.records]
        position = page.next_position
        if position is None:
            return found
    raise AssertionError("the listing did not end")


@settings_of_test(deadline=None)
@given(st.sampled_from(MODES), pages)
def test_every_mode_comes_to_every_file(mode: str, sizes: list[int]) -> None:
    names = iter(range(sum(sizes)))
    content = [[record(f"f{next(names)}") for _ in range(size)] for size in sizes]
    assert walk(Vendor(content, mode)) == [f"f{number}" for number in range(sum(sizes))]


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_job_ends(mode: str) -> None:
    assert walk(Vendor([[]], mode)) == []


def test_empty_pages_in_the_middle_are_passed() -> None:
    assert walk(Vendor([[], [record("a")], [], [record("b")]])) == ["a", "b"]


def test_the_next_page_stays_on_the_apis_origin() -> None:
    answer = httpx.Response(200, json={"files": [], "next": "https://evil.example/?cursor=1"})
    vendor = Vendor([[]], "next-url", override=lambda _request: answer)
    with pytest.raises(InvalidAnswer, match="another origin"):
        walk(vendor)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"files": None},
        {"files": {}},
        {"files": [], "next_cursor": True},
        {"files": [], "next_cursor": ["x"]},
        {"files": [], "next_cursor": "x" * 70_000},
    ],
)
def test_a_broken_page_is_an_invalid_answer(document: Any) -> None:
    vendor = Vendor([[]], override=lambda _request: httpx.Response(200, json=document))
    with pytest.raises(InvalidAnswer):
        walk(vendor)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
_record = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("file_id", "name", "size", "download_url"), _json)
)


@settings_of_test(deadline=None)
@given(st.lists(_json | _record, max_size=6))
def test_unusable_records_are_told_apart_and_none_gets_lost(items: list[Any]) -> None:
    vendor = Vendor([[*items, record("good")]])
    page = vendor.api().list_files("job")
    assert page.records[-1].file_id == "good"
    assert len(page.records) + len(page.rejected) == len(items) + 1


def test_a_records_fault_is_named_without_its_url() -> None:
    vendor = Vendor([[{"file_id": "f", "download_url": "https://x/?sig=secret"}]])
    (fault,) = vendor.api().list_files("job").rejected
    assert fault == "record 1 of the page: name: Field required"


def test_field_names_are_settings() -> None:
    answer = httpx.Response(200, json={"data": {"items": [record("f")]}, "meta": {"next": "n"}})
    vendor = Vendor([[]], override=lambda _request: answer)
    api = vendor.api(
        export_api_files_field="data.items",
        export_api_next_cursor_field="meta.next",
        export_api_limit_param="size",
        export_api_cursor_param="after",
    )
    page = api.list_files("job", "here")
    assert (page.records[0].file_id, page.next_position) == ("f", "n")
    assert vendor.requests == ["https://api.example/v1/exports/job/files?size=500&after=here"]
