"""The diagrams in docs/ are drawn from the templates as they are now."""

from pathlib import Path

import pytest

from ops.assembly.load import load_assembly
from ops.diagram.__main__ import diagrams
from ops.diagram.system import read_system

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def loaded(assembly):
    return load_assembly(assembly)


def test_the_diagrams_are_fresh(loaded):
    drawn = diagrams(loaded)
    kept = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("diagram-*.svg")}
    stale = [name for name in drawn.keys() | kept.keys() if drawn.get(name) != kept.get(name)]
    assert not stale, f"{', '.join(sorted(stale))}: not what the templates give; run make diagram"


def test_the_data_flow_is_what_the_task_roles_allow(loaded):
    system = read_system(loaded, "dev")
    titles = {node.id: node.title for node in system.nodes.values()}
    flows = {(titles[flow.service], flow.label, titles[flow.node]) for flow in system.flows}
    assert flows >= {
        ("orchestrator", "receives, hands over", "export-jobs"),
        ("orchestrator", "sends", "download-tasks"),
        ("orchestrator", "parks", "export-jobs-dlq"),
        ("worker", "receives, hands over", "download-tasks"),
        ("worker", "parks", "download-tasks-dlq"),
        ("worker", "reads", "metadata table"),
        ("worker", "reads, writes", "bucket"),
    }
    assert not [flow for flow in flows if flow[0] == "orchestrator" and flow[2] == "bucket"]
