"""Counts, at a job's end, which of the files that the metadata expects are in S3, and names those that are
not.
"""
