"""`python -m ops`: the operator's command line."""

import sys

from ops.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
