"""Deployment: what the workflows' steps call, the same at a terminal. docs/deployment.md tells the order."""
