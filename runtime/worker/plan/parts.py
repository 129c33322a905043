"""Dividing a huge archive's work: which entry ranges its parts take, and the tasks that carry them."""

import itertools

from runtime.shared.contracts import DownloadTask, EntryRange
from runtime.shared.ledger import Split
from runtime.worker.plan.planner import ArchivePlan


def split_ranges(plan: ArchivePlan, entries: int, part_bytes: int) -> tuple[tuple[int, int], ...]:
    """Entry ranges [first, last) that cover all `entries`, each with about `part_bytes` to fetch at most."""
    bounds = [0]
    size = 0
    rows = plan.results.directory.rows
    for index in plan.results.open_indices():
        length = rows.ends[index] - rows.starts[index]
        if size and size + length > part_bytes:
            bounds.append(index)
            size = 0
        size += length
    return tuple(itertools.pairwise([*bounds, entries]))


def part_tasks(task: DownloadTask, split: Split) -> list[DownloadTask]:
    """The messages of a split task's parts; the same every time."""
    return [
        task.model_copy(
            update={
                "part": EntryRange(
                    index=index, count=len(split.parts), first=first, last=last, epoch=split.epoch
                )
            }
        )
        for index, (first, last) in enumerate(split.parts)
    ]
