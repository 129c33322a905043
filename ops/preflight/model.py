"""One thing that was looked at, and what was found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """`TIGHT` works but not always; `LATER` cannot be there before the first deployment."""

    HAS = "ok"
    TIGHT = "tight"
    LATER = "later"
    LACKS = "LACKS"


@dataclass(frozen=True, kw_only=True)
class Check:
    """`needed` and `found` in the words of the thing; `do` is what to type or ask for when it lacks."""

    what: str
    needed: str
    found: str
    verdict: Verdict
    do: str = ""
