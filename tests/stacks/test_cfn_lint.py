"""The templates satisfy cfn-lint, warnings included."""

import subprocess
import sys
from pathlib import Path


def test_cfn_lint_has_nothing_to_say(assembly):
    outcome = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *assembly.glob("assembly-*/*.template.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (outcome.returncode, outcome.stdout) == (0, "")
