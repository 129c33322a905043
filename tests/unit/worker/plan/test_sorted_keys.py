"""Keys come in S3's order, whatever order and blocks they were added in."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.worker.archive import HeapWorkspace
from runtime.worker.plan.sorted_keys import SortedKeys

KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=6)


@given(st.lists(st.lists(KEYS, max_size=8), max_size=5))
@settings(deadline=None)
def test_sorted_over_all_blocks(blocks: list[list[str]]) -> None:
    keys, number, added = SortedKeys(HeapWorkspace()), 0, []
    for block in blocks:
        numbered = [(key, number + place) for place, key in enumerate(block)]
        number += len(block)
        keys.add(numbered)
        added += numbered
    assert list(keys) == sorted(added, key=lambda pair: (pair[0].encode(), pair[1]))
