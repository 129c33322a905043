"""What is counted at the end: objects, entry lines, the ledger, the queues; the demo asks it too."""
