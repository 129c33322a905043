"""What is dangerous about a change, one module for each kind of thing that can go wrong."""
