"""Signed calls to AWS services without botocore, for what is called on every message, entry or part."""
