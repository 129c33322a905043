"""Which permissions the services really needed while the end-to-end tests ran.

They are recorded where they are checked, by the local AWS and the agent, so that no client of the services
is missed.
"""

import json
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LAST_RUN = ROOT / ".local" / "permissions.json"
RECORDED = ROOT / "tests" / "stacks" / "recorded_actions.json"


def save(used: Mapping[str, set[str]]) -> None:
    """Keep what this run needed, for `python -m tests.recorder`."""
    document = {service: sorted(actions) for service, actions in sorted(used.items())}
    LAST_RUN.write_text(json.dumps(document, indent=2) + "\n")
