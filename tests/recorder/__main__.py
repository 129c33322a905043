"""Refresh tests/stacks/recorded_actions.json from the last run of all end-to-end tests."""

import shutil

from tests.recorder import LAST_RUN, RECORDED, ROOT

if not LAST_RUN.exists():
    raise SystemExit("nothing is recorded; run pytest tests/e2e first")
shutil.copyfile(LAST_RUN, RECORDED)
print(f"written to {RECORDED.relative_to(ROOT)}")
