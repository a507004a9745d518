"""A mail server on loopback that does what mail servers do: refuse, put off, break off, want TLS and a login.

async with MailServer() as mail:
    mail.refuse["nobody@example.org"] = "550 5.1.1 No such user"
    ...
    await mail.until(lambda: mail.letters)
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "paperboy", "correct horse battery"


@dataclass(frozen=True)
class Received:
    """One mail as it came in."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    connection: int
    encrypted: bool

    @property
    def mail(self) -> EmailMessage:
        found = message_from_bytes(self.raw, policy=default)
        assert isinstance(found, EmailMessage)
        assert found.defects == []
        return found

    def part(self, kind: str) -> str:
        body = self.mail.get_body((kind,))
        assert body is not None
        return str(body.get_content())


class MailServer:
    """Use as `async with`.

    Args:
        tls: "", "starttls" or "implicit".
        certificate: certificate and key in one file.
        login: a user and password are wanted.

    Attributes:
        letters: what was taken.
        refuse: by recipient, what is said to RCPT.
        answers: what is said to the next DATA, in order; `drop` closes the connection before the mail is taken,
            `drop after` once it is.
        password: what is accepted now.
        asked: recipients that were named, whether taken or not.
        held: where set, the reply to a mail that was taken waits for it.
        held_before: the same for the reply to a recipient, before the mail itself.
    """

    def __init__(self, *, tls: str = "", certificate: Path | None = None, login: bool = False) -> None:
        self._tls, self._certificate, self._login = tls, certificate, login
        self.letters: list[Received] = []
        self.refuse: dict[str, str] = {}
        self.answers: deque[str] = deque()
        self.senders: str = ""
        self.password = PASSWORD
        self.connections = 0
        self.held: asyncio.Event | None = None
        self.held_before: asyncio.Event | None = None
        self.asked: list[str] = []
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[Any] = set()

    async def __aenter__(self) -> Self:
        context = None
        if self._tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(str(self._certificate))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: self._session(context if self._tls == "starttls" else None),
            "127.0.0.1",
            0,
            ssl=context if self._tls == "implicit" else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for session in list(self._open):
            if session.transport is not None:
                session.transport.abort()
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        scheme = {"": "smtp", "starttls": "smtp+starttls", "implicit": "smtps"}[self._tls]
        return f"{scheme}://{f'{USER}@' if self._login else ''}127.0.0.1:{self.port}"

    def settings(self, **fields: object) -> dict[str, Any]:
        """The settings of mail that lead here."""
        return {"smtp_url": self.url, "from": "Papers <papers@paperboy.example>", "per_minute": 10_000, **fields}

    async def until(self, holds: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not (found := holds()):
                self._changed.clear()
                await self._changed.wait()
        return found

    def _session(self, context: ssl.SSLContext | None) -> SMTP:
        self.connections += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of a login without TLS, which stays on this machine
            session = self._make_session(context)
        self._open.add(session)
        return session

    def _make_session(self, context: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            Handler(self, self.connections),
            hostname="mail.example",
            tls_context=context,
            require_starttls=context is not None,
            auth_required=self._login,
            auth_require_tls=False,
            authenticator=self._check,
            loop=asyncio.get_running_loop(),
        )

    def _check(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (USER.encode(), self.password.encode()), handled=False)

    def took(self, received: Received) -> None:
        self.letters.append(received)
        self._changed.set()


class Handler:
    """What aiosmtpd asks."""

    def __init__(self, server: MailServer, connection: int) -> None:
        self._server, self._connection = server, connection

    async def handle_MAIL(self, _server, _session, envelope, address, options):  # noqa: N802 - its name
        if self._server.senders:
            return self._server.senders
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, options):  # noqa: N802 - its name
        self._server.asked.append(address)
        self._server._changed.set()
        if self._server.held_before is not None:
            await self._server.held_before.wait()
        if answer := self._server.refuse.get(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - its name
        answer = self._server.answers.popleft() if self._server.answers else "250 OK"
        if answer == "drop":
            server.transport.abort()
            return "250 nobody hears this"
        if answer[:1] in "45":
            return answer
        encrypted = session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None
        received = Received(
            envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content, self._connection, encrypted
        )
        self._server.took(received)
        if self._server.held is not None:
            await self._server.held.wait()
        if answer == "drop after":
            server.transport.abort()
        return "250 OK"


@cache
def _authority() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    return _signed("paperboy tests", key.public_key(), None, key, ca=True), key


def _signed(name: str, public: Any, issuer: x509.Certificate | None, key: Any, *, ca: bool) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        from ipaddress import ip_address  # noqa: PLC0415 - one use

        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(name))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())


def write_certificates(folder: Path, *, address: str = "127.0.0.1") -> Mapping[str, Path]:
    """Write an authority's certificate (`ca`), and one it gave to an address with its key (`server`)."""
    authority, signer = _authority()
    key = ec.generate_private_key(ec.SECP256R1())
    given = _signed(address, key.public_key(), authority, signer, ca=False)
    pem = serialization.Encoding.PEM
    ca, server = folder / "ca.pem", folder / "server.pem"
    ca.write_bytes(authority.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.write_bytes(private + given.public_bytes(pem))
    return {"ca": ca, "server": server}
