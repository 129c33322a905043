"""The digest of paths: free of order, added up over archives, and not fooled by a path that comes twice."""

import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.worker.manifest.paths import MODULUS, paths_digest

PATHS = st.text(max_size=8)


@given(st.lists(PATHS), st.lists(PATHS), st.randoms())
def test_two_digests_add_up_to_that_of_both_in_any_order(
    one: list[str], other: list[str], dice: random.Random
) -> None:
    both = [*one, *other]
    dice.shuffle(both)
    assert (paths_digest(one) + paths_digest(other)) % MODULUS == paths_digest(both)


@given(st.sets(PATHS, min_size=2))
def test_a_path_that_comes_twice_is_no_other(paths: set[str]) -> None:
    first, second, *rest = sorted(paths)
    assert paths_digest([first, first, *rest]) != paths_digest([first, second, *rest])
