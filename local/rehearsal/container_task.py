"""A task as a container of the deployed image, under the limits that Fargate would hold it to.

CPU, memory (without swap), root file system, user, capabilities, init process, stop timeout and health check
are read from the registered task definition; nothing of this machine but its network is inside.
"""

import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import processes
from local.rehearsal.engine_client import Engine
from local.tasks import Task

# Of this machine, or of a share of it: in a container the task definition's own count.
_NOT_INSIDE = frozenset(
    {"PATH", "HOME", "TMPDIR", "SLOTS", "MEMORY_BUDGET_BYTES", "SCRATCH_BUDGET_BYTES", "SCRATCH_DIR"}
)
_KILLED = 128 + signal.SIGKILL


@dataclass(kw_only=True)
class ContainerTask(Task):
    """Ended and asked like any task. `memory_mib` is for a trial with less than the definition gives."""

    engine: Engine
    memory_mib: int | None = None

    def start(self) -> "ContainerTask":
        with self.log.open("ab") as log:
            self.process = processes.spawn(
                self.engine.command("run", *self.arguments()),
                env=self.engine.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        threading.Thread(target=self._watch, name=f"watch-{self.name}", daemon=True).start()
        threading.Thread(target=self._check_health, name=f"health-{self.name}", daemon=True).start()
        return self

    def arguments(self) -> list[str]:
        """Of `docker run`, out of the task definition."""
        container = self.definition.container
        memory = f"{self.memory_mib or container['memory']}m"
        linux = container.get("linuxParameters", {})
        options = [
            "--name", self.container_name, "--network", "host",
            "--cpus", str(self.definition.cpu_units / 1024), "--memory", memory, "--memory-swap", memory,
            "--stop-timeout", str(int(self.definition.stop_timeout_s)),
            "--security-opt", "no-new-privileges", "--user", container["user"],
        ]  # fmt: skip
        if container.get("readonlyRootFilesystem"):
            options.append("--read-only")
        if linux.get("initProcessEnabled"):
            options.append("--init")
        for capability in linux.get("capabilities", {}).get("drop", ()):
            options += ["--cap-drop", capability]
        for mount in container.get("mountPoints", ()):
            options += ["--volume", mount["containerPath"]]
        for name, value in self._inside().items():
            options += ["--env", f"{name}={value}"]
        return [*options, container["image"], *container["command"]]

    def _inside(self) -> Mapping[str, str]:
        inside = {name: value for name, value in self.environment.items() if name not in _NOT_INSIDE}
        kept = {name: value for name, value in self.definition.environment.items() if name in _NOT_INSIDE}
        return inside | kept

    @property
    def container_name(self) -> str:
        return f"rehearsal-{self.name}-{self.task_id[:8]}"

    @property
    def exit_code(self) -> int | None:
        """Like a process's: a container that was killed ends with 137."""
        code = self.process.poll()
        return -signal.SIGKILL if code == _KILLED else code

    @property
    def killed_for_memory(self) -> bool:
        """Whether the kernel ended it at its memory limit."""
        return self.engine.inspect(self.container_name, "{{.State.OOMKilled}}") == "true"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.running:
            self.engine.run("kill", "--signal", number.name, self.container_name, check=False)

    def wait_for_end(self, timeout_s: float | None = None) -> int:
        code = super().wait_for_end(timeout_s)
        return -signal.SIGKILL if code == _KILLED else code

    def remove(self) -> None:
        """Take the ended container and its volumes away."""
        self.engine.run("rm", "--force", "--volumes", self.container_name, check=False)

    def _process_id(self) -> int | None:
        pid = self.engine.inspect(self.container_name, "{{.State.Pid}}")
        if not pid or pid == "0":
            return None
        try:
            children = (self.engine.processes / pid / "task" / pid / "children").read_text().split()
        except OSError:
            return None
        # With an init process the service is its child, once it has been started.
        if self.definition.container.get("linuxParameters", {}).get("initProcessEnabled"):
            return int(children[0]) if children else None
        return int(pid)

    def _watch(self) -> None:
        pid = None
        while self.running:
            pid = pid or self._process_id()
            if pid is not None:
                self.peak_rss_mb = max(self.peak_rss_mb, _peak_mb(self.engine.processes / str(pid)))
            self._ended.wait(0.2)
        self.process.wait()
        self._ended.set()

    def _passes(self, command: list[str], timeout_s: float) -> bool:
        try:
            asked = self.engine.run("exec", self.container_name, *command, check=False, timeout_s=timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return asked.returncode == 0


def _peak_mb(process: Path) -> float:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
