"""Serve generated exports until told to stop: `python -m local.export_api --size small --seed 1`.

Prints one line of JSON, `{"base_url": ...}`, when it is ready.
"""

import argparse
import json
import os
import signal
import threading

from local.export_api.dialects import DIALECTS
from local.export_api.generated import generate
from local.export_api.server import ExportApiServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.export_api", description=__doc__)
    parser.add_argument("--size", choices=("small", "medium", "large"), default="small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", choices=tuple(DIALECTS), default="default", help="the vendor to play")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--url-lifetime-s", type=float, default=300.0)
    arguments = parser.parse_args()
    # Not an argument: those are for everybody on the machine to read.
    token = os.environ.get("EXPORT_API_TOKEN", "sample-token")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    catalogue = generate(arguments.size, arguments.seed, ids=DIALECTS[arguments.profile].ids).catalogue
    with ExportApiServer(
        catalogue,
        token=token,
        profile=arguments.profile,
        url_lifetime_s=arguments.url_lifetime_s,
        port=arguments.port,
    ) as server:
        print(json.dumps({"base_url": server.base_url}), flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
