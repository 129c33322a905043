"""The runbook's step when the trouble is over: give parked messages another try.

Only those that a crash in every attempt has parked, or that SQS itself has moved; a message that was parked
because it can never succeed stays, and so does one that the operator knows to be deadly.
"""

from collections.abc import Callable
from typing import Any

from local.faults.judge.parking import LedgerItem, reason_of

_WORTH_ANOTHER_TRY = ("", "crash-loop")


def redrive(
    sqs: Any, dlq_url: str, queue_url: str, *, ledger: LedgerItem, deadly: Callable[[str], bool]
) -> int:
    """Move what deserves it back to its queue, with its attributes; returns how many."""
    kept: list[str] = []
    moved = 0
    while batch := sqs.receive_message(
        QueueUrl=dlq_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=60,
        WaitTimeSeconds=0,
        MessageAttributeNames=["All"],
        AttributeNames=["All"],
    ).get("Messages", ()):
        for message in batch:
            attributes = message.get("MessageAttributes", {})
            texts = {name: value.get("StringValue") for name, value in attributes.items()}
            reason = reason_of(message["Body"], texts, ledger)
            if reason not in _WORTH_ANOTHER_TRY or deadly(message["Body"]):
                kept.append(message["ReceiptHandle"])
                continue
            group = message.get("Attributes", {}).get("MessageGroupId")
            sqs.send_message(
                QueueUrl=queue_url,
                MessageBody=message["Body"],
                MessageAttributes=attributes,
                **({"MessageGroupId": group} if group else {}),
            )
            sqs.delete_message(QueueUrl=dlq_url, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    for handle in kept:
        sqs.change_message_visibility(QueueUrl=dlq_url, ReceiptHandle=handle, VisibilityTimeout=0)
    return moved
