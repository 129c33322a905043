"""Which hosts a download may come from, decided on the very address that is connected to.

A download URL comes from outside, and the task's own credentials are served on a link-local address: a URL, a
redirect or a name that resolves differently the second time must not lead there. So a name is resolved once,
its addresses are judged, and the connection is made to a judged address.
"""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOW_32_BITS = 0xFFFFFFFF


class ForbiddenDownload(Exception):
    """This URL may not be downloaded from; trying again will not help."""


@dataclass(frozen=True)
class HostGuard:
    """`allowed_hosts` are names, or "*.example.com" for any name below example.com; lower case."""

    allowed_hosts: tuple[str, ...]
    allow_http: bool = False
    allow_private: bool = False

    def check_url(self, url: str) -> SplitResult:
        """The URL's parts, when its scheme and host are allowed. Raises ForbiddenDownload."""
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise ForbiddenDownload(f"the download URL cannot be read: {error}") from error
        if parts.scheme != "https" and not (parts.scheme == "http" and self.allow_http):
            raise ForbiddenDownload(
                f"a download over {parts.scheme or 'no scheme'} is not allowed, only https"
            )
        if not host or not host.isascii():
            raise ForbiddenDownload("the download URL names no host, or one not in its ASCII form")
        if parts.username is not None or parts.password is not None:
            raise ForbiddenDownload("the download URL holds a user name or password")
        if not any(_matches(host, allowed) for allowed in self.allowed_hosts):
            raise ForbiddenDownload(
                f"host {host} is not among the allowed download hosts ({', '.join(self.allowed_hosts)}); "
                "DOWNLOAD_ALLOWED_HOSTS names them"
            )
        return parts

    def addresses(self, host: str, port: int) -> list[IPAddress]:
        """The host's addresses that may be connected to. Raises ForbiddenDownload, OSError (no such name)."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        every = list(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found))
        allowed = [address for address in every if self.allows(address)]
        if not allowed:
            raise ForbiddenDownload(
                f"host {host} resolves to {', '.join(map(str, every))}: not a public address"
            )
        return allowed

    def allows(self, address: IPAddress) -> bool:
        """Whether this address may be connected to."""
        address = _embedded(address)
        # Link-local is never allowed: credentials and instance metadata are served there.
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        return self.allow_private or address.is_global


def _embedded(address: IPAddress) -> IPAddress:
    """The IPv4 address inside an IPv6 one that leads to it (mapped, NAT64, 6to4), else the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _LOW_32_BITS)
    return address.ipv4_mapped or address.sixtofour or address


def _matches(host: str, allowed: str) -> bool:
    host = host.lower()
    if allowed.startswith("*."):
        return host.endswith(allowed[1:])
    return host == allowed
