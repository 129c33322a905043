"""The services that run in the containers: the orchestrator and the worker, one image for both."""
