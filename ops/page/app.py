"""The routes: each reads one room of `ops.fleet` and renders it; none writes.

What came from elsewhere is data: Jinja escapes it, a policy that allows nothing inline stands behind that,
and only a loopback name as Host is answered, so that no other site can read the page through a browser.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, abort, make_response, render_template, request

from ops.fleet import dlq, jobs, overview
from ops.fleet.advice import of_missing, of_parking
from ops.fleet.circuits import not_closed
from ops.fleet.diagnosis import circuit_finding, of_job
from ops.fleet.documents import STATES
from ops.fleet.environment import Fleet
from ops.fleet.history import steps_of
from ops.fleet.manifests import first_missing
from ops.fleet.queues import depths, names_of
from ops.fleet.refusals import NotFound, Refusal, declined
from ops.fleet.throughput import series_of
from ops.fleet.wording import age_of, clean, command, first_line, size, why_of
from ops.page.kept import Kept
from ops.page.plots import plot, told

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOSTS = frozenset(("localhost", "127.0.0.1", "[::1]"))
_SHOWN_JOBS = 50
_SHOWN_FAILURES = 10
_SHOWN_LINES = 200
_WINDOWS = {"1": (timedelta(hours=1), 60), "6": (timedelta(hours=6), 300), "24": (timedelta(hours=24), 900)}


class View(NamedTuple):
    """A page: its template, and how to read what it shows from the words of its query."""

    title: str
    template: str
    load: Callable[[Fleet, Mapping[str, str]], Mapping[str, Any]]
    words: tuple[str, ...] = ()


def create(fleet: Fleet, *, patience_s: float = 0.4) -> Flask:
    """The application for one environment. A view is rendered after `patience_s` at the latest."""
    app = Flask(__name__)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {
        "age": age_of, "clean": clean, "first_line": first_line, "size": size, "why": why_of,
        "missing_advice": of_missing, "parked_advice": of_parking, "plot": plot,
    }  # fmt: skip
    app.jinja_env.globals |= {
        "environment": fleet.name,
        "views": VIEWS,
        "states": STATES,
        "told": told,
        "line": command,
    }
    kept = Kept(fresh_s=2.0, stale_s=300.0, patience_s=patience_s)

    def page(path: str, view: View) -> Response:
        words = {name: request.args.get(name, "").strip()[:300] for name in view.words}

        def load() -> Mapping[str, Any]:
            return view.load(fleet, words)

        try:
            found = kept.get((path, *words.values()), load)
        except Refusal as refusal:
            status = 404 if isinstance(refusal, NotFound) else 502
            return _page("refused.html", view, path, status=status, words=words, refusal=str(refusal))
        except (ClientError, BotoCoreError) as error:
            told_error = str(declined(error))
            return _page("refused.html", view, path, status=502, words=words, refusal=told_error)
        if found is None:
            return _page("reading.html", view, path, words=words)
        return _page(view.template, view, path, words=words, **found)

    for route, shown in VIEWS.items():
        app.add_url_rule(route, route, lambda path=route, view=shown: page(path, view))
    app.before_request(_require_loopback)
    app.after_request(_with_headers)
    return app


def _page(template: str, view: View, path: str, *, status: int = 200, **values: Any) -> Response:
    return make_response(render_template(template, title=view.title, here=path, **values), status)


def _require_loopback() -> None:
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    if host not in _HOSTS:
        abort(421)
    if request.method not in ("GET", "HEAD"):
        abort(405)


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response


def _overview(fleet: Fleet, _: Mapping[str, str]) -> Mapping[str, Any]:
    failures = jobs.latest(fleet, states=("failed", "incomplete"), limit=_SHOWN_FAILURES)
    return {"look": overview.look(fleet), "failures": failures.jobs}


def _jobs(fleet: Fleet, words: Mapping[str, str]) -> Mapping[str, Any]:
    state = words["state"]
    found = jobs.latest(
        fleet,
        states=(state,) if state in STATES else STATES,
        find=words["find"],
        error=words["error"],
        limit=_SHOWN_JOBS,
    )
    return {"found": found}


def _job(fleet: Fleet, words: Mapping[str, str]) -> Mapping[str, Any]:
    job, archives = jobs.find_with_archives(fleet, words["id"])
    missing = first_missing(fleet, job, _SHOWN_LINES) if job.missing else []
    archives.sort(key=lambda one: (one.state == "done", one.failing is None, one.file_id))
    return {
        "job": job,
        "archives": archives[:_SHOWN_LINES],
        "more_archives": max(0, len(archives) - _SHOWN_LINES),
        "findings": of_job(job, archives, not_closed(fleet)),
        "steps": steps_of(archives, job)[-_SHOWN_LINES:],
        "missing": missing,
    }


def _dlq(fleet: Fleet, words: Mapping[str, str]) -> Mapping[str, Any]:
    selection = dlq.Selection(names_of(fleet), reason=words["reason"], job=words["job"])
    found = dlq.shown(fleet, selection, bound=500)
    return {"found": dlq.grouped(fleet, found), "messages": found.messages[:50]}


def _throughput(fleet: Fleet, words: Mapping[str, str]) -> Mapping[str, Any]:
    window, period_s = _WINDOWS.get(words["hours"], _WINDOWS["1"])
    return {"series": series_of(fleet, window=window, period_s=period_s), "queues": depths(fleet)}


def _circuits(fleet: Fleet, _: Mapping[str, str]) -> Mapping[str, Any]:
    found = not_closed(fleet)
    return {"circuits": [(one, circuit_finding(one)) for one in found]}


VIEWS: Mapping[str, View] = {
    "/": View("Overview", "overview.html", _overview),
    "/jobs": View("Jobs", "jobs.html", _jobs, ("find", "state", "error")),
    "/job": View("Job", "job.html", _job, ("id",)),
    "/dlq": View("Parked", "dlq.html", _dlq, ("reason", "job")),
    "/throughput": View("Throughput", "throughput.html", _throughput, ("hours",)),
    "/circuits": View("Circuits", "circuits.html", _circuits),
}
