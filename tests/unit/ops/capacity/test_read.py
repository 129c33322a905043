"""What is read of the real templates is what the environments say, and the calibration what was measured."""

import json
import re
from pathlib import Path

import pytest

from ops.assembly.load import resources_of
from ops.assembly.model import AssemblyError, Stack
from ops.capacity.admission import limits
from ops.capacity.bill import bill
from ops.capacity.calibration import load_calibration
from ops.capacity.model import play
from ops.capacity.prices import load_prices
from ops.capacity.read import deployed
from ops.capacity.scenarios import SCENARIOS
from ops.capacity.workload import Assumptions
from stacks.environments import ENVIRONMENTS, PROD
from tests.unit.ops.capacity.small import environment, service

GOLDEN = Path("tests/golden")


def stacks(of):
    """The golden templates as an assembly's stacks, with the note that the app leaves beside them."""
    found = []
    for file in sorted((GOLDEN / of.name).glob("*.json")):
        template = json.loads(file.read_text())["Template"]
        note = of.load.model_dump() | {"queue_wait_hours": of.alarms.queue_wait_hours}
        found.append(
            Stack(
                environment=of.name,
                name=file.stem,
                stack_name=file.stem,
                artifact=file.stem,
                dependencies=(),
                target=f"aws://{of.account}/{of.region}",
                termination_protection=False,
                resources=resources_of(template),
                template=template,
                notes={"load": note} if file.stem == "worker" else {},
            )
        )
    return found


@pytest.mark.parametrize("of", ENVIRONMENTS, ids=lambda of: of.name)
def test_what_is_deployed_is_what_the_environment_says(of):
    read = deployed(stacks(of))
    for one, values in ((read.worker, of.worker), (read.orchestrator, of.orchestrator)):
        assert (one.least, one.most, one.slots) == (
            values.min_tasks,
            values.max_tasks,
            values.slots,
        )
        assert (one.cores * 1024, one.memory_mib) == (values.cpu, values.task_memory_mib)
        assert one.backlog_target == values.backlog_per_task
        assert one.cpu_target == pytest.approx(values.cpu_target_percent / 100)
        assert one.spot_weight == values.spot_weight
    assert read.nat_gateways == of.network.nat_gateways
    assert read.worker.public_ip == (of.network.egress == "public-ip")
    assert read.worker.arm == (of.architecture == "arm64")
    assert read.load.export_jobs_per_day == of.load.export_jobs_per_day


def test_without_its_load_an_assembly_cannot_be_judged():
    with pytest.raises(AssemblyError, match="no stack says what load it is for"):
        deployed([stack for stack in stacks(PROD) if stack.name != "worker"])


@pytest.mark.parametrize(
    ("tasks", "split"), [(2, (2, 0)), (4, (4, 0)), (5, (5, 0)), (9, (5, 4)), (29, (9, 20)), (100, (24, 76))]
)
def test_tasks_are_split_by_base_and_weight(tasks, split):
    assert service(on_demand_base=4).split(tasks) == split


def test_the_calibration_says_when_and_on_what_it_was_measured_and_is_used():
    measured = json.loads(Path("ops/capacity/calibration.json").read_text())
    read = load_calibration()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", read.date)
    assert (read.machine, "make bench" in measured["source"]) == (measured["machine"], True)
    assert read.cpu_s_per_output_gb(0) == measured["worker"]["many"]["cpu_s_per_gb"]
    assert read.cpu_s_per_output_gb(1) == measured["worker"]["small"]["cpu_s_per_gb"]
    many = measured["worker"]["many"]
    whole = read.process_mb + (many["downloads"] - 1) * read.download_mb
    assert whole == pytest.approx(many["peak_rss_mb"])


def test_a_worker_takes_what_cpu_memory_and_slots_allow():
    calibration, light = load_calibration(), Assumptions(archive_mb_s=0.01)
    full = service(settings={"SLOTS": "512"})
    assert limits(full, light, calibration, 60)[-1] == 512
    assert limits(full, Assumptions(), calibration, 60)[-1] == pytest.approx(2 * 0.9 / 4.02e-3, rel=0.08)
    assert limits(service(container_mib=512, settings={"SLOTS": "512"}), light, calibration, 60)[-1] < 250
    assert limits(full, light, calibration, 60)[0] == 16


def test_every_price_has_its_unit_and_page():
    document = json.loads(Path("ops/capacity/prices/eu-west-1.json").read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", document["date"])
    for price in document["prices"].values():
        assert price["usd"] > 0
        assert price["per"]
        assert price["source"].startswith("https://aws.amazon.com/")
        assert price["checked"] is None or re.match(r"\d{4}-\d\d-\d\d, .*https://", price["checked"])
    unchecked = load_prices("eu-west-1").unchecked
    assert "s3_storage" in unchecked
    assert "public_ipv4" not in unchecked
    with pytest.raises(AssemblyError, match=r"eu-north-1\.json"):
        load_prices("eu-north-1")


def test_nat_is_charged_by_the_gigabyte_and_public_addresses_by_the_hour():
    prices = load_prices("eu-west-1")

    def items(**changes):
        day = play(environment(**changes), SCENARIOS["day"], Assumptions(), load_calibration())
        return {item.name: item.usd for item in bill(day, prices)}

    public = items()
    nat = items(
        nat_gateways=2,
        worker=service(public_ip=False),
        orchestrator=service("orchestrator", settings={"SLOTS": "8"}, public_ip=False),
    )
    # A thousand archives of half a gigabyte, and two gateways for a day.
    assert nat["NAT"] == pytest.approx(1_000 * 0.5 * prices["nat_gb"] + 48 * prices["nat_hour"], rel=0.1)
    assert "public IPv4" in public
    assert "public IPv4" not in nat
    assert "NAT" not in public
