"""The limits that SQS sets, each from the SQS API Reference and the developer guide's "Amazon SQS quotas"."""

MAX_BATCH = 10
"""Messages in one receive, and entries in one send, delete or change of visibility."""
MAX_MESSAGE_BYTES = 1_048_576
"""One message with its attributes, and all messages of a batch together."""
MAX_ATTRIBUTES = 10
"""Message attributes of one message."""
MAX_DELAY_S = 900.0
"""DelaySeconds of one message."""
MAX_WAIT_S = 20.0
"""WaitTimeSeconds of one receive."""
MAX_VISIBILITY_S = 43_200.0
"""From a message's receipt to the end of the last visibility that its receipt can ask for: 12 hours."""
