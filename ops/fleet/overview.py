"""One look at the whole: are we keeping up, and what is failing?"""

from datetime import UTC, datetime, timedelta

from ops.fleet.circuits import DOWNLOAD, not_closed
from ops.fleet.diagnosis import of_fleet
from ops.fleet.documents import Overview
from ops.fleet.environment import Fleet
from ops.fleet.jobs import count_by_state, failing
from ops.fleet.queues import depths
from ops.fleet.throughput import hosts_of, rates_of, recent

RECENT = timedelta(days=1)


def look(fleet: Fleet, *, since: datetime | None = None) -> Overview:
    """States are of the jobs that changed since then (default: the last 24 hours)."""
    now = datetime.now(UTC)
    states = count_by_state(fleet, since=(since or now - RECENT).timestamp())
    queues, circuits = depths(fleet, ages=True), not_closed(fleet)
    series, troubles = recent(fleet), failing(fleet)
    held = {circuit.dependency: circuit.state for circuit in circuits}
    return Overview(
        environment=fleet.name,
        at=now,
        states=states,
        queues=queues,
        circuits=circuits,
        rates=rates_of(series),
        hosts=[
            host.model_copy(update={"state": held.get(f"{DOWNLOAD}:{host.host}", "closed")})
            for host in hosts_of(series)
        ],
        failing=troubles,
        findings=of_fleet(states, queues, circuits, troubles),
    )
