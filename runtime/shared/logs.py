"""JSON lines on stdout, one per event, with the ids of the unit of work on every line.

The ids live in a context variable, so each slot's thread has its own; `carry` takes them into threads a
handler starts. Query strings are cut from every URL before a line is written: signed URLs are credentials.
"""

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

P = ParamSpec("P")
R = TypeVar("R")

_QUERY = re.compile(r"""(https?://[^\s"'<>?\\]+)\?[^\s"'<>\\]*""")
_NOISY = ("botocore", "boto3", "urllib3", "httpx", "httpcore", "s3transfer")

_formatter: LambdaPowertoolsFormatter | None = None


class _Formatter(LambdaPowertoolsFormatter):
    """Powertools' JSON with query strings cut out."""

    def format(self, record: logging.LogRecord) -> str:
        return without_queries(super().format(record))


class _Stdout(logging.StreamHandler[Any]):
    """Looks stdout up at each line, so that it also ends up where a test or a supervisor put it."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


_stdout = _Stdout()


def configure(service: str, level: str) -> None:
    """Send this process's logs to stdout as JSON; call once, before any thread starts."""
    global _formatter  # noqa: PLW0603  logging itself is process-wide
    _formatter = _Formatter(service=service, utc=True, use_rfc3339=True, location="%(name)s:%(lineno)d")
    _stdout.setFormatter(_formatter)
    root = logging.getLogger()
    root.handlers[:] = [_stdout]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = lambda kind, error, trace: logging.getLogger("runtime").critical(
        "The process ends on an unexpected error", exc_info=(kind, error, trace)
    )
    threading.excepthook = lambda args: logging.getLogger("runtime").critical(
        "A thread ended on an unexpected error: %s", args.exc_type.__name__, exc_info=args.exc_value
    )


def bind(**keys: str | int | None) -> None:
    """Put these keys on every further line of this unit of work; None takes one off."""
    if _formatter is None:
        return
    _formatter.thread_safe_remove_keys([key for key, value in keys.items() if value is None])
    _formatter.thread_safe_append_keys(**{key: value for key, value in keys.items() if value is not None})


@contextmanager
def unit_of_work(**keys: str | int | None) -> Iterator[None]:
    """Bind keys for one unit of work and take off, at its end, whatever was bound during it."""
    if _formatter is None:
        yield
        return
    before = dict(_formatter.thread_safe_get_current_keys())
    bind(**keys)
    try:
        yield
    finally:
        _formatter.thread_safe_clear_keys()
        _formatter.thread_safe_append_keys(**before)


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """The function with this thread's log context, to be run on another thread.

    Wrap anew for every thread.
    """
    context = copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return context.run(function, *args, **kwargs)

    return run


def without_queries(text: str) -> str:
    """The text with the query string of every URL in it replaced by `?…`."""
    return _QUERY.sub(r"\1?…", text)


def write_line(line: str) -> None:
    """A line of another format (EMF) on the same stream, never in the middle of a log line."""
    _stdout.acquire()
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    finally:
        _stdout.release()


def flush() -> None:
    """Nothing logged so far is lost when the process ends now."""
    _stdout.flush()
