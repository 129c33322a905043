"""`python -m ops.reference cdk.out`: write all of it, for a synthesized assembly."""

import sys
from pathlib import Path

from ops.reference import alarms, commands, events, metrics, schemas, settings
from ops.reference.pages import FOLDER


def files(assembly: Path) -> dict[Path, str]:
    """The generated files that this package is answerable for."""
    return {
        **schemas.files(),
        FOLDER / "settings.md": settings.render(),
        FOLDER / "metrics.md": metrics.render(),
        FOLDER / "alarms.md": alarms.render(assembly),
        FOLDER / "events.md": events.render(),
        FOLDER / "commands.md": commands.render(),
    }


if __name__ == "__main__":
    for path, text in files(Path(sys.argv[1])).items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
