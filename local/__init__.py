"""The embedded platform: the synthesized stacks on a moto server, a sample Export API, and a task runner.

Nothing here is deployed. What runs here is read from what the stacks produced, never repeated.
"""
