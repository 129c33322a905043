"""The pages and schemas under docs/ that are read off the code.

Contracts, settings, metrics, alarms, events, commands: `python -m ops.reference` writes them, and tests keep
them fresh.
"""
