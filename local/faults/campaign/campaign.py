"""One campaign: seed, start, break everything for a while, let it drain, stop, look, judge."""

import heapq
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from local.export_api.server import ExportApiServer
from local.faults.campaign import scratch
from local.faults.campaign.clients import callers_keys, operator_clients
from local.faults.campaign.crash_loops import CrashLoops
from local.faults.campaign.fault_schedule import FaultSchedule
from local.faults.campaign.fleet import Fleet
from local.faults.campaign.healing import Healing
from local.faults.campaign.overrides import MAX_RECEIVE_COUNT, MIB, campaign_overrides
from local.faults.campaign.redrive import redrive
from local.faults.campaign.scenario import Scenario, Send, Trouble
from local.faults.campaign.scratch import ScratchDisk
from local.faults.campaign.seeding import seed_campaign
from local.faults.campaign.summary import Result
from local.faults.campaign.trouble import Troublemaker
from local.faults.judge import observe
from local.faults.judge.checker import check
from local.faults.judge.observe import Places
from local.faults.proxy.journal import Journal
from local.faults.proxy.proxy import FaultProxy
from local.faults.proxy.random_source import RandomSource
from local.faults.proxy.sabotage import Sabotage
from local.platform import Platform

_DISK_BYTES = 48 * MIB
# Twelve hours in AWS; the services hand over before, a whole visibility timeout early.
_RECEIPT_CAP_S = 16
_TASKS = {"orchestrator": 2, "worker": 2}
_TICK_S = 0.1
_STOP_S = 15.0
# Beyond the plan's time, before what is still on the queues counts as lost: a busy machine is no fault.
_PATIENCE_S = 180.0
_START_URL_LIFETIME_S = 20.0


def run(
    plan: Scenario, *, disk_refusal: str | None, sabotage: Sabotage | None = None,
    name: str = "faults", say: Callable[[str], None] = print,
) -> Result:  # fmt: skip
    """Run the plan and judge it. `disk_refusal`: why no disk can be mounted (`scratch.enter_namespace`)."""
    with ExitStack() as stack:
        platform = stack.enter_context(Platform(name, progress=say))
        return _Campaign(plan, platform, stack, disk_refusal=disk_refusal, sabotage=sabotage, say=say).run()


class _Campaign:
    def __init__(
        self, plan: Scenario, platform: Platform, stack: ExitStack, *, disk_refusal: str | None,
        sabotage: Sabotage | None, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._plan, self._platform, self._say = plan, platform, say
        self._directory: Path = platform.directory
        self._directory.joinpath("plan.json").write_text(plan.to_json())
        self._seeded = seed_campaign(plan)
        self._random = RandomSource(seed=plan.seed, rates=plan.aws_rates)
        nodes = {f"{job.job_id}/{file.file_id}": file.nodes for job in plan.jobs for file in job.files}
        self._schedule = FaultSchedule(plan.seed, plan.api_rates, nodes)
        self._numbers = itertools.count(1)
        self._fleet = Fleet(platform, _TASKS, self._overrides)
        self._crash_loops = CrashLoops(plan, self._fleet, MAX_RECEIVE_COUNT)
        self._journal = self._directory / "journal.jsonl"
        self._proxy = stack.enter_context(
            FaultProxy(
                platform.account.endpoint_url,
                self._random,
                Journal(self._journal),
                keys=callers_keys(platform),
                cap_s=_RECEIPT_CAP_S,
                broken=sabotage,
                tasks_queue=platform.output("DownloadTasksQueueUrl").rpartition("/")[2],
                handed_out=self._crash_loops.handed_out,
            )
        )
        self._api = stack.enter_context(
            ExportApiServer(
                self._seeded.catalogue, token="first-token", plan=self._schedule,
                url_lifetime_s=_START_URL_LIFETIME_S,
            )
        )  # fmt: skip
        self._skipped = [f"disk-full: {disk_refusal}"] if disk_refusal else []
        self._disk: ScratchDisk | None = None
        if not disk_refusal:
            self._disk = scratch.mount_disk(self._directory / "disk", _DISK_BYTES)
        self._troublemaker = Troublemaker(
            fleet=self._fleet,
            platform=platform,
            api=self._api,
            schedule=self._schedule,
            random_source=self._random,
            disk=self._disk,
        )
        self._places = Places(
            bucket=platform.output("BucketName"),
            ledger=platform.output("LedgerTableName"),
            queues={n: platform.output(f"{o}QueueUrl") for n, o in _QUEUES.items()},
            dlqs={n: platform.output(f"{o}DlqUrl") for n, o in _QUEUES.items()},
        )
        self._operator = operator_clients(platform, self._proxy.url)
        self._healing = Healing(
            self._seeded.mended, self._seeded.catalogue, self._ledger_item, self._send_job
        )
        self._redriven = 0
        self._patience_s = 0.0 if sabotage and not sabotage.drains else _PATIENCE_S

    def run(self) -> Result:
        plan = self._plan
        observe.record_ledger(self._platform.client, self._places.ledger)
        self._platform.put_metadata(self._seeded.metadata)
        self._platform.extra_environment["AWS_ENDPOINT_URL"] = self._proxy.url
        self._platform.use_export_api(self._api.base_url, "first-token")
        self._say("starting the services")
        self._fleet.start()
        began = time.monotonic()
        self._break_everything(began)
        self._calm()
        drained = self._drain(deadline=began + plan.seconds + self._patience_s)
        stops = self._fleet.stop(_STOP_S)
        seconds = time.monotonic() - began
        self._say("looking at what is there")
        looker = operator_clients(self._platform, self._platform.account.endpoint_url)
        seen = observe.observe(
            looker,
            self._places,
            events=observe.journalled(self._journal),
            writes=observe.object_writes(self._journal),
            first_written=observe.first_written(self._journal),
        ).to_plain()
        expected = self._seeded.expectations.to_plain()
        for name, document in (("expected", expected), ("observed", seen)):
            self._directory.joinpath(f"{name}.json").write_text(json.dumps(document, indent=1))
        judgement = check(expected, seen)
        faults: Counter[str] = (
            self._random.count
            + self._schedule.count
            + self._troublemaker.count
            + self._crash_loops.count
            + self._healing.count
        )
        return Result(
            ok=judgement.ok,
            seed=plan.seed,
            plan=plan.fingerprint,
            seconds=round(seconds, 1),
            faults=dict(sorted(faults.items())),
            judgement=judgement,
            drained=drained,
            redriven=self._redriven,
            tasks_ended=dict(sorted(self._fleet.ended.items())),
            skipped=self._skipped,
            stops=stops,
            denied=[f"{what} ({n} times)" for what, n in Counter(self._platform.denials()).items()],
        )

    def _overrides(self, service: str) -> dict[str, str]:
        name = f"{service}-{next(self._numbers)}"
        return campaign_overrides(service, name, self._disk.path if self._disk else None)

    def _break_everything(self, began: float) -> None:
        """Sends and troubles at their times; troubles end at theirs."""
        order = itertools.count()
        events: list[Send | Trouble] = [*self._plan.sends, *self._plan.troubles]
        agenda: list[tuple[float, int, Send | Trouble | Callable[[], object]]] = [
            (event.at_s, next(order), event) for event in events
        ]
        heapq.heapify(agenda)
        while (now := time.monotonic() - began) < self._plan.faults_s:
            while agenda and agenda[0][0] <= now:
                _, _, event = heapq.heappop(agenda)
                if isinstance(event, Send):
                    self._send(event)
                elif isinstance(event, Trouble):
                    self._say(_line(now, event))
                    end = self._troublemaker.begin(event)
                    if end:
                        heapq.heappush(agenda, (now + event.for_s, next(order), end))
                else:
                    event()
            self._fleet.supervise()
            self._healing.look()
            time.sleep(_TICK_S)
        # What was to be sent is sent, and what is broken is mended, whatever the clock says.
        for _, _, event in sorted(agenda):
            if isinstance(event, Send):
                self._send(event)
            elif not isinstance(event, Trouble):
                event()

    def _send(self, send: Send) -> None:
        attributes = {
            f"producer-{number}": {"DataType": "String", "StringValue": "theirs"}
            for number in range(send.attributes)
        }
        self._operator("sqs").send_message(
            QueueUrl=self._places.queues["export-jobs"], MessageBody=send.body, MessageAttributes=attributes
        )

    def _send_job(self, job_id: str) -> None:
        self._send(Send(at_s=0.0, body=json.dumps({"export_job_ids": [job_id]}), jobs=(job_id,)))

    def _ledger_item(self, partition: str, key: str) -> Mapping[str, Any]:
        return observe.ledger_item(self._operator("dynamodb"), self._places.ledger, partition, key)

    def _calm(self) -> None:
        self._say("the faults are over; draining")
        self._random.calm()
        self._schedule.calm()
        self._fleet.thaw()

    def _drain(self, deadline: float) -> bool:
        """Until the queues are empty; parked messages worth another try get it, as from an operator."""
        quiet = 0
        while time.monotonic() < deadline:
            self._fleet.supervise()
            depths = [observe.depth(self._operator("sqs"), url) for url in self._places.queues.values()]
            if self._healing.look() or any(any(depth) for depth in depths):
                quiet = 0
            else:
                redriven = sum(
                    redrive(
                        self._operator("sqs"),
                        self._places.dlqs[name],
                        self._places.queues[name],
                        ledger=self._ledger_item,
                        deadly=partial(self._crash_loops.is_deadly, name),
                    )
                    for name in _QUEUES
                )
                self._redriven += redriven
                quiet = 0 if redriven else quiet + 1
                if quiet >= 8:
                    return True
            time.sleep(_TICK_S * 2)
        return False


_QUEUES = {"export-jobs": "ExportJobs", "download-tasks": "DownloadTasks"}


def _line(now: float, trouble: Trouble) -> str:
    whom = trouble.of or trouble.service
    length = f" for {trouble.for_s:g} s" if trouble.for_s else ""
    return f"{now:6.1f} s  {trouble.kind:16} {whom}{length}"
