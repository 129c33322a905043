"""TLS for one run: an authority and a certificate made for it, and terminators in front of the services.

Production is HTTPS both ways. The terminator is a process of its own, so that the archive server keeps its
sendfile and the sink its one buffer:

    python -m benchmarks.tls PORT CERTIFICATE

takes TLS connections, prints the port it takes them on, and passes their bytes on to PORT in plain.
"""

import asyncio
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import trustme

HOST = "127.0.0.1"
BACKLOG = 2_048
BUFFER_BYTES = 512 << 10  # two of what asyncio reads at once


@dataclass(frozen=True)
class Certificates:
    """`server` is a key with its certificate; `authority` is what the programs are told to trust."""

    server: Path
    authority: Path

    @classmethod
    def make(cls, directory: Path) -> "Certificates":
        made = cls(directory / "server.pem", directory / "authority.pem")
        authority = trustme.CA()
        authority.cert_pem.write_to_path(made.authority)
        authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(made.server)
        return made

    @property
    def environment(self) -> Mapping[str, str]:
        """Makes OpenSSL, botocore, Node and Rust's object_store trust the authority."""
        names = ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        return dict.fromkeys(names, str(self.authority.resolve()))


def server_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Half(asyncio.Protocol):
    """One side of a connection; what comes in here goes out at `other`, which holds back when full."""

    def __init__(self) -> None:
        self.other: Half | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        assert self.other.transport is not None
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Accepted(Half):
    """The TLS side. Nothing is read of it before the plain side is there."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        assert self.transport is not None
        plain = Half()
        plain.other = self
        await asyncio.get_running_loop().create_connection(lambda: plain, HOST, self._port)
        self.other = plain
        if self.transport.is_closing() and plain.transport is not None:
            plain.transport.close()
        self.transport.resume_reading()


async def terminate(port: int, certificate: str) -> None:
    """Take connections until the process ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Accepted(port), HOST, 0, ssl=server_context(certificate), backlog=BACKLOG
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(terminate(int(sys.argv[1]), sys.argv[2]))
