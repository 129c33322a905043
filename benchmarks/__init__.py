"""The worker's data path beside three peers and the machine's limit; see README.md."""
