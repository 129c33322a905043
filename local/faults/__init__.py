"""The fault campaign: real services on the local platform, everything around them breaking, and a checker.

`campaign` decides everything from one seed, and does to processes and exports what machines and vendors do to
them; `proxy` stands between the services and AWS; `judge` shares no code with the runtime and counts what was
lost or done twice, here and for the demo. `make faults` runs it; `python -m local.faults --help` lists what
it takes.
"""
