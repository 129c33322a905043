"""How a download can fail, told apart by what follows from it."""


class DownloadFailed(Exception):
    """Transient: the server or the way to it is in trouble; a later attempt may succeed.

    `of_host` is false for trouble with this archive alone, which says nothing about the host's others.
    """

    def __init__(self, text: str, retry_after_s: float | None = None, *, of_host: bool = True) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.of_host = of_host


class ArchiveChanged(Exception):
    """The archive is not the one that was opened: its ETag or length is another. Start it over."""


class SplitOutdated(ArchiveChanged):
    """Parts were made of an archive that is no longer the one on the server."""


class NotTheArchive(Exception):
    """An answer that is no ZIP, or not all of one: an error page, an empty or a cut body; it may come right.

    `reason` is what the task is parked with after `within_s` seconds of nothing else.
    """

    def __init__(self, text: str, *, reason: str, within_s: float) -> None:
        super().__init__(text)
        self.reason = reason
        self.within_s = within_s


class BytesDiffer(Exception):
    """The same bytes of the archive, fetched anew, are others: one of the answers was damaged on the way."""


class NoRanges(Exception):
    """The server does not serve ranges, or not truthfully: the archive must be spooled."""


class NoScratchSpace(Exception):
    """The archive does not fit on the scratch disk now."""
