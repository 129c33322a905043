"""Counts, at a job's end, which of the expected files are in S3, and names the others."""
