"""What an account needs before an environment can be deployed to it and run at its size, and what it lacks.

Read-only, and computed from the synthesized templates.
"""

from ops.preflight.checks import preflight
from ops.preflight.model import Check, Verdict
from ops.preflight.report import as_table

__all__ = ["Check", "Verdict", "as_table", "preflight"]
