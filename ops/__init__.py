"""The tools of those who run and review the system: the gate, the diagram, the operator's commands."""
