"""What runs on the shared upload threads belongs to the unit of work that gave it to them."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runtime.shared import logs
from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope
from runtime.worker.bounds.budget import ByteBudget
from runtime.worker.bounds.window import Window
from runtime.worker.transfer.multipart import Uploader


def test_a_line_of_an_upload_thread_carries_the_ids_of_its_work(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("worker", "INFO")
    try:
        with ThreadPoolExecutor(1) as pool:
            for task in ("one", "two"):
                with logs.unit_of_work(task_id=task, export_job_id="job"):
                    _log_on(pool)
    finally:
        root.handlers[:], root.level = before
    lines: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["task_id"], line["export_job_id"]) for line in lines] == [("one", "job"), ("two", "job")]


def _log_on(pool: ThreadPoolExecutor) -> None:
    scope = Scope(Cancellation())
    window = Window(10, ByteBudget(10), scope)
    uploader = Uploader(None, pool, window, scope)  # type: ignore[arg-type]  # nothing is stored here
    uploader.submit(lambda: logging.getLogger("upload").info("on another thread"), 1)
    window.drain()
