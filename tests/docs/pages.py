"""The pages for people, and what is written on them as code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`]+)`")


def pages() -> list[Path]:
    """README, CONTRIBUTING, docs, and the README of each room."""
    rooms = [path for path in ROOT.glob("*/**/README.md") if not _foreign(path)]
    return sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"), *rooms})


def _foreign(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    # The benchmark's Node peer installs its packages beside itself.
    return parts[0].startswith(".") or parts[0] in {"site", "cdk.out"} or "node_modules" in parts


def code_words(text: str) -> list[str]:
    """Inline code, each on one line."""
    return [" ".join(word.split()) for word in CODE.findall(FENCE.sub("", text))]


def shell(text: str) -> str:
    """The shell commands of the page's code blocks."""
    return "\n".join(body for language, body in FENCE.findall(text) if language in {"sh", ""})
