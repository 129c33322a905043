"""Values as people read them, and names made harmless: the vendor and the producers choose those."""

import shlex
from datetime import UTC, datetime

from ops.fleet.documents import Job


def clean(text: str) -> str:
    """Nothing in it may steer a terminal or turn the reading direction: what does is spelled out."""
    return "".join(
        letter if letter.isprintable() else "⏎" if letter == "\n" else f"\\x{ord(letter):02x}"
        for letter in text
    )


def command(*words: str) -> str:
    """A command line to copy: whatever is in a name, the shell takes it for one word."""
    return f"export-ops {shlex.join(words)}"


def size(count: int) -> str:
    """Bytes in the largest unit that says them."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1_000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1_000
    return f"{amount:,.1f} TB"


def first_line(text: str) -> str:
    return text.partition("\n")[0]


def age_of(moment: datetime | None) -> str:
    """How long ago, in the largest unit that says it: `3 h`."""
    if moment is None:
        return "an unknown time"
    seconds = max(0.0, (datetime.now(UTC) - moment).total_seconds())
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def why_of(job: Job) -> str:
    """The one thing most worth saying about a job, in a line; "" when there is nothing."""
    trouble = job.failing or job.waiting
    if job.reason:
        return f"{job.reason}: {first_line(job.error)}"
    if trouble is not None:
        error = f": {first_line(trouble.error)}" if trouble.error else ""
        return f"{trouble.reason} for {age_of(trouble.since)}{error}"
    if job.archives.parked:
        return f"{job.archives.parked} archives parked"
    if job.missing:
        return f"{job.missing:,} of {job.expected:,} files missing"
    return ", ".join(f"{reason} {count:,}" for reason, count in job.rejected.items())
