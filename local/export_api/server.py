"""The Export API over HTTP: routes, tokens, problem documents, pages, ranges.

A thread for each connection. Every body of a download is computed while it is sent.
"""

import json
import random
import secrets
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from local.export_api import faults
from local.export_api.catalogue import Catalogue, Export, ExportFile
from local.export_api.dialects import DIALECTS, Kind, Listing, own_id
from local.export_api.ranges import NotSatisfiable, ServedRange, parse_range
from local.export_api.signing import LinkSigner
from local.http_server import PatientHttpServer

_MODIFIED_AT = 1_795_000_000
_LAST_MODIFIED = formatdate(_MODIFIED_AT, usegmt=True)
_DRIPS_PER_S = 10


class Problem(Exception):
    """An error answer: a status and a sentence, sent as RFC 9457 problem details, or as XML with a code."""

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, *, code: str = ""
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.code = status, detail, headers or {}, code


class HungUp(Exception):
    """There is no answer; the connection ends."""


class ExportApiServer:
    """A running Export API on a free loopback port.

    `profile` is the vendor that it plays. `tokens` are the secrets accepted now (change the set to rotate),
    `requests` counts what was asked, and `bytes_sent` what the downloads cost. Use as a context manager.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        token: str,
        profile: str = "default",
        plan: faults.FaultPlan | None = None,
        url_lifetime_s: float = 300.0,
        port: int = 0,
    ) -> None:
        self.catalogue = catalogue
        self.dialect = DIALECTS[profile]
        self.tokens = {token}
        self.granted: set[str] = set()
        self.plan: faults.FaultPlan = plan or faults.NoFaults()
        self.signer = LinkSigner(secrets.token_bytes(32), url_lifetime_s)
        self.requests: Counter[str] = Counter()
        self.bytes_sent = 0
        self.etag_versions: Counter[tuple[str, str]] = Counter()
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _HttpServer(("127.0.0.1", port), self)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="export-api", daemon=True
        )

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def base_url(self) -> str:
        """The URL that a client is told, the vendor's path included."""
        return self.origin + self.dialect.prefix

    def __enter__(self) -> "ExportApiServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def etag(self, job_id: str, file: ExportFile) -> str:
        version = self.etag_versions[job_id, file.file_id]
        return file.archive.etag if not version else f'{file.archive.etag[:-1]}-{version}"'


class _HttpServer(PatientHttpServer):
    def __init__(self, address: tuple[str, int], api: ExportApiServer) -> None:
        self.api = api
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _HttpServer
    _fault: faults.Fault | None

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        self._fault = None
        prefix = self._api.dialect.prefix
        try:
            for kind, pattern in self._api.dialect.routes:
                below = "" if kind == "download" else prefix
                match = pattern.fullmatch(path.removeprefix(below)) if path.startswith(below) else None
                if match:
                    with self._api.lock:
                        self._api.requests[kind] += 1
                    return self._ANSWERS[kind](self, url.query, **match.groupdict())
            raise Problem(404, f"there is nothing at {path}")
        except Problem as problem:
            self._send_problem(problem)
        except HungUp:
            self.close_connection = True

    do_HEAD = do_GET  # noqa: N815

    @property
    def _api(self) -> ExportApiServer:
        return self.server.api

    # -- what is asked --------------------------------------------------------------------------------------

    def _status(self, _query: str, job_id: str) -> None:
        self._authorise()
        self._consult(faults.Request("status", job_id))
        status = "running" if isinstance(self._fault, faults.NotReady) else self._export(job_id).status
        self._send_json(self._api.dialect.status(job_id, status))

    def _files(self, query: str, job_id: str) -> None:
        self._authorise()
        self._consult(faults.Request("files", job_id))
        export = self._export(job_id)
        if export.status != "completed":
            raise Problem(409, f"export {job_id} is {export.status}: it has no files yet")
        try:
            first, limit = self._api.dialect.window(parse_qs(query))
        except ValueError as error:
            raise Problem(400, f"the page asked for is not one of ours: {error}") from error
        page = [self._record(export, file) for file in export.files[first : first + limit]]
        if isinstance(self._fault, faults.ShufflePage) and page:
            page.append(page[0])
            random.Random(job_id).shuffle(page)
        url = self._api.origin + urlsplit(self.path).path
        listing = Listing(records=page, first=first, limit=limit, total=len(export.files), url=url)
        self._send_json(*self._api.dialect.page(listing))

    def _file(self, _query: str, file_id: str, job_id: str | None = None) -> None:
        self._authorise()
        export, file = self._find(own_id(self._api.dialect.ids, file_id), job_id)
        self._consult(faults.Request("file", export.job_id, file.file_id))
        self._send_json(self._api.dialect.file(self._record(export, file)))

    def _link(self, _query: str, file_id: str) -> None:
        """A download link on the API's own origin: needs the token, and leads on to the store."""
        self._authorise()
        export, file = self._find(file_id, None)
        self._send_body(302, {"Location": self._signed(export, file)}, 0, iter(()))

    def _download(self, query: str, job_id: str, file_id: str) -> None:
        refusal = self._api.signer.refusal(unquote(urlsplit(self.path).path), query)
        if refusal:
            raise Problem(403, refusal)
        export = self._export(job_id)
        file = export.file(file_id)
        if file is None:
            raise Problem(410, f"file {file_id} is gone")
        self._consult(faults.Request("download", job_id, file_id))
        if isinstance(self._fault, faults.ChangeETag):
            with self._api.lock:
                self._api.etag_versions[job_id, file_id] += 1
        etag, modified = self._validators(job_id, file)
        span = self._asked_span(file, (etag, modified))
        headers = {"ETag": etag, "Last-Modified": modified, "Content-Type": "application/zip"}
        if file.honours_range:
            headers["Accept-Ranges"] = "bytes"
        if span is None:
            whole = ServedRange(0, file.archive.size, file.archive.size)
            self._send_body(200, headers, whole.length, file.archive.stream(0, whole.length))
        else:
            headers["Content-Range"] = span.content_range
            self._send_body(206, headers, span.length, file.archive.stream(span.first, span.length))

    def do_POST(self) -> None:
        """The token endpoint (RFC 6749, section 4.4), for vendors that have one."""
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
        self._fault = None
        try:
            if not self._api.dialect.grants_tokens or self.path != "/oauth2/v2.0/token":
                raise Problem(404, f"there is nothing to post to at {self.path}")
            with self._api.lock:
                self._api.requests["token"] += 1
            if form.get("grant_type") != ["client_credentials"]:
                raise Problem(400, "grant_type must be client_credentials")
            if form.get("client_secret", [""])[0] not in self._api.tokens:
                raise Problem(401, "the client is not known")
            token = secrets.token_urlsafe(24)
            self._api.granted.add(token)
            self._send_json({"access_token": token, "token_type": "Bearer", "expires_in": 3600})
        except Problem as problem:
            self._send_problem(problem)

    _ANSWERS: ClassVar[dict[Kind, Callable[..., None]]] = {
        "status": _status,
        "files": _files,
        "file": _file,
        "link": _link,
        "download": _download,
    }

    # -- how it is decided ----------------------------------------------------------------------------------

    def _authorise(self) -> None:
        dialect = self._api.dialect
        accepted = self._api.granted if dialect.grants_tokens else self._api.tokens
        if refusal := dialect.refusal(self.headers, accepted):
            status, sentence = refusal
            scheme = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if status == 401 else {}
            raise Problem(status, sentence, scheme)

    def _consult(self, request: faults.Request) -> None:
        self._fault = self._api.plan.decide(request)
        if isinstance(self._fault, faults.Hang):
            self._api.closing.wait(self._fault.seconds)
            raise HungUp
        if not isinstance(self._fault, faults.WrongAnswer):
            return
        headers = {"Retry-After": self._fault.retry_after} if self._fault.retry_after else {}
        raise Problem(self._fault.status, self._fault.problem, headers, code=self._fault.code)

    def _export(self, job_id: str) -> Export:
        export = self._api.catalogue.exports.get(job_id)
        if export is None:
            raise Problem(404, f"there is no export {job_id}")
        return export

    def _find(self, file_id: str, job_id: str | None) -> tuple[Export, ExportFile]:
        """A file of a job, or of whichever job has it where the vendor's address names none."""
        exports = [self._export(job_id)] if job_id else list(self._api.catalogue.exports.values())
        for export in exports:
            file = export.file(file_id)
            if file is not None:
                return export, file
        raise Problem(404, f"there is no file {file_id}")

    def _record(self, export: Export, file: ExportFile) -> dict[str, Any]:
        if any(kind == "link" for kind, _ in self._api.dialect.routes):
            url = f"{self._api.base_url}/actions/artifacts/{file.file_id}/zip"
        else:
            url = self._signed(export, file)
            # Relative to the base URL, which may have a path: from the origin's root.
            url = url if file.relative_url else self._api.origin + url
        return self._api.dialect.record(file, url)

    def _signed(self, export: Export, file: ExportFile) -> str:
        return self._api.signer.sign(f"/download/{export.job_id}/{file.file_id}.zip")

    def _validators(self, job_id: str, file: ExportFile) -> tuple[str, str]:
        """ETag and Last-Modified."""
        etag = self._api.etag(job_id, file)
        if not isinstance(self._fault, faults.OtherNode):
            return etag, _LAST_MODIFIED
        number = self._fault.number
        return f'{etag[:-1]}-node{number}"', formatdate(_MODIFIED_AT + number, usegmt=True)

    def _asked_span(self, file: ExportFile, validators: tuple[str, str]) -> ServedRange | None:
        condition = self.headers.get("If-Range")
        if not file.honours_range or (condition is not None and condition not in validators):
            return None
        try:
            return parse_range(self.headers.get("Range"), file.archive.size)
        except NotSatisfiable:
            raise Problem(
                416,
                f"the archive has {file.archive.size} bytes",
                {"Content-Range": f"bytes */{file.archive.size}"},
            ) from None

    # -- how it is sent -------------------------------------------------------------------------------------

    def _send_json(self, document: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(document).encode()
        fields = {"Content-Type": "application/json", **(headers or {})}
        self._send_body(200, fields, len(data), iter((data,)))

    def _send_problem(self, problem: Problem) -> None:
        title = HTTPStatus(problem.status).phrase
        if problem.code:
            content_type = "application/xml"
            data = f"<Error><Code>{problem.code}</Code><Message>{problem.detail}</Message></Error>".encode()
        elif problem.detail:
            content_type = "application/problem+json"
            document = {
                "type": "about:blank",
                "title": title,
                "status": problem.status,
                "detail": problem.detail,
            }
            data = json.dumps(document).encode()
        else:
            content_type = "text/html"
            data = f"<html><head><title>{problem.status} {title}</title></head></html>".encode()
        self._fault = None
        headers = {"Content-Type": content_type, **problem.headers}
        self._send_body(problem.status, headers, len(data), iter((data,)))

    def _send_body(self, status: int, headers: dict[str, str], length: int, body: Iterator[bytes]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        sent = 0
        if isinstance(self._fault, faults.Damage):
            body = _damaged(body, length, self._fault)
        for piece in body:
            if isinstance(self._fault, faults.Break) and sent + len(piece) > self._fault.after_bytes:
                self.wfile.write(piece[: self._fault.after_bytes - sent])
                self._hang_up(reset=self._fault.reset)
                return
            if isinstance(self._fault, faults.Drip):
                self._drip(piece, self._fault.bytes_per_s)
            else:
                self.wfile.write(piece)
            sent += len(piece)
        with self._api.lock:
            self._api.bytes_sent += sent

    def _drip(self, piece: bytes, bytes_per_s: int) -> None:
        step = max(bytes_per_s // _DRIPS_PER_S, 1)
        began = time.monotonic()
        for start in range(0, len(piece), step):
            drop = piece[start : start + step]
            self.wfile.write(drop)
            # By the clock and not by naps, whose lateness on a busy machine would add up.
            due = began + (start + len(drop)) / bytes_per_s
            time.sleep(max(0.0, due - time.monotonic()))

    def _hang_up(self, *, reset: bool) -> None:
        if reset:
            # Lingering for zero seconds makes the kernel send RST instead of FIN, once nothing holds the
            # socket.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Silent: the server counts its requests instead."""


def _damaged(body: Iterator[bytes], length: int, damage: faults.Damage) -> Iterator[bytes]:
    """The body as a bad memory chip, or a disk's lost block, would have it."""
    left = int(length * damage.at)
    for piece in body:
        if damage.zeros:
            yield bytes(len(piece))
        elif 0 <= left < len(piece):
            yield piece[:left] + bytes([piece[left] ^ 1 << left % 8]) + piece[left + 1 :]
        else:
            yield piece
        left -= len(piece)
