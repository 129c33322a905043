"""What the orchestrator costs: `make bench-orchestrator`. See ../README.md."""
