"""The download URL of an archive, replaced by a fresh one when it has run out."""

import threading
from collections.abc import Callable
from urllib.parse import urljoin


class Locator:
    """Shared by an archive's connections. `fetch_record` asks the API for the file's current URL."""

    def __init__(self, base_url: str, url: str, fetch_record: Callable[[], str]) -> None:
        self._base_url = base_url
        self._fetch_record = fetch_record
        self._lock = threading.Lock()
        self.url = urljoin(base_url, url)

    def renew(self, expired: str) -> str:
        """A URL other threads may already have fetched, else a fresh one from the API.

        Raises what the API client raises (unknown file, API unavailable).
        """
        with self._lock:
            if self.url == expired:
                self.url = urljoin(self._base_url, self._fetch_record())
            return self.url
