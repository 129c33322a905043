"""A sample Export API: a real HTTP server that follows the default profile of the contract.

`catalogue` says which exports exist, `generated` makes such a catalogue from a seed, `server` serves it and
`faults` makes it misbehave on purpose. Archives are laid out, not stored: any byte range of a ZIP of any size
is computed when it is asked for.
"""
