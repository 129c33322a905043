"""The infrastructure gate: what would a change do to the accounts, and may it go in unasked?

It compares the synthesized templates of two revisions and blocks what loses data or opens a door, unless
a waiver says that this is meant. docs/gate.md tells a reader of its report what to do.
"""
