"""Getting an archive's bytes: from guarded hosts, by ranges where the server can, else over scratch disk."""
