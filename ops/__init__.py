"""What the people who run and review the system use: the gate, the diagram, the operator's commands."""
