"""Says what became of an archive and each of its entries, and joins what its parts have said."""
