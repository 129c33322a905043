"""The documentation builds into a site, and every link and anchor in it leads somewhere."""

import os
import re
import subprocess
import sys

from tests.docs.pages import ROOT


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3_000:]
    loaded = re.compile(r"<(?:script|img|iframe)[^>]*\ssrc=[\"']?(https?:)?//|<link[^>]*stylesheet[^>]*//")
    outside = [page.name for page in tmp_path.rglob("*.html") if loaded.search(page.read_text())]
    assert outside == []
