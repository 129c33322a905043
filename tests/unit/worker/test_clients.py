"""The worker's clients, and that tooling hears of what they do without botocore."""

import boto3

from runtime.shared.consumer.cancellation import Cancellation
from runtime.shared.scope import Scope
from runtime.worker.clients import Clients


def test_the_event_system_hears_of_each_operation_once(session: boto3.Session) -> None:
    session.client("s3").create_bucket(
        Bucket="announced", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    clients = Clients.create("announced", session)
    heard: list[str] = []
    clients.s3.meta.events.register("before-call.s3.*", lambda event_name, **_: heard.append(event_name))
    store, scope = clients.objects, Scope(Cancellation())
    for _ in range(2):
        assert store.finish_head(store.start_head("missing", scope), scope) is None
    assert heard == ["before-call.s3.HeadObject"]
