"""The needs of an environment that its account must meet to deploy it and run it at its size, and the lacks.

Read-only, and computed from the synthesized templates.
"""

from ops.preflight.checks import preflight
from ops.preflight.model import Check, Verdict
from ops.preflight.report import as_table

__all__ = ["Check", "Verdict", "as_table", "preflight"]
