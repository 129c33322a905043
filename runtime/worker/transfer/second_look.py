"""Before an entry is refused for its bytes, they are fetched anew: only the same fault again is its own.

A cache or a proxy that gives zeros for one range may do so for the next, too, and both faults look alike; so
where it costs little the same must be seen three times, and twice where it costs a long download.
"""

import logging
from collections.abc import Callable
from typing import TypeVar

from runtime.shared.contracts import EntryOutcome
from runtime.shared.sizes import MIB
from runtime.worker.archive import EntryRejected
from runtime.worker.fetch.archive import ArchiveBytes, ByteStream
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.plan.wanted import Wanted

_log = logging.getLogger(__name__)
T = TypeVar("T")

DISAGREES = frozenset({EntryOutcome.CORRUPT_DATA, EntryOutcome.HEADER_MISMATCH})
"""The words for bytes that are not what the archive's own directory promises."""

_LOOKS = 4
_CHEAP_BYTES = 8 * MIB


def look_again(
    archive: ArchiveBytes, wanted: Wanted, refused: EntryRejected, read: Callable[[ByteStream], T]
) -> T:
    """The result of `read` on the entry's bytes once they come as they should.

    Raises EntryRejected for what fresh bytes cannot change and for what they show once more; DownloadFailed
    when something else is wrong each time; and as the stream and `read` do.
    """
    seen = 1
    enough = 3 if archive.ranged and wanted.stop - wanted.start <= _CHEAP_BYTES else 2
    for _ in range(_LOOKS):
        if refused.outcome not in DISAGREES:
            raise refused
        _log.warning("Fetching an entry again: %s", refused.text, extra={"entry": wanted.entry.name[:1_024]})
        stream = archive.stream_anew(wanted.start, wanted.stop)
        try:
            return read(stream)
        except EntryRejected as found:
            seen = seen + 1 if (found.outcome, found.text) == (refused.outcome, refused.text) else 1
            if seen == enough:
                raise
            refused = found
        finally:
            stream.close()
    raise DownloadFailed(
        f"an entry's bytes are different each time they are fetched; lastly {refused.text}", of_host=False
    )
