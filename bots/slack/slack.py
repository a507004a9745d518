"""The platform Slack: what people do there becomes Requests, Messages become payloads."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from slack_bolt.app.async_app import AsyncApp
from slack_sdk.oauth.installation_store import Installation
from starlette.routing import BaseRoute

from bots.house import House
from bots.refusals import Refusals
from bots.slack.access import Access
from bots.slack.api import TIMEOUT, Api
from bots.slack.arrivals import Arrivals
from bots.slack.blocks import render
from bots.slack.connection import PING_SECONDS, Connection
from bots.slack.deliveries import Deliveries
from bots.slack.dialogs import Dialogs
from bots.slack.doctor import Checkup
from bots.slack.events import Events
from bots.slack.homes import Homes, Rhythm
from bots.slack.install import InstallFlow
from bots.slack.installations import Installations
from bots.slack.leavers import Leavers
from bots.slack.listener import Parts, make_app
from bots.slack.pace import Sleep
from bots.slack.people import People
from bots.slack.places import Stewards
from bots.slack.replies import Replies
from bots.slack.requests import NAME
from bots.slack.served import Door
from bots.slack.tasks import Tasks, look_after, make_turns
from bots.slack.threads import Threads
from bots.slack.visitors import Visitors
from bots.slack.workspaces import ManyWorkspaces, OneWorkspace, Workspaces
from core.chat.commands import Request
from core.chat.message import Message
from core.clock import Clock
from core.combinations import slack_problem
from core.delivery.platform import Answer, Ear, PartSent, Payload, Receipt
from core.errors import PaperboyError, SettingsError, log_level
from core.keys import open_keys
from core.settings import Settings
from core.store import Store

RHYTHM = Rhythm()
UNTOLD_AT_MOST = 100
CARE_EVERY = 600.0

log = logging.getLogger(__name__)


class Slack:
    """Slack, for one workspace or many, over Socket Mode or HTTP.

    Args:
        access: secrets and addresses.
        settings: what new subscriptions begin with, and where the secret for sealing tokens is.
        clock: now.
        store: subscriptions, and the tokens of workspaces.
        sleep: waits between tries.
        ping: seconds between pings on the socket.
        timeout: seconds for one call.
        rhythm: how often App Home is drawn.
    """

    name = NAME
    can_edit = True

    def __init__(  # noqa: PLR0913 - most have their default, and `from_settings` is what most call
        self,
        access: Access,
        settings: Settings,
        *,
        clock: Clock,
        store: Store,
        sleep: Sleep = asyncio.sleep,
        ping: float = PING_SECONDS,
        timeout: float = TIMEOUT,
        rhythm: Rhythm = RHYTHM,
    ) -> None:
        self._access = access
        self._clock = clock
        self._sleep = sleep
        self._timeout = timeout
        self._rhythm = rhythm
        self._api = self._make_api(access.bot_token)
        self._keys = lambda: open_keys(settings)
        self._installations = Installations(store, self._keys, clock)
        self._many = ManyWorkspaces(access, self._installations, self._make_api, clock) if access.is_for_many else None
        self._workspaces: Workspaces = self._many or OneWorkspace(self._api, access.bot_token)
        # Each measurement travels with a request, so that the figures of the service hold it.
        self._acknowledgements: deque[float] = deque(maxlen=UNTOLD_AT_MOST)
        turns = make_turns()
        self._connection = Connection(
            self._api,
            identify=self._identify,
            ping=ping,
            sleep=sleep,
            acknowledged=self._acknowledgements.append,
            turns=turns,
        )
        self._tasks = Tasks()
        told = self._acknowledgements.append
        self._door = Door(access.signing_secret, lambda: clock().timestamp(), told, self._tasks, turns)
        self._ready = asyncio.Event()
        self._stands_by = False
        self._refusals = Refusals(lambda: clock().timestamp())
        self._deliveries = Deliveries(self._workspaces, self._refusals)
        self._stewards = Stewards(self._workspaces, clock)
        self._visitors = Visitors(store, clock)
        self._leavers = Leavers(self._workspaces, store, self._visitors, clock)
        self._parts = self._make_parts(settings, store)
        self._checkup = Checkup(access, self._workspaces, self._installations, store, self.reachable)

    def _make_api(self, token: str, lost: str = "") -> Api:
        return Api(
            base_url=self._access.api_url,
            bot_token=token,
            app_token=self._access.app_token,
            lost=lost,
            clock=self._clock,
            sleep=self._sleep,
            timeout=self._timeout,
        )

    def _make_parts(self, settings: Settings, store: Store) -> Parts:
        workspaces, clock, tasks = self._workspaces, self._clock, self._tasks
        people = People(workspaces, clock)
        visitors = self._visitors
        replies = Replies(workspaces, people, Threads(workspaces, store, clock), tasks)
        base_url = settings.web.base_url
        return Parts(
            workspaces=workspaces,
            replies=replies,
            dialogs=Dialogs(workspaces, store, people, replies, defaults=settings.digest),
            homes=Homes(workspaces, store, people, visitors, clock, tasks, base_url=base_url, rhythm=self._rhythm),
            events=Events(workspaces, store, self._installations, replies, visitors, clock),
            arrivals=Arrivals(store, clock),
            tasks=tasks,
        )

    @classmethod
    def is_configured(cls, settings: Settings) -> bool:
        """Whether any of Slack's secrets is set; the settings have seen to it that they go together."""
        names = [name for name in type(settings.secrets).model_fields if name.startswith(f"{NAME}_")]
        return any(getattr(settings.secrets, name) for name in names)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Clock, store: Store) -> Slack:
        """Make it of the settings.

        Raises:
            SettingsError: the secrets do not go together.
        """
        access = Access.from_settings(settings)
        given = {name.upper() for name in type(settings.secrets).model_fields if getattr(settings.secrets, name)}
        if problem := slack_problem(given, with_page=settings.web.enabled):
            raise SettingsError(problem)
        return cls(access, settings, clock=clock, store=store)

    def routes(self, house: House) -> Sequence[BaseRoute]:  # noqa: ARG002 - Slack needs nothing of the house here
        """Return the addresses below the page: none with a socket; where many install it, those for that as well."""
        if self._access.has_socket:
            return ()
        flow = None
        if self._many is not None:
            flow = InstallFlow(self._access, self._installations, self._keys, self._clock, self._greet)
        return self._door.routes(flow)

    async def _greet(self, installation: Installation) -> None:
        """Learn at once that a workspace is there; its first call shows whether its token works."""
        log.info("Slack: %s can be served now", installation.team_id)

    @property
    def ear(self) -> Ear:
        """Socket Mode is a connection of ours; else Slack calls the web address."""
        return Ear.CONNECTION if self._access.has_socket else Ear.PAGE

    def payload(self, message: Message) -> Sequence[Payload]:
        """Render a message as arguments of chat.postMessage; the first is the post, the others go to its thread."""
        return render(message)

    async def listen(self, answer: Answer) -> None:
        """Turn what people do into Requests until cancelled; keeps trying while Slack is away.

        Raises:
            DeliveryError: of kind REVOKED when Slack does not accept a token of the settings.
        """
        app = make_app(self._api.client, self._parts, self._remembering(answer))
        care = look_after(
            self._care(),
            self._when_ready(lambda: self._parts.homes.watch(answer)),
            self._when_ready(self._leavers.watch),
        )
        try:
            if self._access.has_socket:
                await self._connection.keep(app)
            else:
                await self._serve(app)
        finally:
            self._door.app = None
            care.cancel()
            await asyncio.gather(care, return_exceptions=True)

    async def _serve(self, app: AsyncApp) -> None:
        """Let the door hand on what comes; the token of the settings, where there is one, is looked at first."""
        self._door.app = app
        if self._many is None:
            await self._connection.until_identified()
        self._ready.set()
        await asyncio.Event().wait()

    def _remembering(self, answer: Answer) -> Answer:
        async def answer_here(request: Request) -> Message:
            self._refusals.forget(request.place)
            waited = self._acknowledgements.popleft() if self._acknowledgements else None
            return await answer(replace(request, acknowledged_in=waited))

        return answer_here

    async def _care(self) -> None:
        """Renew tokens in time, and forget workspaces that left thirty days ago."""
        while True:
            try:
                if self._many is not None:
                    await self._many.renew_all()
                for team in await self._installations.forget_those_who_left():
                    log.info("Slack: everything about the workspace %s is deleted, 30 days after it left", team)
            except PaperboyError as error:
                log.log(log_level(error), "Slack: workspaces could not be looked after: %s", error)
            await asyncio.sleep(CARE_EVERY)

    async def _when_ready(self, work: Callable[[], Awaitable[None]]) -> None:
        await self.ready()
        await work()

    async def stand_by(self) -> None:
        """Make sure that the token of the settings works, where there is one; then deliver without a socket."""
        self._stands_by = True
        if self._many is None:
            await self._connection.until_identified()
        self._ready.set()
        await asyncio.Event().wait()

    async def ready(self) -> None:
        """Return once the socket is open, or what comes over HTTP is taken, or others see to that."""
        by_socket = self._access.has_socket and not self._stands_by
        await (self._connection.ready if by_socket else self._ready).wait()

    async def close(self) -> None:
        """Give answers under way a moment, then drop them."""
        await self._tasks.close()

    async def _identify(self) -> None:
        reply = await self._api.call(self._api.client.auth_test)
        await self._installations.stay(str(reply.get("team_id") or ""))

    async def deliver(
        self, address: str, message: Message, *, key: str, done: Sequence[str] = (), sent: PartSent | None = None
    ) -> Receipt:
        """Post a message: the first payload in the channel, the others in its thread, each with its key as metadata."""
        return await self._deliveries.send(address, message, key=key, done=done, sent=sent)

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        """Put another message in the place of a delivery; see `bots.slack.deliveries`."""
        return await self._deliveries.change(address, message, key=key, parts=parts)

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for the parts of a delivery in the conversation and its thread; None where nobody can."""
        return await self._deliveries.find(address, key, since)

    async def reachable(self, address: str) -> str | None:
        """Return why paperboy cannot post there and how to mend it; None when it can."""
        return await self._deliveries.reachable(address)

    async def stewards(self, address: str) -> Sequence[str]:
        """Return who runs the workspace: its owners and administrators, at most three."""
        return await self._stewards.of(address)

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Check tokens, scopes, the way events take, and channels that cannot be posted to, for `doctor`."""
        return await self._checkup.lines()
