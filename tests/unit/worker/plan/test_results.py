"""What became of each file is kept in rows, and comes back as it was said."""

from runtime.shared.contracts import EntryOutcome
from runtime.worker.archive import HeapWorkspace, Limits, judge, read_directory
from runtime.worker.plan.metadata import Expected
from runtime.worker.plan.parts import split_ranges
from runtime.worker.plan.planner import ArchivePlan
from runtime.worker.plan.results import Results
from runtime.worker.plan.wanted import WantedEntries
from tests.archives.craft import File, archive
from tests.archives.examine import Memory

NAMES = [f"{place}.txt" for place in range(8)]


def results_of(first: int = 0, last: int = len(NAMES), order: list[int] | None = None) -> Results:
    content = archive(*(File(name, name.encode() * 20) for name in NAMES), order=order)
    directory = read_directory(Memory(content), Limits(), workspace=HeapWorkspace())
    return Results(directory, judge(directory, Limits()), first, last, "exports/job/")


def expected(size: int = 100, **more: str) -> Expected:
    return Expected(size, more.get("sha256"), more.get("content_type", "text/plain"), more.get("key"))


def test_rows_come_back_as_lines() -> None:
    results = results_of()
    entries = list(results.directory)
    results.pass_over(entries[0])
    results.refuse(entries[1], EntryOutcome.NO_METADATA, None)
    results.refuse(entries[2], EntryOutcome.SIZE_MISMATCH, "t\u00f6o long")
    sha256 = "0123456789abcdef" * 4
    results.expect(entries[3], expected(sha256=sha256))
    results.settle(entries[3], EntryOutcome.ALREADY_PRESENT)
    results.expect(entries[4], expected(key="exports/elsewhere", content_type="a/b"))
    assert results.expected(entries[4]) == Expected(100, None, "a/b", "exports/elsewhere")
    for entry in entries[4:]:
        if entry.index > 4:
            results.expect(entry, expected())
    opened = list(WantedEntries(results))
    opened[0].result.uploaded()
    for wanted in opened[1:]:
        wanted.result.rejected(EntryOutcome.CORRUPT_DATA, "twice")
    lines = list(results)
    assert [(line.entry.name, line.outcome, line.detail, line.sha256, line.key) for line in lines] == [
        ("1.txt", "no-metadata", None, None, None),
        ("2.txt", "size-mismatch", "t\u00f6o long", None, None),
        ("3.txt", "already-present", None, sha256, "exports/job/3.txt"),
        ("4.txt", "uploaded", None, None, "exports/elsewhere"),
        *((f"{place}.txt", "corrupt-data", "twice", None, None) for place in (5, 6, 7)),
    ]
    assert results.outcomes() == {
        EntryOutcome.NO_METADATA: 1,
        EntryOutcome.SIZE_MISMATCH: 1,
        EntryOutcome.ALREADY_PRESENT: 1,
        EntryOutcome.UPLOADED: 1,
        EntryOutcome.CORRUPT_DATA: 3,
    }
    assert list(results.names_in_s3()) == ["3.txt", "4.txt"]


def test_what_is_wanted_comes_as_it_lies_in_the_archive() -> None:
    order = [5, 2, 7, 0, 1, 6, 3, 4]
    results = results_of(order=order)
    for entry in results.directory:
        results.expect(entry, expected())
    wanted = list(WantedEntries(results))
    assert [one.entry.name for one in wanted] == NAMES
    assert [one.start for one in wanted] == sorted(one.start for one in wanted)
    assert all(one.start < one.stop for one in wanted)


def test_parts_cover_every_entry_and_stay_near_their_length() -> None:
    results = results_of()
    for entry in results.directory:
        results.expect(entry, expected())
    wanted = WantedEntries(results)
    plan = ArchivePlan(results=results, wanted=wanted, largest=100, bytes_present=0)
    for part_bytes in (1, 300, 10_000):
        ranges = split_ranges(plan, len(NAMES), part_bytes)
        assert [place for first, last in ranges for place in range(first, last)] == list(range(len(NAMES)))
    assert len(split_ranges(plan, len(NAMES), 1)) == len(NAMES)
    assert split_ranges(plan, len(NAMES), 10_000) == ((0, len(NAMES)),)
