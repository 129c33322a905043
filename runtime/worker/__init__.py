"""Turns download tasks into verified S3 objects: open, plan, fetch, verify, upload."""
