"""Whether an entry was refused for what a directory says that may have been damaged on its way.

A directory has no checksum, but each local header repeats what it says of the entry.
"""

from runtime.worker.archive import Directory, EntryRejected
from runtime.worker.archive.local_header import check_local_header, header_length
from runtime.worker.archive.records import LOCAL
from runtime.worker.fetch.archive import ArchiveBytes
from runtime.worker.plan.planner import ArchivePlan
from runtime.worker.transfer.second_look import DISAGREES


def in_doubt(plan: ArchivePlan, archive: ArchiveBytes, directory: Directory) -> bool:
    """Reading a directory twice costs little beside the archive, and any refusal is reason enough.

    Where it would mean the whole archive, the local headers are asked first, which are on the disk.
    """
    refused = {outcome for outcome in plan.results.outcomes() if not outcome.in_s3}
    if archive.ranged or not refused:
        return bool(refused)
    return not refused.isdisjoint(DISAGREES) or _a_header_disagrees(plan, archive, directory)


def _a_header_disagrees(plan: ArchivePlan, archive: ArchiveBytes, directory: Directory) -> bool:
    for entry, outcome, *_ in plan.results:
        if outcome.in_s3:
            continue
        try:
            length = header_length(archive.read_at(entry.local_offset, LOCAL.size))
            check_local_header(entry, archive.read_at(entry.local_offset, length), directory.limits)
        except EntryRejected:
            return True
    return False
