"""Judges every directory entry before a payload byte moves."""
