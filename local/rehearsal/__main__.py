"""`make rehearse`: image, deployment, containers, change and destruction, with the real tools on one machine.

Writes `.local/rehearsal/summary.json` and says what it could not prove. Exit code 0 when every step is as it
must be, or when this machine has no container engine, which is said in one line; 1 when a step has failed,
and, with `--engine-required`, when there is no engine.
"""

import argparse
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console

from local import processes
from local.assembly import LOCAL, ROOT
from local.demo import DemoFailed, export_api, perform
from local.export_api.generated import generate
from local.platform import SERVICES
from local.rehearsal.engine_client import Engine, NoEngine, started_engine
from local.rehearsal.platform import RehearsalPlatform, resources_that_differ
from local.rehearsal.scaling import follow_the_queue
from local.rehearsal.steps import NOT_PROVEN, Rehearsal, StepFailed
from local.tasks import Task

_SEED = 1
# Too little for the interpreter with its clients, enough for it to start.
_TOO_LITTLE_MIB = 40


def rehearse(engine: Engine, rehearsal: Rehearsal, console: Console) -> None:
    """Every step in order. Raises StepFailed, or what a step met."""
    platform = RehearsalPlatform(engine, rehearsal, lambda line: console.print(f"[dim]{line}[/]"))
    with platform, export_api(platform, "small", _SEED):
        image = next(iter(platform.definitions.values())).container["image"]
        rehearsal.image_mb = round(int(engine.inspect(image, "{{.Size}}")) / 1e6, 1)
        _start_up(platform, rehearsal)
        with rehearsal.step("the demo's jobs in containers, one worker killed, every byte checked"):
            result = perform(platform, generate("small", _SEED), "small", console)
            rehearsal.peak_rss_mb = result.peak_rss_mb
            if not result.summary()["ok"]:
                raise StepFailed("\n".join([*result.problems, *result.judgement.findings][:10]))
        with rehearsal.step("SIGTERM: every container ended with 0"):
            codes = {task.name: task.exit_code for task in platform.tasks}
            late = {name: code for name, code in codes.items() if code not in (0, -signal.SIGKILL)}
            if late:
                raise StepFailed(f"exit codes {late}")
        with rehearsal.step("scaling: out with the queue, back in after it, no work killed"):
            seen = follow_the_queue(platform)
            console.print(f"[dim]up to {seen.most} workers, {seen.at_the_end} at the end[/]")
        _out_of_memory(platform, rehearsal)
        _drift(platform, rehearsal)
        _change(platform, rehearsal)


def _start_up(platform: RehearsalPlatform, rehearsal: Rehearsal) -> None:
    with rehearsal.step("both services poll their queues"):
        for service in SERVICES:
            began = time.monotonic()
            platform.run_task(service)
            rehearsal.start_to_first_poll_s = round(
                max(rehearsal.start_to_first_poll_s, time.monotonic() - began), 2
            )
    # While they live through their first health checks.
    with rehearsal.step("a second build of the image has the same layers"):
        _build_again(platform)
    with rehearsal.step("both services healthy in their containers"):
        for task in platform.tasks:
            limit = task.definition.container["healthCheck"]["interval"] * 3
            processes.wait_for(partial(_healthy, task), f"{task.name} healthy", limit)
        # Out of the way of what follows; how they end at SIGTERM is a step of its own.
        for task in platform.tasks:
            task.kill()
            task.wait_for_end()


def _build_again(platform: RehearsalPlatform) -> None:
    """From nothing. The image's digest holds its time of making as well, which older engines do not fix."""
    engine, folder = platform.engine, str(ROOT / "runtime")
    built = engine.run("build", "--no-cache", "--quiet", folder, timeout_s=300).stdout.strip()
    deployed = next(iter(platform.definitions.values())).container["image"]
    one, other = (engine.inspect(image, "{{json .RootFS.Layers}}") for image in (deployed, built))
    if not one or one != other:
        raise StepFailed(f"two builds of one commit differ: layers {one} and {other}")


def _healthy(task: Task) -> bool:
    return task.health == "HEALTHY"


def _out_of_memory(platform: RehearsalPlatform, rehearsal: Rehearsal) -> None:
    with rehearsal.step(f"a worker with {_TOO_LITTLE_MIB} MiB is ended by the kernel, not left hanging"):
        trial = platform.container(platform.tasks[-1], memory_mib=_TOO_LITTLE_MIB)
        trial.task_id = "0ut0fmem" * 4
        trial.start()
        code = trial.wait_for_end(60)
        killed = trial.killed_for_memory
        trial.remove()
        if code != -signal.SIGKILL or not killed:
            raise StepFailed(f"it ended with {code}, and the engine says OOMKilled={killed}")


def _drift(platform: RehearsalPlatform, rehearsal: Rehearsal) -> None:
    platform.tools = platform.tools_of_the_operator()
    with rehearsal.step("drift: a queue altered by hand is found"):
        sqs, url = platform.client("sqs"), platform.output("DownloadTasksQueueUrl")
        as_deployed = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "31"})
        said = platform.tools.workflow("drift", platform.assembly, expect=1)
        sqs.set_queue_attributes(QueueUrl=url, Attributes=as_deployed["Attributes"])
        if "VisibilityTimeout" not in said:
            raise StepFailed(f"drift does not name the attribute:\n{said}")


def _change(platform: RehearsalPlatform, rehearsal: Rehearsal) -> None:
    tools, changed = platform.tools, platform.directory / "cdk.changed"
    with rehearsal.step("synth of a change to every stack"):
        tools.synth("local.rehearsal.changed_app", changed)
        expected = resources_that_differ(platform.assembly, changed)
    with rehearsal.step("cdk diff: that change and no other"):
        shown = _changes_in(tools.diff(changed, expect=1))
        if len(shown) != len(expected):
            raise StepFailed(f"the diff shows {sorted(shown)}; the assemblies differ in {sorted(expected)}")
    with rehearsal.step("cdk deploy of the change, an update of every stack"):
        tools.deploy(changed)
    with rehearsal.step("cdk diff and drift after it: nothing"):
        tools.diff(changed)
        tools.workflow("drift", changed)
    with rehearsal.step("cdk destroy"):
        tools.cdk("destroy", "dev/*", "--app", str(changed), "--force")
        left = [
            stack["StackName"]
            for stack in platform.client("cloudformation").describe_stacks()["Stacks"]
            if stack["StackName"] != "CDKToolkit"
        ]
        if left:
            raise StepFailed(f"still there: {left}")


def _changes_in(diff: str) -> list[str]:
    """The resources that a diff shows: added, altered or gone."""
    return re.findall(r"^\[[-+~]\] (AWS::\S+ \S+)", diff, re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.rehearsal",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine-required", action="store_true")
    required = parser.parse_args().engine_required
    # All that was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    rehearsal = Rehearsal(say=lambda line: console.print(line, markup=False))
    failure = None
    with ExitStack() as stack:
        try:
            with rehearsal.step("a container engine, a registry and the image's base"):
                engine = stack.enter_context(started_engine(LOCAL / "engine.log"))
        except NoEngine as error:
            console.print(f"not rehearsed: {error}", markup=False)
            return 1 if required else 0
        try:
            rehearse(engine, rehearsal, console)
        except (StepFailed, DemoFailed, RuntimeError, TimeoutError, subprocess.SubprocessError) as error:
            rehearsal.ok, failure = False, str(error)
    path = LOCAL / "rehearsal" / "summary.json"
    rehearsal.write(path)
    if failure:
        console.print(failure, style="red", markup=False)
    console.print(json.dumps({"image_mb": rehearsal.image_mb, "peak_rss_mb": rehearsal.peak_rss_mb}))
    for line in NOT_PROVEN:
        console.print(f"not proven: {line}", markup=False)
    console.print(f"written to {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 0 if rehearsal.ok else 1


if __name__ == "__main__":
    sys.exit(main())
