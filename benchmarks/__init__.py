"""The worker's data path beside four peers and the machine's limit; see README.md."""
