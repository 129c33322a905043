"""The moto server with the types that the templates need: `python -m local.aws`.

Prints one line of JSON, `{"port": ...}`, when it is ready. Standard error is its log, one JSON object a line
for what matters here: `{"left_out": ...}`, `{"denied": ...}` and, once for each key, `{"used": ...}`.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from local.aws import authorisation, dynamodb, sqs_moves, sqs_rules
from local.cloudformation import register

_log_lock = threading.Lock()
_MESSAGE = re.compile(rb"<Message>(.*?)</Message>", re.DOTALL)

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Dispatcher(DomainDispatcherApplication):
    """moto lists its own directory for every request, under a lock; that was a third of each call's time."""

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in _backends:
            _backends[host] = super().get_backend_for_host(host)
        return _backends[host]


_backends: dict[str | None, Any] = {}


def _log(line: dict[str, Any]) -> None:
    with _log_lock:
        print(json.dumps(line), file=sys.stderr, flush=True)


def _explain_denials(application: Application) -> Application:
    """Log each refused request, and put moto's XML refusal into the words of the protocol that asked.

    With IAM in force a refusal is a permission that a role does not have; a client of a JSON protocol would
    show moto's answer as a bare 403.
    """

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer: list[Any] = []

        def started(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answer[:] = [status, headers]
            return None if status.startswith("403") else start_response(status, headers, *rest)

        body = application(environ, started)
        if not answer or not answer[0].startswith("403"):
            return body
        text = b"".join(body)
        _log({"denied": _describe(environ)})
        status, headers = answer
        if environ.get("CONTENT_TYPE", "").startswith("application/x-amz-json"):
            found = _MESSAGE.search(text)
            document = {"__type": "AccessDeniedException", "message": found[1].decode() if found else ""}
            text, status = json.dumps(document).encode(), "400 Bad Request"
            headers = [("Content-Type", environ["CONTENT_TYPE"]), ("Content-Length", str(len(text)))]
        start_response(status, headers)
        return [text]

    return wrapped


def _describe(environ: dict[str, Any]) -> dict[str, str]:
    scope: str = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2]
    key, _, _, service, *_ = [*scope.split(",", maxsplit=1)[0].split("/"), "", "", "", ""]
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    return {
        "access_key": key,
        "service": service,
        "operation": operation or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}",
    }


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    authorisation.install(lambda key, action: _log({"used": {"access_key": key, "action": action}}))
    dynamodb.install()
    sqs_rules.install()
    sqs_moves.install()
    application = _explain_denials(_Dispatcher(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=MotoRequestHandler)
    # moto takes the name in a TemplateURL for a bucket's unless it is localhost.
    register(f"http://localhost:{server.port}", lambda what: _log({"left_out": what}))
    print(json.dumps({"port": server.port}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
