"""A server of key sets that does as it is told, by http or https."""

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

PATH = "/auth/v1/.well-known/jwks.json"
REQUEST_BYTES_MAX = 65_536


@attrs.define
class KeyServer:
    """Answers every request with `answer`, whole; notes what it was sent."""

    origin: str
    answer: bytes
    requests: list[str] = attrs.field(factory=list)
    hangs: bool = False

    @property
    def url(self) -> str:
        """Where its key set is."""
        return f"{self.origin}{PATH}"

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Answer one connection."""
        try:
            request = b""
            while b"\r\n\r\n" not in request and len(request) < REQUEST_BYTES_MAX:
                piece = await stream.receive_some()
                if not piece:
                    return
                request += piece
            self.requests.append(request.decode())
            if self.hangs:
                await trio.sleep_forever()
            await stream.send_all(self.answer)
        except (trio.BrokenResourceError, ssl.SSLError):
            pass
        finally:
            await trio.aclose_forcefully(stream)


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """An answer of HTTP, with the connection closed behind it."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@asynccontextmanager
async def key_server(
    first_answer: bytes, context: ssl.SSLContext | None = None
) -> AsyncIterator[KeyServer]:
    """A server on loopback; with a context by https."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    scheme = "http" if context is None else "https"
    server = KeyServer(f"{scheme}://127.0.0.1:{port}", first_answer)

    async def serve(stream: trio.SocketStream) -> None:
        if context is None:
            await server.serve(stream)
            return
        secured = trio.SSLStream(stream, context, server_side=True)
        try:
            await secured.do_handshake()
        except (trio.BrokenResourceError, ssl.SSLError):
            await trio.aclose_forcefully(secured)
            return
        await server.serve(secured)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()


def certificate(folder: Path, name: Callable[[], x509.GeneralName] | None = None) -> Path:
    """A file with a certificate of 127.0.0.1, or of another name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests of chatd")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name() if name else here]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path
