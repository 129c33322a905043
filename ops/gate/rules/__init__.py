"""The dangers of a change, one module for each kind of thing that can go wrong."""
