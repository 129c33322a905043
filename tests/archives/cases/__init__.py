"""The corpus as data: one case per rule."""

from tests.archives.cases import accepted, entries, names, parked, writers
from tests.archives.cases.case import FOLDER, READ, REPEATED, Case

GROUPS: dict[str, list[Case]] = {
    "Read": accepted.CASES,
    "Read, and noted where unusual": writers.CASES,
    "Names": names.CASES,
    "Entries that are refused": entries.CASES,
    "Archives that are parked": parked.CASES,
}
CASES = [case for group in GROUPS.values() for case in group]

__all__ = ["CASES", "FOLDER", "GROUPS", "READ", "REPEATED", "Case"]
