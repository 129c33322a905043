"""The judge of what is there at the end: objects, entry lines, ledger, queues; the demo asks it too."""
