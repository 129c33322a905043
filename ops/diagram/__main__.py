"""`python -m ops.diagram`: synthesize, and write docs/diagram-<environment>.svg for every environment."""

import sys
import tempfile
from pathlib import Path

from ops.assembly.load import Assembly, load_assembly
from ops.assembly.model import AssemblyError
from ops.assembly.synth import synthesize
from ops.diagram.draw import Drawing
from ops.diagram.system import read_system
from ops.diagram.templates import Templates

ROOT = Path(__file__).resolve().parents[2]


def diagrams(assembly: Assembly) -> dict[str, str]:
    """File name → SVG text for every environment of the assembly."""
    return {
        f"diagram-{environment}.svg": Drawing(
            read_system(assembly, environment), Templates(assembly, environment)
        ).render()
        for environment in sorted({key[0] for key in assembly})
    }


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="diagram-") as scratch:
        try:
            synthesize(ROOT, Path(scratch))
        except AssemblyError as error:
            print(error, file=sys.stderr)
            return 2
        for name, text in diagrams(load_assembly(Path(scratch))).items():
            (ROOT / "docs" / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
