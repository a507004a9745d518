"""EDGE. The one HTTP client of everything that comes in: spacing, pauses, deadlines, bounded bodies, few retries.

    get ─> lane free? ─> wait for its turn ─> send ──┬─ 429, 503 ────────────> the lane stops, at once and for a while
                                              ^      ├─ redirect ────────────> same again, at the new address
                                              │      ├─ 500, 502, 504, cut ──> again, twice at most
                                              └──────┘ anything else ────────> Answer or SourceError

While a lane is stopped its requests fail at once and say when to ask again. Lanes and validators are kept as facts, so
that a restart neither asks too early nor fetches what it holds already.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from random import random as draw
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from core.clock import Clock, system_clock
from core.errors import SourceError
from core.pacing import REFUSALS, Pause, next_pause
from core.papers.plan import Facts
from core.papers.sources import BUNDLED, Get, Lane
from core.settings import Settings, config_file

MAX_BODY = 32 * 2**20
TRIES = 3
MAX_REDIRECTS = 5
CONNECT_TIMEOUT = 5.0
UNREACHABLE = timedelta(seconds=30)
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({500, 502, 504})
LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")

Sleep = Callable[[float], Awaitable[None]]
_Kept = TypeVar("_Kept")
_Origin = tuple[str, str | None, int | None]


@dataclass(frozen=True, slots=True)
class Validators:
    """By what a server recognises the version of an answer; empty where it gives none."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        get: the request.
        body: decompressed; empty when nothing changed.
        not_modified: the answer that was last remembered still holds.
        validators: what `Http.remember` keeps once the body is safe.
        ahead: seconds by which our clock is ahead of theirs; None where they do not tell the time.
    """

    get: Get
    body: bytes
    not_modified: bool = False
    validators: Validators = Validators()
    ahead: float | None = None


@dataclass(slots=True)
class _Track:
    """A lane with its state: who runs, who waits, until when it is stopped."""

    lane: Lane
    pause: Pause | None
    gate: asyncio.Semaphore
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: datetime | None = None


class _PassingError(Exception):
    """Wraps a failure that may be gone at the next try."""

    def __init__(self, error: SourceError) -> None:
        super().__init__(str(error))
        self.error = error


class Http:
    """The client.

    Args:
        settings: for the contact in the User-Agent and the secrets that requests name.
        facts: where pauses and validators are kept.
        clock: the time.
        sleep: how waiting is done.
        random: numbers in [0, 1) that spread retries.
        transport: what takes the place of the network.
    """

    def __init__(
        self,
        settings: Settings,
        facts: Facts,
        *,
        clock: Clock = system_clock,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = draw,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._secrets = settings.secrets
        self._facts = facts
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._tracks: dict[str, _Track] = {}
        self._opening = asyncio.Lock()
        self._unreachable: dict[_Origin, tuple[datetime, str]] = {}
        self._client = httpx.AsyncClient(
            headers={"User-Agent": user_agent(settings.fetch.contact), "Accept-Encoding": "gzip"},
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
            transport=transport,
            # Proxies of the environment are for the world outside; None means the direct way.
            mounts=dict.fromkeys(LOOPBACK),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def get(self, get: Get) -> Answer:
        """Ask, in the request's lane.

        Raises:
            SourceError: with the reason, and when to ask again where that is known.
        """
        if get.url.startswith(BUNDLED):
            return Answer(get, _read_bundled(get))
        track = await self._track(get.lane)
        async with track.gate:
            self._refuse_unreachable(get)
            await self._take_turn(get, track)
            try:
                async with asyncio.timeout(get.deadline):
                    return await self._try_thrice(get, track)
            except TimeoutError:
                raise SourceError(get.source, f"did not answer within {get.deadline:g} s") from None

    async def remember(self, answer: Answer) -> None:
        """Keep an answer's validators. Only now, that its body is read and kept: a crash before loses nothing."""
        if answer.get.conditional and not answer.not_modified and answer.validators != Validators():
            await self._facts.set_fact(_validators_name(answer.get), msgspec.json.encode(answer.validators).decode())

    async def _track(self, lane: Lane) -> _Track:
        async with self._opening:
            if lane.name not in self._tracks:
                pause = _decode(await self._facts.fact(f"lane {lane.name}"), Pause)
                self._tracks[lane.name] = _Track(lane, pause, asyncio.Semaphore(lane.connections))
            return self._tracks[lane.name]

    def _refuse_unreachable(self, get: Get) -> None:
        """Raise SourceError when this host could not be reached just now: offline, ten requests fail as fast as one."""
        until, reason = self._unreachable.get(_origin(get.url), (self._clock(), ""))
        if until > self._clock():
            raise SourceError(get.source, reason, retry_at=until)

    async def _take_turn(self, get: Get, track: _Track) -> None:
        """Wait until the lane's interval has passed; SourceError while the lane is stopped."""
        async with track.turn:
            now = self._clock()
            if track.pause is not None and track.pause.until > now:
                pause = track.pause
                raise SourceError(get.source, pause.reason, status=pause.status, retry_at=pause.until)
            interval = track.lane.min_interval
            if track.free_at is not None and track.free_at > now:
                # At most one interval, whatever a clock that was set back says.
                await self._sleep(min(interval, (track.free_at - now).total_seconds()))
            track.free_at = self._clock() + timedelta(seconds=interval)

    async def _try_thrice(self, get: Get, track: _Track) -> Answer:
        for attempt in range(1, TRIES + 1):
            try:
                return await self._follow(get, track)
            except _PassingError as passing:
                if attempt == TRIES:
                    if isinstance(passing.__cause__, httpx.ConnectError | httpx.ConnectTimeout):
                        self._unreachable[_origin(get.url)] = (self._clock() + UNREACHABLE, passing.error.reason)
                    raise passing.error from passing.__cause__
            await self._sleep((0.5 + self._random()) * 2 ** (attempt - 1))
            await self._take_turn(get, track)
        raise AssertionError("unreachable")

    async def _follow(self, get: Get, track: _Track) -> Answer:
        """Send a request and follow where it is redirected, through the same lane."""
        validators = await self._remembered(get)
        url = str(httpx.URL(get.url, params=dict(get.params)) if get.params else httpx.URL(get.url))
        for _ in range(MAX_REDIRECTS + 1):
            async with self._sent(get, url, validators) as response:
                await self._note_pace(track, response)
                if response.status_code not in REDIRECTS:
                    return await self._read_answer(get, response)
                url = _redirected(get, url, response.headers.get("location", ""))
            await self._take_turn(get, track)
        raise SourceError(get.source, f"has redirected more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _sent(self, get: Get, url: str, validators: Validators) -> AsyncIterator[httpx.Response]:
        headers = {"Accept": ", ".join(get.accepts), **dict(get.headers), **_conditions(validators)}
        secret = getattr(self._secrets, get.secret) if get.secret else None
        if secret is not None and _origin(url) == _origin(get.url):
            headers["Authorization"] = f"Bearer {secret.get_secret_value()}"
        try:
            async with self._client.stream("GET", url, headers=headers, follow_redirects=False) as response:
                yield response
        except httpx.TimeoutException as error:
            raise _PassingError(SourceError(get.source, "did not answer in time")) from error
        except httpx.TransportError as error:
            reason = f"could not be reached ({_cause(error)})"
            raise _PassingError(SourceError(get.source, reason)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(get.source, f"has sent an answer that cannot be read ({_cause(error)})") from error

    async def _note_pace(self, track: _Track, response: httpx.Response) -> None:
        pause = next_pause(track.lane, track.pause, response.status_code, response.headers, self._clock())
        if pause != track.pause:
            track.pause = pause
            await self._facts.set_fact(f"lane {track.lane.name}", msgspec.json.encode(pause).decode())

    async def _read_answer(self, get: Get, response: httpx.Response) -> Answer:
        status = response.status_code
        ahead = _seconds_ahead(response, self._clock())
        if status == httpx.codes.NOT_MODIFIED and get.conditional:
            return Answer(get, b"", not_modified=True, ahead=ahead)
        if status in REFUSALS:
            pause = self._tracks[get.lane.name].pause
            retry_at = pause.until if pause else None
            raise SourceError(get.source, f"has answered {status}", status=status, retry_at=retry_at)
        if status not in get.statuses:
            error = SourceError(get.source, f"has answered {status}", status=status)
            raise _PassingError(error) if status in PASSING else error
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and kind not in get.accepts:
            raise SourceError(get.source, f"has answered with {kind[:60]} instead of {get.accepts[0]}", status=status)
        body = await _read_body(get, response)
        validators = Validators(response.headers.get("etag", ""), response.headers.get("last-modified", ""))
        return Answer(get, body, validators=validators, ahead=ahead)

    async def _remembered(self, get: Get) -> Validators:
        kept = await self._facts.fact(_validators_name(get)) if get.conditional else None
        return _decode(kept, Validators) or Validators()


def user_agent(contact: str) -> str:
    """Return a User-Agent that says who asks; arXiv turns anonymous libraries away."""
    who = "".join(char if char.isascii() and char.isprintable() else "?" for char in contact.strip())
    return f"paperboy/{version('paperboy')} (+{who or 'self-hosted research paper digests; contact not set'})"


def _seconds_ahead(response: httpx.Response, now: datetime) -> float | None:
    """Return by how much our clock is ahead; an answer from a cache is older by its `Age` (RFC 9111, 5.1)."""
    age = response.headers.get("age", "0")
    try:
        said = parsedate_to_datetime(response.headers["date"])
        return (now - said).total_seconds() - int(age)
    except (KeyError, ValueError, TypeError):  # none, none that is a date, or one without a zone
        return None


async def _read_body(get: Get, response: httpx.Response) -> bytes:
    announced = response.headers.get("content-length", "")
    body = bytearray()
    if not (announced.isdigit() and int(announced) > MAX_BODY):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BODY:
                break
        else:
            if not body.strip():
                raise SourceError(get.source, "has answered with nothing", status=response.status_code)
            return bytes(body)
    raise SourceError(get.source, f"has sent more than {MAX_BODY // 2**20} MiB, which was not read")


def _read_bundled(get: Get) -> bytes:
    path = config_file(get.url.removeprefix(BUNDLED))
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(get.source, f"cannot be read: {path} ({error.strerror})") from error


def _redirected(get: Get, url: str, location: str) -> str:
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if not location or scheme not in {"http", "https"}:
        raise SourceError(get.source, "has redirected to nowhere")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise SourceError(get.source, "has redirected from https to http, which is refused")
    return target


def _origin(url: str) -> _Origin:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _conditions(validators: Validators) -> Mapping[str, str]:
    pairs = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in pairs.items() if value}


def _validators_name(get: Get) -> str:
    return f"validators {get.url}"


def _decode(kept: str | None, kind: type[_Kept]) -> _Kept | None:
    try:
        return msgspec.json.decode(kept, type=kind) if kept else None
    except msgspec.DecodeError:  # the word for "free", or written by another version
        return None


def _cause(error: Exception) -> str:
    """Return what went wrong in few words; addresses, which can hold passwords, are not repeated."""
    text = str(error)
    if isinstance(error, httpx.ConnectError) and "[Errno -" in text:
        return "its name is not known here, as without internet"
    if not text or "://" in text:
        return type(error).__name__
    return text[:120]
