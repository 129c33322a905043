"""An HTTP server of threads whose clients may go away whenever they like: here they are killed on purpose."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any


class PatientHttpServer(ThreadingHTTPServer):
    """Ends without waiting for its connections, and prints only what is a fault of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)
