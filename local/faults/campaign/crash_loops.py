"""Messages that end the process which works on them, every time: killed from outside, as by the kernel."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from local.faults.campaign.fleet import Fleet
from local.faults.campaign.overrides import NAME_VARIABLE
from local.faults.campaign.scenario import CRASH_LOOP, Scenario
from local.faults.judge.parking import names_in

_NAME = re.compile(r"\bapp/([\w-]+)")


class CrashLoops:
    """Told by the proxy of every message that is handed out. `count` says how many processes it has cost.

    max_receives: as often the services begin to work on a message; at the next receive they only park it,
    which costs nobody's life.
    """

    def __init__(self, plan: Scenario, fleet: Fleet, max_receives: int) -> None:
        jobs = {job.job_id for job in plan.jobs if job.crashes}
        files = {
            f"{job.job_id}/{file.file_id}"
            for job in plan.jobs
            for file in job.files
            if file.ending == CRASH_LOOP
        }
        self._deadly = {"export-jobs": jobs, "download-tasks": files}
        self._fleet = fleet
        self._max_receives = max_receives
        self.count: Counter[str] = Counter()

    def is_deadly(self, queue: str, body: str) -> bool:
        """Whether it is about one of these and nothing else."""
        names = names_in(queue, body)
        return len(names) == 1 and names[0] in self._deadly[queue]

    def handed_out(self, user_agent: str, message: Mapping[str, Any]) -> None:
        """Kill whoever gets it."""
        caller = _NAME.search(user_agent)
        queue = next((queue for queue in self._deadly if self.is_deadly(queue, message["Body"])), None)
        if caller is None or queue is None or _receives(message) > self._max_receives:
            return
        if self._fleet.kill(NAME_VARIABLE, caller[1]):
            self.count[f"{queue}.crashed-by-message"] += 1


def _receives(message: Mapping[str, Any]) -> int:
    """Those of a copy that was made while parking it count with it."""
    carried = message.get("MessageAttributes", {}).get("crashes", {}).get("StringValue", "0")
    return int(message["Attributes"]["ApproximateReceiveCount"]) + int(carried)
