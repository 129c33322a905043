"""Python runs this first in a process that has this directory on PYTHONPATH: it writes down every AWS call.

One line for each kind of call, `service:Operation`, in $RECORDED_CALLS/<task>.txt. A transaction is written
down with the kinds of its items, because those are what a permission is needed for.
"""

import os
import sys
import threading
from pathlib import Path


def _install(path: Path) -> None:
    import json

    import botocore.handlers

    seen: set[str] = set()
    lock = threading.Lock()

    def record(model, params, **_):
        names = [model.name]
        if model.name.startswith("Transact"):
            items = json.loads(params["body"])["TransactItems"]
            names = sorted({f"{model.name}/{kind}" for item in items for kind in item})
        for name in names:
            line = f"{model.service_model.endpoint_prefix}:{name}\n"
            with lock:
                if line not in seen:
                    seen.add(line)
                    with path.open("a") as file:
                        file.write(line)

    # Every botocore session registers these when it is made.
    botocore.handlers.BUILTIN_HANDLERS.append(("before-call", record))


# The health check is a process of its own every few seconds and calls nothing.
if "RECORDED_CALLS" in os.environ and not any("healthcheck" in word for word in sys.orig_argv):
    _install(Path(os.environ["RECORDED_CALLS"]) / f"{os.environ['LOCAL_TASK_NAME']}.txt")
