"""The invariants between resources: judged on the synthesized templates, at every synth.

One module per invariant, each with a `check` that takes a `Deployment` and yields a `Finding` for each
breach: a sentence that says what is wrong, where, and what to do. `plugin` runs them all at synth.
"""
