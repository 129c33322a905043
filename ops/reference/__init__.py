"""The pages and schemas under docs/ that are read off the code: contracts, settings, metrics, alarms, events,
commands. `python -m ops.reference` writes them; tests keep them fresh.
"""
