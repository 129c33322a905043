"""The checks as a table for a terminal or a job's summary."""

from collections.abc import Sequence

from ops.preflight.model import Check, Verdict

_HEAD = ("", "what", "needed", "found")


def as_table(checks: Sequence[Check]) -> str:
    """Aligned columns, and below them what to do about each thing that is not there."""
    rows = [_HEAD, *((check.verdict.value, check.what, check.needed, check.found) for check in checks)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    missing = [check for check in checks if check.verdict is not Verdict.HAS and check.do]
    if missing:
        lines += ["", "To do:"]
        lines += [f"  {check.what} ({check.verdict.value}): {check.do}" for check in missing]
    return "\n".join(lines) + "\n"
