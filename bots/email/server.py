"""The way to the mail server: one connection, kept while of use, verified, never downgraded, at a bounded rate."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from bots.email.failures import failure_at
from core.errors import DeliveryError, DeliveryFailure
from core.settings import Settings

TIMEOUT = 30.0
MAILS_A_CONNECTION = 100
KEPT_IDLE = 20.0
PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed over.

    Attributes:
        scheme: `smtp`, `smtps` or `smtp+starttls`.
        user: to log in as; empty for none.
        ca_file: authorities to trust besides the system's; empty for none.
        per_minute: so many mails at most.
    """

    scheme: str
    host: str
    port: int
    user: str
    password: str
    ca_file: str
    per_minute: int
    local_name: str

    @classmethod
    def of(cls, settings: Settings) -> Server:
        """Return the server of these settings."""
        parts = urlsplit(settings.email.smtp_url)
        password = settings.secrets.smtp_password
        return cls(
            parts.scheme,
            parts.hostname or "",
            parts.port or PORTS[parts.scheme],
            unquote(parts.username or ""),
            password.get_secret_value() if password else "",
            settings.email.ca_file,
            settings.email.per_minute,
            parseaddr(settings.email.sender)[1].rpartition("@")[2],
        )

    @property
    def named(self) -> str:
        """Host and port, for sentences."""
        return f"{self.host}:{self.port}"


class Line:
    """One connection; whoever sends waits for the one before."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: aiosmtplib.SMTP | None = None
        self._sent = 0
        self._used = 0.0
        self._free_at = 0.0
        self._lock = asyncio.Lock()

    async def send(self, sender: str, recipient: str, body: bytes, *, about_to: Step) -> None:
        """Hand one mail over.

        Args:
            sender: the return path.
            recipient: the one mailbox it is for.
            body: the whole mail, lines ended by CR LF.
            about_to: awaited right before the server is given the mail itself; until then it surely has nothing.

        Raises:
            DeliveryError: what happened, by kind; UNKNOWN when the mail may have been taken.
        """
        async with self._lock:
            await self._wait_for_turn()
            client = await self._begin(sender)
            async with self._explained("RCPT"):
                await client.rcpt(recipient)
            await about_to()
            async with self._explained("DATA"):
                await client.data(body)
            self._sent += 1

    async def look(self) -> str:
        """Connect and log in where that is needed, and return what was found.

        Raises:
            DeliveryError: that failed.
        """
        async with self._lock:
            await self._connected()
        how = {"smtp": "without TLS", "smtps": "TLS, verified", "smtp+starttls": "STARTTLS, verified"}
        user = f", logged in as {self._server.user}" if self._server.user else ", without a login"
        return f"{self._server.named}, {how[self._server.scheme]}{user}"

    async def close(self) -> None:
        """Say goodbye."""
        client, self._client = self._client, None
        if client is None or not client.is_connected:
            return
        try:
            await client.quit(timeout=2)
        except (aiosmtplib.SMTPException, OSError):
            client.close()  # it is gone already

    async def _wait_for_turn(self) -> None:
        now = asyncio.get_running_loop().time()
        wait, self._free_at = self._free_at - now, max(self._free_at, now) + 60 / self._server.per_minute
        if wait > 0:
            await asyncio.sleep(wait)

    async def _begin(self, sender: str) -> aiosmtplib.SMTP:
        """Begin a mail; on a connection that the server has closed meanwhile, once more on a new one."""
        reused = self._client is not None
        client = await self._connected()
        try:
            async with self._explained("MAIL"):
                await client.mail(sender)
        except DeliveryError:
            if not reused or client.is_connected:
                raise
            client = await self._connected()
            async with self._explained("MAIL"):
                await client.mail(sender)
        return client

    async def _connected(self) -> aiosmtplib.SMTP:
        now = asyncio.get_running_loop().time()
        client = self._client
        fresh = now - self._used < KEPT_IDLE and self._sent < MAILS_A_CONNECTION
        self._used = now
        if client is not None and client.is_connected and fresh:
            return client
        await self.close()
        client = self._make()
        async with self._explained("connect"):
            await client.connect()
        self._client, self._sent = client, 0
        return client

    def _make(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password or None,
            local_hostname=server.local_name,
            timeout=TIMEOUT,
            use_tls=server.scheme == "smtps",
            start_tls=server.scheme == "smtp+starttls",  # with True, a server that does not offer it is refused
            tls_context=_trust(server.ca_file) if server.scheme != "smtp" else None,
        )

    @asynccontextmanager
    async def _explained(self, step: str) -> AsyncIterator[None]:
        """Turn what goes wrong at a step into a DeliveryError, and leave a connection that can be used, or none."""
        try:
            yield
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            failure = failure_at(step, error, self._server.named)
            await self._recover(step, error)
            raise failure from error
        except BaseException:
            if self._client is not None:  # somebody stopped waiting in the middle of a mail
                self._client.close()
                self._client = None
            raise

    async def _recover(self, step: str, error: Exception) -> None:
        client = self._client
        if client is None or step == "connect":
            return
        answered = isinstance(error, aiosmtplib.SMTPResponseException) and error.code != 421
        if not (answered and client.is_connected):
            client.close()
            self._client = None
            return
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            client.close()
            self._client = None


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise DeliveryError(
                DeliveryFailure.RETRY, f"email.ca_file: {ca_file} cannot be read as certificates."
            ) from error
    return context
