"""How many archives a worker takes on: the runtime's own admission, driven by a modelled worker."""

import numpy as np

from ops.capacity.calibration import Calibration
from ops.capacity.read import Service
from ops.capacity.workload import Assumptions, Ids
from runtime.worker.bounds.admission import HeadRoom, WorkerLoad

_POLL_S = 5.0
_SETTLED_S = 1_800.0
_MEMORY_FULL = 0.9


def cpu_s_per_second(assumed: Assumptions, calibration: Calibration) -> float:
    """CPU seconds that one archive takes of a worker in each second that it is fetched."""
    output_gb_s = assumed.archive_mb_s * assumed.inflation / 1_000
    return output_gb_s * calibration.cpu_s_per_output_gb(assumed.small_share) / assumed.fargate_speed


def limits(service: Service, assumed: Assumptions, calibration: Calibration, step_s: float) -> Ids:
    """The most archives at once by a worker's age in steps; the last value is the settled one.

    Driven at saturation: whatever is admitted comes at once, and nothing ends.
    """
    cores, per_s = service.cores, cpu_s_per_second(assumed, calibration)
    now, in_use, cpu_s, fetched = 0.0, 0, 0.0, 0.0

    def measure() -> WorkerLoad:
        return WorkerLoad(
            cpu_s=cpu_s,
            bytes_fetched=int(fetched),
            memory_tight=calibration.process_mb + in_use * calibration.download_mb
            > _MEMORY_FULL * service.container_mib * 1.048576,
            scratch_tight=False,
        )

    head_room = HeadRoom(ceiling=service.slots, cores=cores, measure=measure, clock=lambda: now)
    by_age = []
    while now < _SETTLED_S:
        in_use += head_room(in_use)
        if now % step_s < _POLL_S:
            by_age.append(head_room.limit)
        share = min(1.0, cores / (in_use * per_s)) if in_use else 1.0
        cpu_s += in_use * per_s * share * _POLL_S
        fetched += in_use * assumed.archive_mb_s * 1e6 * share * _POLL_S
        now += _POLL_S
    return np.array([*by_age, head_room.limit], np.int64)
