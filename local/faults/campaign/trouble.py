"""Makes the plan's troubles happen: to a task, to its machine, or to what everybody talks to."""

import secrets
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from local.export_api.server import ExportApiServer
from local.faults.campaign.fault_schedule import FaultSchedule
from local.faults.campaign.fleet import Fleet
from local.faults.campaign.scenario import Trouble, TroubleKind
from local.faults.campaign.scratch import ScratchDisk
from local.faults.proxy.random_source import RandomSource
from local.platform import Platform

_STORM_FACTOR = 12.0
_SMALL_MEMORY = {"MEMORY_BUDGET_BYTES": str(24 << 20)}


@dataclass(kw_only=True)
class Troublemaker:
    """`begin` returns how to end the trouble, or None when nothing is left to be ended.

    A trouble whose target is not there (no task runs, no disk could be mounted) is not counted.
    """

    fleet: Fleet
    platform: Platform
    api: ExportApiServer
    schedule: FaultSchedule
    random_source: RandomSource
    disk: ScratchDisk | None
    count: Counter[str] = field(default_factory=Counter)

    def begin(self, trouble: Trouble) -> Callable[[], object] | None:
        match trouble.kind:
            case TroubleKind.FILL_DISK:
                if self.disk is None:
                    return None
                self._happened(trouble)
                self.disk.fill()
                return self.disk.empty
            case TroubleKind.BREAK_AGENT:
                self._happened(trouble)
                return self._break_agent(refuses=trouble.pick % 2 == 0)
            case TroubleKind.ROTATE_TOKEN:
                self._happened(trouble)
                self.platform.set_api_token(self._new_token())
                return None
            case TroubleKind.API_DOWN:
                self._happened(trouble)
                self.schedule.down()
                return self.schedule.up
            case TroubleKind.ONE_DOWN:
                self._happened(trouble)
                dependency, _, how = trouble.of.partition("/")
                if dependency == "secret":
                    return self._lose_secret(how)
                self.schedule.down(dependency, hangs=how == "hangs")
                return lambda: self.schedule.up(dependency)
            case TroubleKind.STORM:
                self._happened(trouble)
                self.random_source.load(trouble.of, _STORM_FACTOR)
                return lambda: self.random_source.load(trouble.of, 1.0)
        return self._befall_task(trouble)

    def _befall_task(self, trouble: Trouble) -> Callable[[], object] | None:
        task = self.fleet.pick(trouble.service, trouble.pick)
        if task is None:
            return None
        end: Callable[[], object] | None = None
        match trouble.kind:
            case TroubleKind.KILL:
                task.kill()
            case TroubleKind.TERMINATE:
                task.kill(signal.SIGTERM)
            case TroubleKind.TERMINATE_TWICE:
                task.kill(signal.SIGTERM)
                end = lambda: task.kill(signal.SIGTERM)  # noqa: E731
            case TroubleKind.FREEZE:
                task.kill(signal.SIGSTOP)
                end = lambda: task.kill(signal.SIGCONT)  # noqa: E731
            case TroubleKind.SQUEEZE_MEMORY:
                if not self.fleet.squeeze(task):
                    return None
                end = lambda: self.fleet.release(task)  # noqa: E731
            case TroubleKind.SHRINK_MEMORY:
                self.fleet.next_overrides = dict(_SMALL_MEMORY)
                task.kill()
        self._happened(trouble)
        return end

    def _new_token(self) -> str:
        """From now on the API takes this one alone."""
        token = secrets.token_urlsafe(12)
        self.api.tokens = {token}
        return token

    def _lose_secret(self, how: str) -> Callable[[], object]:
        """The token is rotated, so that everybody needs the secret, and it cannot be read or is empty."""
        token = self._new_token()
        if how == "empty":
            self.platform.set_api_token("")
            # Whatever it was rotated to meanwhile.
            return lambda: self.platform.set_api_token(next(iter(self.api.tokens)))
        self.platform.set_api_token(token)
        self.random_source.down("secretsmanager", "timeout-before" if how == "hangs" else "server-error")
        return lambda: self.random_source.up("secretsmanager")

    def _break_agent(self, *, refuses: bool) -> Callable[[], None]:
        agent = self.platform.endpoints.agent
        if refuses:
            agent.refusal = "DEPLOYMENT_BLOCKED"
        else:
            agent.broken = True

        def mend() -> None:
            agent.refusal, agent.broken = None, False

        return mend

    def _happened(self, trouble: Trouble) -> None:
        whom = f"{trouble.service}." if _is_on_a_task(trouble.kind) else ""
        what = f".{trouble.of}" if trouble.kind is TroubleKind.ONE_DOWN else ""
        self.count[f"{whom}{trouble.kind}{what}"] += 1


def _is_on_a_task(kind: TroubleKind) -> bool:
    return kind in (
        TroubleKind.KILL,
        TroubleKind.TERMINATE,
        TroubleKind.TERMINATE_TWICE,
        TroubleKind.FREEZE,
        TroubleKind.SQUEEZE_MEMORY,
        TroubleKind.SHRINK_MEMORY,
    )
