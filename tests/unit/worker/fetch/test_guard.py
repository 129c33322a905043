"""Where downloads may come from."""

import ipaddress

import pytest

from runtime.worker.fetch.guard import ForbiddenDownload, HostGuard

GUARD = HostGuard(("api.example.com", "*.cdn.example.com"))
LOCAL = HostGuard(("127.0.0.1", "localhost"), allow_http=True, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/a",
        "https://API.example.com:8443/a?b=c",
        "https://x.y.cdn.example.com/",
        "https://api.example.com./a",
    ],
)
def test_allowed(url: str) -> None:
    GUARD.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/a",
        "ftp://api.example.com/a",
        "file:///etc/passwd",
        "https://evil.com/a",
        "https://api.example.com.evil.com/a",
        "https://cdn.example.com/a",
        "https://notcdn.example.com/a",
        "https://evil.com/api.example.com",
        "https://api.example.com@evil.com/a",
        "https://user:secret@api.example.com/a",
        "https:///a",
        "https://api.example.com:99999/a",
        "https://[::1/a",
        "https://\N{CYRILLIC SMALL LETTER A}pi.example.com/a",
    ],
)
def test_forbidden_urls(url: str) -> None:
    with pytest.raises(ForbiddenDownload):
        GUARD.check_url(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "fd00:ec2::254",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "ff02::1",
    ],
)
def test_private_addresses_need_leave(address: str) -> None:
    assert not GUARD.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "fe80::1", "::ffff:169.254.170.2", "64:ff9b::a9fe:a9fe", "0.0.0.0"],
)
def test_link_local_is_never_allowed(address: str) -> None:
    assert not LOCAL.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert GUARD.allows(ipaddress.ip_address(address))


def test_a_name_that_leads_inside_is_refused() -> None:
    guard = HostGuard(("localhost",))
    with pytest.raises(ForbiddenDownload, match="not a public address"):
        guard.addresses("localhost", 443)
    assert [str(address) for address in LOCAL.addresses("127.0.0.1", 80)] == ["127.0.0.1"]
