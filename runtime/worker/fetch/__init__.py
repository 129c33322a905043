"""Gets an archive's bytes, by ranges or spooled; every answer is proved to be of the opened archive."""
