"""The golden templates: what each environment's stacks synthesize to, kept under tests/golden and reviewed.

`python -m ops.golden` (`make golden`) writes them; a test compares. Left out is what says nothing about the
infrastructure: asset hashes, construct-path and asset metadata, and the toolkit's own boilerplate.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from ops.assembly.load import load_assembly, without_asset_hashes
from ops.assembly.model import AssemblyError, Stack
from ops.assembly.synth import synthesize

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
_TOOLKIT_METADATA = ("aws:cdk:", "aws:asset:")


def golden_files(assembly: Path) -> dict[str, str]:
    """ "environment/stack.json" → its golden text, for every stack of the assembly."""
    return {
        f"{environment}/{name}.json": _text(stack)
        for (environment, name), stack in sorted(load_assembly(assembly).items())
    }


def write_golden(assembly: Path, directory: Path = GOLDEN) -> None:
    """Replace the golden templates by those of the assembly."""
    for old in [path for path in directory.iterdir() if path.is_dir()]:
        shutil.rmtree(old)
    for name, text in golden_files(assembly).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _text(stack: Stack) -> str:
    template = without_asset_hashes(stack.template)
    kept = {name: body for name in template if (body := _section(name, template[name]))}
    document = {
        "StackName": stack.stack_name,
        "Environment": stack.target,
        "TerminationProtection": stack.termination_protection,
        "Template": kept,
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _section(name: str, body: Any) -> Any:
    if name == "Parameters":
        return {key: value for key, value in body.items() if key != "BootstrapVersion"}
    if name == "Rules":
        return {key: value for key, value in body.items() if key != "CheckBootstrapVersion"}
    if name == "Resources":
        return {key: _resource(value) for key, value in body.items() if value["Type"] != "AWS::CDK::Metadata"}
    return body


def _resource(body: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        key: value for key, value in body.get("Metadata", {}).items() if not key.startswith(_TOOLKIT_METADATA)
    }
    kept = {key: value for key, value in body.items() if key != "Metadata"}
    return kept | ({"Metadata": metadata} if metadata else {})


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
        try:
            synthesize(ROOT, Path(scratch))
        except AssemblyError as error:
            print(error, file=sys.stderr)
            return 2
        write_golden(Path(scratch))
    return 0


if __name__ == "__main__":
    sys.exit(main())
