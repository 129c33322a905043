"""What one worker process may hold, and how its work ends: one byte budget, and the scope of cancellation."""
