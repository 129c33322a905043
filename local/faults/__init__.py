"""The fault campaign: real services on the local platform, everything around them breaking, and a checker.

`plan` decides everything from one seed; `proxy` stands between the services and AWS; `trouble` does to
processes what machines do to them; `checker` shares no code with the runtime and counts what was lost or
done twice. `make faults` runs it; `python -m local.faults --help` lists what it takes.
"""
