"""The server: on a loopback port, one thread for each request, until it is stopped."""

import logging
import threading

from werkzeug.serving import BaseWSGIServer, make_server

from ops.fleet.environment import Fleet
from ops.page.app import create

HOST = "127.0.0.1"


class PageServer:
    """A context manager; `url` is what to open. Port 0 takes a free one. Raises OSError when it is taken."""

    def __init__(self, fleet: Fleet, port: int = 0) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server: BaseWSGIServer = make_server(HOST, port, create(fleet), threaded=True)
        self.url = f"http://{HOST}:{self._server.port}/"

    def __enter__(self) -> "PageServer":
        threading.Thread(target=self._server.serve_forever, name="page", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
