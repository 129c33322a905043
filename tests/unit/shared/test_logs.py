"""A unit of work has its ids on every line, and no line shows a query string."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.shared import logs


@pytest.fixture
def log_lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("tested", "INFO")
    yield lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    logs._formatter = None


def test_a_unit_of_work_has_its_ids_on_every_line_and_takes_them_off(log_lines: Any) -> None:
    log = logging.getLogger("some.module")
    with logs.unit_of_work(message_id="m"):
        logs.bind(export_job_id="j", task_id=None)
        thread = threading.Thread(target=logs.carry(log.info), args=("from a sub-thread",))
        thread.start()
        thread.join()
        other = threading.Thread(target=lambda: log.info("from elsewhere"))
        other.start()
        other.join()
        try:
            raise ValueError("https://x.example/a?X-Signature=secret is wrong")
        except ValueError:
            log.exception("Failed on %s", "https://x.example/a?X-Signature=secret")
    log.info("after")
    inside, elsewhere, failed, after = log_lines()
    assert (inside["message_id"], inside["export_job_id"], inside["service"]) == ("m", "j", "tested")
    assert "message_id" not in elsewhere
    assert "message_id" not in after
    assert failed["exception_name"] == "ValueError"
    assert "secret" not in json.dumps(failed)
    assert failed["message"] == "Failed on https://x.example/a?…"


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_query_string_survives(before: str, after: str) -> None:
    line = json.dumps({"message": f"{before} https://host/path?token=hidden {after}"})
    assert "token=hidden" not in logs.without_queries(line)
    json.loads(logs.without_queries(line))
