"""The hosts that downloads come from: the circuit of each, and what has come from it.

An archive's opening and what follows are one call: opening it says that the host is well, and a download that
fails for good, then or later, that it is not.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Timer
from typing import NamedTuple
from urllib.parse import urlsplit

from runtime.shared.circuits import Circuits
from runtime.shared.consumer import Cancellation, Cancelled
from runtime.shared.export_api.auth import SECRET
from runtime.shared.http.errors import TransferError
from runtime.shared.scope import scope_of
from runtime.worker.bounds.traffic import Counted, Traffic
from runtime.worker.fetch.errors import DownloadFailed
from runtime.worker.fetch.transport import Transport

KIND = "download"
_MOST_HOSTS = 100
_THE_OTHERS = "other"


class HostTotals(NamedTuple):
    """The bytes from a host since the process began, and how often it failed."""

    bytes: int
    failures: int


@dataclass(slots=True)
class _Host:
    traffic: Traffic = field(default_factory=Traffic)
    failures: int = 0


class DownloadHosts:
    """Thread-safe; without circuits nothing is guarded.

    A probe asks for the first byte of what was last downloaded from the host.
    """

    def __init__(self, circuits: Circuits | None, transport: Transport) -> None:
        self._circuits = circuits
        self._transport = transport
        self._last: dict[str, str] = {}
        self._lock = Lock()
        self._hosts: dict[str, _Host] = {}
        if circuits is not None:
            deadline_s = circuits.config.probe_deadline_s
            circuits.add(KIND, counts=_counts, probe=lambda dependency: self._probe(dependency, deadline_s))

    @contextmanager
    def call(self, url: str, download: Counted) -> Iterator[Callable[[], None]]:
        """Guard the download of one archive, and count it; call what it gives once the archive is open.

        Raises CircuitOpen.
        """
        name = (urlsplit(url).hostname or "").lower()
        host = self._host(name)
        with self._guarded(f"{KIND}:{name}", url) as host_is_well, host.traffic.of(download):
            try:
                yield host_is_well
            except DownloadFailed as error:
                if error.of_host:
                    with self._lock:
                        host.failures += 1
                raise

    def totals(self) -> Mapping[str, HostTotals]:
        """By host; beyond the first hundred they are counted together."""
        with self._lock:
            hosts = dict(self._hosts)
        return {name: HostTotals(host.traffic.total, host.failures) for name, host in hosts.items()}

    def _host(self, name: str) -> _Host:
        with self._lock:
            known = name in self._hosts or len(self._hosts) < _MOST_HOSTS
            return self._hosts.setdefault(name if known else _THE_OTHERS, _Host())

    @contextmanager
    def _guarded(self, dependency: str, url: str) -> Iterator[Callable[[], None]]:
        if self._circuits is None:
            yield lambda: None
            return
        if dependency in self._last or len(self._last) < _MOST_HOSTS:
            self._last[dependency] = url
        with self._circuits.call(dependency) as succeeded:
            yield succeeded

    def need(self, away: frozenset[str], *, with_credentials: Callable[[str], bool]) -> bool:
        """Whether nothing of what this process has downloaded from could be reached without `away`.

        `with_credentials` tells the URLs that are asked for with the API's secret.
        """
        used = dict(self._last)
        if not used:
            # Nothing has been downloaded yet: the fleet's word is all there is.
            return any(name.startswith(f"{KIND}:") for name in away)
        return all(host in away or (SECRET in away and with_credentials(url)) for host, url in used.items())

    def _probe(self, dependency: str, deadline_s: float) -> None:
        """Raises DownloadFailed unless the host answers, and below 500; 429 is no sign of health either."""
        # Without anything downloaded from there its root has to do: what is wrong with the archives alone
        # opens the circuit again.
        url = self._last.get(dependency) or f"https://{dependency.partition(':')[2]}/"
        cancellation = Cancellation()
        timer = Timer(deadline_s, cancellation.set, ("time-cap",))
        timer.daemon = True
        timer.start()
        try:
            with (
                scope_of(cancellation) as scope,
                self._transport.get(url, {"Range": "bytes=0-0"}, scope, anew=True) as response,
            ):
                status = response.head.status
        except (TransferError, Cancelled) as error:
            raise DownloadFailed(f"the probe failed: {error}") from error
        finally:
            timer.cancel()
        if status >= 500 or status in {408, 429}:
            raise DownloadFailed(f"the probe was answered with {status}")


def _counts(error: BaseException) -> bool:
    return isinstance(error, DownloadFailed) and error.of_host
