"""Wildcard patterns of IAM compared as sets of strings: does one cover another, can two meet?

`*` stands for any text and `?` for one character. A `${token}` is one opaque piece of unknown text: only
the same token or a `*` covers it. Both answers err to the safe side: `covers` says yes only when it is
certain, `may_meet` says no only when it is certain.
"""

import re
from functools import lru_cache

_PIECE = re.compile(r"\$\{[^}]*\}|.", re.DOTALL)
ANY = "*"
ONE = "?"


@lru_cache(maxsize=65536)
def covers(wide: str, narrow: str) -> bool:
    """True when every string that `narrow` matches is matched by `wide`."""
    if wide in (ANY, narrow):
        return True
    wides, narrows = _pieces(wide), _pieces(narrow)
    # reach[j]: the pieces of `wide` read so far can cover the first j pieces of `narrow`.
    reach = [True] + [False] * len(narrows)
    for piece in wides:
        following = [piece == ANY and reach[0]]
        for j, other in enumerate(narrows, start=1):
            if piece == ANY:
                following.append(reach[j] or following[j - 1])
            else:
                following.append(reach[j - 1] and _covers_piece(piece, other))
        reach = following
    return reach[-1]


@lru_cache(maxsize=65536)
def may_meet(one: str, other: str) -> bool:
    """False only when no string can match both patterns."""
    left, right = _pieces(one), _pieces(other)
    # A token may stand for any text at all, so it meets like `*`.
    reach = [[False] * (len(right) + 1) for _ in range(len(left) + 1)]
    reach[0][0] = True
    for i in range(len(left) + 1):
        for j in range(len(right) + 1):
            if i and _any(left[i - 1]) and reach[i - 1][j]:
                reach[i][j] = True
            if j and _any(right[j - 1]) and reach[i][j - 1]:
                reach[i][j] = True
            if i and j and not reach[i][j]:
                reach[i][j] = _step(left[i - 1], right[j - 1], reach, i, j)
    return reach[-1][-1]


def _step(left: str, right: str, reach: list[list[bool]], i: int, j: int) -> bool:
    if _any(left) and reach[i][j - 1]:
        return True
    if _any(right) and reach[i - 1][j]:
        return True
    return reach[i - 1][j - 1] and (left == right or ONE in (left, right) or _any(left) or _any(right))


def _any(piece: str) -> bool:
    return piece == ANY or len(piece) > 1


def _covers_piece(wide: str, narrow: str) -> bool:
    return wide == narrow or (wide == ONE and len(narrow) == 1 and narrow != ANY)


def _pieces(pattern: str) -> list[str]:
    return _PIECE.findall(pattern)
