"""Moves what the plan wants: inflate, verify, upload, several entries at a time."""
