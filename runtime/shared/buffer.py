"""The kinds of memory that bytes lie in on their way through the worker."""

Buffer = bytes | bytearray | memoryview
