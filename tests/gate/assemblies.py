"""Small synthesized assemblies to hold the gate against, and its answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.gate.cli import main

Resources = dict[str, Any]


def write_assembly(
    directory: Path,
    stacks: dict[str, Resources],
    outputs: dict[str, dict[str, Any]] | None = None,
    **stack_properties: Any,
) -> Path:
    """A cloud assembly of stacks named "environment/stack", as `cdk synth` lays it out."""
    top: dict[str, Any] = {}
    for path, resources in stacks.items():
        environment, _, name = path.partition("/")
        folder = directory / f"assembly-{environment}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.template.json").write_text(
            json.dumps({"Resources": resources, "Outputs": (outputs or {}).get(path, {})})
        )
        manifest = folder / "manifest.json"
        artifacts = json.loads(manifest.read_text())["artifacts"] if manifest.exists() else {}
        artifacts[f"{environment}{name}"] = {
            "type": "aws:cloudformation:stack",
            "environment": stack_properties.get("target", "aws://111122223333/eu-west-1"),
            "displayName": path,
            "properties": {
                "templateFile": f"{name}.template.json",
                "stackName": stack_properties.get("stack_name", f"{environment}-{name}"),
                "terminationProtection": stack_properties.get("protected", True),
            },
        }
        manifest.write_text(json.dumps({"artifacts": artifacts}))
        top[f"assembly-{environment}"] = {
            "type": "cdk:cloud-assembly",
            "properties": {"directoryName": folder.name, "displayName": environment},
        }
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "manifest.json").write_text(json.dumps({"artifacts": top}))
    return directory


@dataclass
class Answer:
    """What one run of the gate said."""

    code: int
    text: str
    errors: str
    markdown: str

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """(kind, resource) of each finding in the text report."""
        found = set()
        for line in self.text.splitlines():
            kind, _, rest = line.strip().partition(": [")
            if rest:
                found.add((kind, rest.partition("] ")[2].partition(" (")[0].partition("/")[2]))
        return found


@dataclass
class Gate:
    """Runs the gate's command line over pairs of assemblies."""

    directory: Path
    capture: pytest.CaptureFixture[str]

    def compare(
        self,
        before: dict[str, Resources],
        after: dict[str, Resources],
        *,
        waivers: str = "",
        outputs: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
        properties_before: dict[str, Any] | None = None,
        properties_after: dict[str, Any] | None = None,
    ) -> Answer:
        base = write_assembly(self.directory / "before", before, outputs[0], **(properties_before or {}))
        head = write_assembly(self.directory / "after", after, outputs[1], **(properties_after or {}))
        waiver_file = self.directory / "gate-waivers.toml"
        waiver_file.write_text(waivers)
        return self.run("--assemblies", str(base), str(head), "--waivers", str(waiver_file))

    def change(self, before: Resources, after: Resources, **kwargs: Any) -> Answer:
        """Compare two versions of the one stack prod/main."""
        return self.compare({"prod/main": before}, {"prod/main": after}, **kwargs)

    def base(self, repository: Path, ref: str) -> Answer:
        """Compare a git reference of the repository with its working tree."""
        return self.run("--base", ref, "--repository", str(repository))

    def run(self, *arguments: str) -> Answer:
        markdown = self.directory / "gate.md"
        self.capture.readouterr()
        code = main([*arguments, "--markdown", str(markdown)])
        said = self.capture.readouterr()
        return Answer(code, said.out, said.err, markdown.read_text() if markdown.exists() else "")
