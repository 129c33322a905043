"""What the page is tried with: names that attack a page, in every place where somebody else chooses one."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

from ops.page.app import VIEWS
from tests.unit.ops.site import Site

HOSTILE = (
    "<script>owned=1</script>",
    '"><img src=x onerror=owned=1>',
    "' onmouseover='owned=1' x='",
    "{{ 7*7 }}{% raw %}",
    "</title></textarea></style><svg onload=owned=1>",
    "<a href=javascript:owned=1>x</a>",
    "javascript:owned=1",
    "\u202egnp.exe\u2066\u200f",
    "a\x1b]0;owned\x07b\x00c\x9b1m",
    "$(touch${IFS}x);`id`&&true|'\"",
    "&lt;b&gt;&amp;&#x3c;script&#x3e;",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467\U0001f1fa\U0001f1f3\U0001f44d\U0001f3ff",
    "a\u0301\u0308\u0317" * 40,
    "w" * 1_000,
    "<iframe srcdoc='<script>parent.owned=1</script>'>",
    "*/}</style><meta http-equiv=refresh content=0;url=//evil.example>",
)
JOBS = tuple(re.sub(r"[\x00-\x20\x7f/\\?#]", "_", text)[:250] for text in HOSTILE)
"""The same as ids of jobs, which hold 256 characters at most, and not every one."""


def fill(site: Site) -> None:
    """A job of each name, with an archive, an error, a missing file and a parked message of it."""
    for text, job in zip(HOSTILE, JOBS, strict=True):
        site.listed(job, [job], correlation_id=text[:100])
        site.put_lines(f"manifests/{job}/missing.jsonl", [{"path": text, "reason": text, "file_id": text}])
        site.ended(site.parked(job, job, "not-a-zip", text), "failed", 2, 1)
        clear = "".join(letter for letter in text if letter.isprintable() or letter in "\u202e\u2066")
        site.park_message("ExportJobs", clear, clear[:50])


def addresses() -> Iterator[str]:
    """Every view, and the job's view of every name."""
    for path in VIEWS:
        if path != "/job":
            yield path
    for job in JOBS:
        yield "/job?" + urlencode({"id": job})
    for text in HOSTILE[:6]:
        yield "/jobs?" + urlencode({"find": text, "state": text, "error": text})
        yield "/dlq?" + urlencode({"reason": text, "job": text})
