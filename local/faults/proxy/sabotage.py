"""Faults that no service could survive, to see that the checker finds them.

Each breaks a promise of AWS that the runtime stands on, so what follows looks to the checker as if the
runtime had a bug: the runtime itself holds no such code.
"""

from enum import StrEnum

from local.faults.proxy.exchange import Request


class Sabotage(StrEnum):
    """The part that is broken for good."""

    DELETE_BEFORE_UPLOAD = "delete-before-upload"  # a task's message is deleted as it is handed out
    NO_FENCE = "no-fence"  # conditional writes always succeed, and every task comes back after its end
    WRONG_BYTES = "wrong-bytes"  # objects change after S3 has checked them
    MISPLACED_OBJECT = "misplaced-object"  # every upload lands under another key than the one it names
    EXTRA_OBJECT = "extra-object"  # every upload writes a second object beside the first

    @property
    def drains(self) -> bool:
        """Whether the queues become empty all the same: it is not they that are broken."""
        return self not in (Sabotage.DELETE_BEFORE_UPLOAD, Sabotage.NO_FENCE)


def without_condition(request: Request) -> Request:
    """The same write with a condition that is always true (OR binds last) and uses every placeholder."""
    document = request.json()
    writes = [document]
    for item in document.get("TransactItems", []):
        writes.extend(item.values())
    for write in writes:
        condition = write.get("ConditionExpression")
        if condition:
            write["ConditionExpression"] = f"attribute_not_exists(#never_there) OR {condition}"
            write.setdefault("ExpressionAttributeNames", {})["#never_there"] = "never-there"
    return request.with_json(document)


def with_wrong_byte(request: Request) -> Request:
    """The same upload with its middle byte changed; its digests are those of the right bytes."""
    return request.with_body(flipped(request.body, len(request.body) // 2))


def flipped(body: bytes, at: int) -> bytes:
    """The same bytes but one."""
    if not body:
        return body
    return body[:at] + bytes([body[at] ^ 0x01]) + body[at + 1 :]


def beside(request: Request) -> Request:
    """The same upload under another key."""
    path, question, query = request.target.partition("?")
    second = request.with_body(request.body)
    second.target = f"{path}.copy{question}{query}"
    return second
