"""`export-ops` as it is installed: from any folder, and with completion in three shells."""

import os
import subprocess
from pathlib import Path

import pytest

from ops.cli.app import app
from ops.fleet.environment import ROOT

LAUNCHER = ROOT / "ops" / "cli" / "export-ops"


def run(folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """By a link, as `make setup` makes one, in another folder, beside something else of the same name."""
    (folder / "bin").mkdir(exist_ok=True)
    link = folder / "bin" / "export-ops"
    if not link.exists():
        link.symlink_to(LAUNCHER)
        (folder / "ops.py").write_text("raise SystemExit('the wrong ops')")
    environment = {**os.environ, **variables}
    return subprocess.run(
        [link, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_runs_from_any_folder_and_ends_with_the_documented_code(tmp_path: Path) -> None:
    answer = run(tmp_path, "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("Usage: export-ops ")
    unusable = run(tmp_path, "jobs", "--state", "nonsense")
    assert unusable.returncode == 2
    assert "nonsense" in unusable.stderr


def test_make_setup_installs_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert f"ln -sf ../../{LAUNCHER.relative_to(ROOT)} $(BIN)/export-ops" in makefile
    assert os.access(LAUNCHER, os.X_OK)


@pytest.mark.parametrize(
    ("shell", "asked"),
    [
        ("bash", {"COMP_WORDS": "export-ops dlq list --reason not-a", "COMP_CWORD": "4"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "export-ops dlq list --reason not-a"}),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "export-ops dlq list --reason not-a",
             "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        ),
    ],
)  # fmt: skip
def test_a_shell_completes_commands_and_reasons(tmp_path: Path, shell: str, asked: dict[str, str]) -> None:
    answer = run(tmp_path, **asked, _EXPORT_OPS_COMPLETE=f"complete_{shell}")
    assert answer.returncode == 0, answer.stderr
    assert "not-a-zip" in answer.stdout
    assert "encrypted-archive" not in answer.stdout


def test_the_docs_name_the_way_and_typer_has_it() -> None:
    text = (ROOT / "docs" / "ops" / "README.md").read_text()
    assert "export-ops --install-completion" in text
    assert app._add_completion
