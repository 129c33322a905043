"""The rehearsal's steps: each timed, each with its finding, and what none of them can prove."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

NOT_PROVEN = (
    "an arm64 image: this machine builds its own architecture (CI builds both)",
    "change sets, and approval of them: the local CloudFormation deploys with --method direct",
    "policy conditions: the local AWS ignores them, so statements with one are left out",
    "roles of the CDK's bootstrap: their trust names an account, and the local STS knows none",
    "networks: security groups, routes and endpoints are created, no packet passes them",
    "Fargate itself: placement, Spot interruptions, ephemeral storage, the agent's own limits",
)


class StepFailed(Exception):
    """A step found what must not be; the text says what and where to look."""


@dataclass(kw_only=True)
class Rehearsal:
    """The steps seen so far; `ok` until one fails."""

    say: Callable[[str], None]
    ok: bool = True
    steps: list[dict[str, object]] = field(default_factory=list)
    image_mb: float = 0.0
    start_to_first_poll_s: float = 0.0
    peak_rss_mb: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step. Whatever it raises ends the rehearsal, after it has been written down."""
        began = time.monotonic()
        ok = False
        try:
            yield
            ok = True
        finally:
            seconds = round(time.monotonic() - began, 1)
            self.ok = self.ok and ok
            self.steps.append({"name": name, "ok": ok, "seconds": seconds})
            self.say(f"{'ok  ' if ok else 'FAIL'} {seconds:6.1f} s  {name}")

    def write(self, path: Path) -> None:
        """The summary, for a script to read."""
        summary = {
            "ok": self.ok,
            "steps": self.steps,
            "image_mb": self.image_mb,
            "start_to_first_poll_s": self.start_to_first_poll_s,
            "peak_rss_mb": self.peak_rss_mb,
            "not_proven": list(NOT_PROVEN),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(summary, indent=2) + "\n")
