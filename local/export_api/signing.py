"""Download URLs that carry their own permission and expiry, as a vendor's storage front signs them."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode


@dataclass(frozen=True)
class LinkSigner:
    """Signs and checks the path of a download; the signature holds for `lifetime_s` seconds."""

    key: bytes
    lifetime_s: float

    def sign(self, path: str) -> str:
        """The path (unquoted) as a URL reference with its expiry and signature."""
        expires = f"{time.time() + self.lifetime_s:.3f}"
        return f"{quote(path)}?{urlencode({'expires': expires, 'signature': self._mac(path, expires)})}"

    def refusal(self, path: str, query: str) -> str | None:
        """Why this URL is not served, or None when it is."""
        fields = parse_qs(query)
        expires, signature = fields.get("expires", [""])[0], fields.get("signature", [""])[0]
        if not hmac.compare_digest(signature, self._mac(path, expires)):
            return "the signature does not belong to this URL"
        if float(expires) < time.time():
            return "the signed URL has expired; ask for the file record again"
        return None

    def _mac(self, path: str, expires: str) -> str:
        return hmac.new(self.key, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
