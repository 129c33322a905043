"""`make local`: the same platform as the demo's, left running to be looked at, until Ctrl-C."""

import argparse
import signal
import threading

from rich.console import Console

from local.demo import export_api
from local.export_api.generated import generate
from local.platform import Platform
from local.queue_metrics import queue_metrics
from ops.fleet.environment import find
from ops.page.serve import PageServer


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.explore", description=__doc__)
    parser.add_argument("--size", choices=("small", "medium", "large"), default="small")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with (
            Platform("local", progress=console.print) as platform,
            export_api(platform, arguments.size, arguments.seed) as api_url,
        ):
            exports = generate(arguments.size, arguments.seed)
            platform.put_metadata(entry.metadata for entry in exports.entries if entry.metadata is not None)
            for service in ("orchestrator", "worker"):
                platform.run_task(service)
            fleet = find("local")
            with queue_metrics(fleet), PageServer(fleet) as page:
                guide = _guide(platform, api_url, page.url, list(exports.catalogue.exports))
                console.print(guide, markup=False)
                stop.wait()
            console.print("stopping the tasks")
            platform.stop_tasks()
    except (RuntimeError, TimeoutError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    return 0


def _guide(platform: Platform, api_url: str, page_url: str, job_ids: list[str]) -> str:
    exports = "\n".join(
        f"  export {name}={value}" for name, value in platform.account.admin_environment.items()
    )
    aws = f"aws --endpoint-url {platform.account.endpoint_url}"
    outputs = "\n".join(f"  {name:24} {value}" for name, value in sorted(platform.outputs.items()))
    body = f'{{"export_job_ids": ["{job_ids[0]}"]}}'
    left_out = "\n".join(f"  {line}" for line in platform.left_out)
    return f"""
Page        {page_url}
AWS         {platform.account.endpoint_url}
Export API  {api_url}  (jobs {job_ids[0]} to {job_ids[-1]})
logs        {platform.directory / "logs"}

What the stacks made:
{outputs}

Not here:
{left_out}

In another shell:
  .venv/bin/python -m ops submit {job_ids[0]}
  .venv/bin/python -m ops status {job_ids[0]}
  .venv/bin/python -m ops --help

Or by AWS's own tools:
{exports}
  {aws} sqs send-message --queue-url {platform.output("ExportJobsQueueUrl")} --message-body '{body}'
  {aws} s3 ls --recursive s3://{platform.output("BucketName")}/manifests/
  {aws} dynamodb get-item --table-name {platform.output("LedgerTableName")} \\
      --key '{{"export_job_id": {{"S": "{job_ids[0]}"}}, "item": {{"S": "JOB"}}}}'

Ctrl-C ends everything.
"""


if __name__ == "__main__":
    raise SystemExit(main())
