"""A name's safe normal form, and what has none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.worker.archive import Limits
from runtime.worker.archive.names import normal, unsafe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.txt", "a/b.txt"),
        ("./a", "a"),
        ("././a", "a"),
        ("/a", "a"),
        ("///a", "a"),
        ("a//b", "a/b"),
        ("a/./b", "a/b"),
        ("a\\b", "a/b"),
        ("\\a", "a"),
        (".\\a\\", "a/"),
        (".hidden", ".hidden"),
        ("a/.hidden", "a/.hidden"),
        ("a/..b", "a/..b"),
        ("./", "/"),
        ("/", "/"),
        ("d/.", "d/"),
        ("d//", "d/"),
        (".", ""),
        ("", ""),
        ("../a", "../a"),
        ("a/../b", "a/../b"),
        ("./../a", "../a"),
        ("\\\\host\\share", "//host/share"),
    ],
)
def test_the_normal_form(name: str, expected: str) -> None:
    assert normal(name) == expected


@given(st.text(st.sampled_from("ab./\\"), max_size=12))
def test_a_normal_form_that_is_safe_is_its_own(name: str) -> None:
    found = normal(name)
    if unsafe(found, Limits()) is None:
        assert normal(found) == found
        assert not {"", ".", ".."} & set(found.removesuffix("/").split("/"))


@pytest.mark.parametrize("name", ["../a", "//host/share", "c:/a", "a\0", "", "a/..", "/a", "a//b", "./a"])
def test_what_is_not_normal_or_leads_elsewhere_is_refused(name: str) -> None:
    refused = unsafe(name, Limits())
    assert refused is not None
    assert refused[0] == "unsafe-name"
