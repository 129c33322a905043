"""Turns export jobs into download tasks: one message in, one task per file out."""
