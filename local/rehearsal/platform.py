"""The local platform, deployed by the CDK's command line, with containers as tasks."""

import json
from collections.abc import Callable
from pathlib import Path

from local.assembly import Environment
from local.aws.deployment import Deployment, describe
from local.platform import Platform
from local.rehearsal.cloud_tools import CloudTools
from local.rehearsal.container_task import ContainerTask
from local.rehearsal.engine_client import Engine
from local.rehearsal.steps import Rehearsal, StepFailed
from local.tasks import Task
from ops.assembly.load import in_order, load_assembly


class RehearsalPlatform(Platform):
    """As `Platform`; its deployment is the first half of the rehearsal."""

    def __init__(self, engine: Engine, rehearsal: Rehearsal, say: Callable[[str], None]) -> None:
        super().__init__("rehearsal", progress=say)
        self.engine = engine
        self.rehearsal = rehearsal
        self.assembly = self.directory / "cdk.out"
        self.tools: CloudTools

    def _deploy(self, assembly: Environment) -> Deployment:
        self.tools = self.tools_of_the_operator()
        step, tools = self.rehearsal.step, self.tools
        with step("cdk synth"):
            tools.synth("app", self.assembly)
        with step("cdk bootstrap"):
            account = f"aws://{assembly.account}/{assembly.region}"
            tools.cdk("bootstrap", account, "--app", str(self.assembly))
        with step("plan, of an account without the stacks"):
            tools.workflow("plan", self.assembly)
        with step("cdk deploy, with the image's build and push"):
            tools.deploy(self.assembly)
        with step("cdk deploy again: no changes"):
            said = tools.deploy(self.assembly)
            if said.count("(no changes)") < len(assembly.stacks):
                raise StepFailed(f"a second deployment of the same assembly changed something:\n{said}")
        with step("cdk diff: nothing"):
            tools.diff(self.assembly)
        with step("drift: none"):
            tools.workflow("drift", self.assembly)
        deployed = in_order(load_assembly(self.assembly), "dev")
        return describe(Environment(assembly.account, assembly.region, deployed), self.client)

    def tools_of_the_operator(self) -> CloudTools:
        """The command lines with the operator's credentials of the moment."""
        environment = {**self.engine.environment, **self.account.admin_environment}
        # Its own files and the machine's must not help.
        environment |= {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        return CloudTools(environment, self.directory / "tools.log")

    @property
    def traces(self) -> None:
        """A container of the image has no file that lasts."""

    def _start(self, task: Task) -> Task:
        return self.container(task).start()

    def container(self, task: Task, memory_mib: int | None = None) -> ContainerTask:
        """The task as a container that is not started yet."""
        return ContainerTask(
            name=task.name,
            task_id=task.task_id,
            definition=task.definition,
            environment=task.environment,
            working_directory=task.working_directory,
            log=task.log,
            engine=self.engine,
            memory_mib=memory_mib,
        )

    @property
    def containers(self) -> list[ContainerTask]:
        return [task for task in self.tasks if isinstance(task, ContainerTask)]

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        for task in self.containers:
            task.remove()


def resources_that_differ(one: Path, other: Path) -> set[str]:
    """`stack/logical id` of every resource of dev that two assemblies describe differently."""
    before, after = (
        {stack.artifact: stack.template["Resources"] for stack in in_order(load_assembly(path), "dev")}
        for path in (one, other)
    )
    return {
        f"{stack}/{key}"
        for stack in before
        for key in {*before[stack], *after[stack]}
        if json.dumps(before[stack].get(key), sort_keys=True)
        != json.dumps(after[stack].get(key), sort_keys=True)
    }
