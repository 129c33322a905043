"""Who leaves: about as many as are too many, always the same ones, and never all at once."""

import pytest

from runtime.shared.leaving import DRAW_S, Leaving, ServiceView


def view(desired: int, running: int, **changes: object) -> ServiceView:
    values = {
        "desired": desired,
        "running": running,
        "current": True,
        "version_desired": desired,
        "version_running": running,
    }
    return ServiceView(**{**values, **changes})  # type: ignore[arg-type]


def fleet(size: int) -> list[Leaving]:
    return [Leaving(f"task-{number}") for number in range(size)]


@pytest.mark.parametrize(("desired", "running"), [(33, 107), (50, 100), (90, 100), (390, 400)])
def test_about_as_many_leave_as_are_too_many(desired: int, running: int) -> None:
    leaving = [task for task in fleet(running) if task.seen(view(desired, running), 0)]
    surplus = running - desired
    assert abs(len(leaving) - surplus) <= 3 * (surplus * desired / running) ** 0.5 + 1
    assert len(leaving) < running


def test_the_choice_stays_while_the_numbers_stand_and_is_drawn_again_later() -> None:
    tasks = fleet(100)
    first = {task.task for task in tasks if task.seen(view(80, 100), 0)}
    assert first == {task.task for task in tasks if task.seen(view(80, 100), DRAW_S - 1)}
    later = {task.task for task in tasks if task.seen(view(80, 100), DRAW_S + 1)}
    assert first < later, "who was drawn stays so, and others join"


def test_nobody_leaves_a_service_that_wants_them() -> None:
    tasks = fleet(50)
    assert not any(task.seen(view(50, 50), 0) or task.seen(view(60, 50), 0) for task in tasks)
    drawn = [task for task in tasks if task.seen(view(10, 50), 0)]
    assert drawn
    assert not any(task.seen(view(50, 50), 1) for task in drawn)


@pytest.mark.parametrize(
    ("view_", "share"),
    [
        (view(0, 0), 0.0),
        (view(0, 5), 1.0),
        # While old tasks still finish something, the new ones are not the ones too many.
        (view(10, 20, version_desired=10, version_running=10), 0.0),
        (view(10, 20, version_desired=10, version_running=12), 1 / 6),
        (view(10, 20, current=False, version_desired=10, version_running=0), 0.5),
        (view(10, 10, current=False, version_desired=10, version_running=0), 0.0),
        (view(10, 12, current=False, version_desired=10, version_running=4), 0.4),
        (view(10, 20, current=False, version_desired=10, version_running=10), 1.0),
        (view(10, 11, current=False, version_desired=0, version_running=0), 1.0),
    ],
)
def test_an_old_version_leaves_in_step_with_the_new_one(view_: ServiceView, share: float) -> None:
    assert view_.share_to_leave == pytest.approx(share)


def test_a_deployment_that_waits_for_this_task_is_not_kept_waiting() -> None:
    task = Leaving("task")
    assert task.answered("DEPLOYMENT_BLOCKED")
    assert not task.answered(None)
    assert not task.answered("TASK_NOT_VALID")
