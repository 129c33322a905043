"""A worker that is not wanted takes nothing new, and lets go of all that is cheap to hand over."""

import json
from types import SimpleNamespace
from typing import Any

from local.ecs_agent import EcsAgent
from runtime.shared.leaving import Leaving, ServiceView
from runtime.shared.protection import TaskProtection
from runtime.worker.retirement import Retirement


def wanted(desired: int) -> ServiceView:
    return ServiceView(desired=desired, running=1, current=True, version_desired=desired, version_running=1)


def test_only_what_is_costly_stays_and_nothing_comes() -> None:
    protection = TaskProtection(None, minutes=60)
    costly, cheap = SimpleNamespace(cancellation=object()), SimpleNamespace(cancellation=object())
    gone: list[Any] = []
    retirement = Retirement(
        leaving=Leaving("task"),
        protection=protection,
        head_room=lambda in_use: 10 - in_use,
        let_go=lambda which: gone.extend(d for d in (costly, cheap) if which(d)),  # type: ignore[arg-type]
    )
    with protection.hold(costly.cancellation):
        assert retirement(2) == 8
        retirement.seen(wanted(0), 0)
        assert gone == [cheap]
        assert retirement(1) == 0
        retirement.seen(wanted(1), 0)
        assert retirement(1) == 9
    assert not protection.held


def test_a_blocked_deployment_is_learnt_from_the_agent() -> None:
    agent = EcsAgent(refusal="DEPLOYMENT_BLOCKED")

    def call(body: Any) -> Any:
        return agent.answer("t", "arn", "PUT", json.dumps(body).encode())[1]

    protection = TaskProtection(call, minutes=60)
    retirement = Retirement(leaving=Leaving("task"), protection=protection, head_room=lambda _in_use: 5)
    protection.on_answer = retirement.answered
    first, second = object(), object()
    with protection.hold(first):
        protection.call_if_due()
        assert retirement(0) == 0
        with protection.hold(second):
            assert protection.holds(second)
        assert protection.held
        assert not protection.due()
    protection.call_if_due()
    assert [call.enabled for call in agent.calls] == [True, False]
