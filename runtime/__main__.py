"""`python -m runtime` starts the service that SERVICE_MODE names.

The task definitions name the module instead.
"""

import importlib
import os
import sys

from runtime.shared.settings import EXIT_CONFIGURATION

SERVICES = ("orchestrator", "worker")


def main() -> None:
    mode = os.environ.get("SERVICE_MODE", "")
    if mode not in SERVICES:
        print(f"SERVICE_MODE must be one of {', '.join(SERVICES)}", file=sys.stderr)  # noqa: T201  no logging yet
        sys.exit(EXIT_CONFIGURATION)
    importlib.import_module(f"runtime.{mode}.__main__").main()


if __name__ == "__main__":
    main()
