"""`python -m ops.gate`."""

import sys

from ops.gate.cli import main

sys.exit(main())
