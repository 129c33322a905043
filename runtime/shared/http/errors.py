"""How a connection fails. It is trouble on the way, and says nothing about what was being transferred."""


class TransferError(ConnectionError):
    """The connection could not be opened, broke, or ended too early."""


class TransferTimeout(TransferError):
    """Nothing moved for the connection's time-out."""


class FramingError(TransferError):
    """Bytes that are not HTTP/1.1: where the answer begins or ends cannot be told."""
