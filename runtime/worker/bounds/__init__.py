"""The bounds of one worker process: its byte budget, its head-room, and the scope of cancellation."""
