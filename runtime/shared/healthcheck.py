"""The container's health check: `python -m runtime.shared.healthcheck` exits 0 when /livez says so, else 1.

It runs every few seconds beside the service, so it imports nothing but the standard library.
"""

import http.client
import os
import sys


def main() -> int:
    port = int(os.environ.get("HEALTH_PORT") or 8080)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        body = f"/livez on port {port} does not answer: {error}"
    else:
        if answer.status == http.client.OK:
            return 0
    print(body)  # noqa: T201  ECS shows it beside the failed check
    return 1


if __name__ == "__main__":
    sys.exit(main())
