"""The rules of the source that no linter checks."""
