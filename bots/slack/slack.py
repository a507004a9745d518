"""The platform Slack: what people do there becomes Requests, Messages become payloads."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

from slack_bolt.app.async_app import AsyncApp
from slack_sdk.oauth.installation_store import Installation
from starlette.routing import BaseRoute

from bots.house import House
from bots.refusals import Refusals
from bots.slack.access import Access
from bots.slack.api import TIMEOUT, Api
from bots.slack.blocks import render
from bots.slack.connection import PING_SECONDS, Connection
from bots.slack.dialogs import Dialogs
from bots.slack.doctor import Checkup
from bots.slack.events import Events
from bots.slack.failures import RATE_LIMITED, SlackError, failure_of
from bots.slack.homes import Homes
from bots.slack.install import InstallFlow
from bots.slack.installations import Installations
from bots.slack.listener import Parts, make_app
from bots.slack.pace import Sleep
from bots.slack.people import People
from bots.slack.places import CERTAIN, SHOWN, Stewards, look_at
from bots.slack.posts import Posts
from bots.slack.replies import Replies
from bots.slack.requests import NAME, is_person, split_address
from bots.slack.search import find_parts
from bots.slack.served import Door
from bots.slack.tasks import Tasks, make_turns
from bots.slack.threads import Threads
from bots.slack.workspaces import ManyWorkspaces, OneWorkspace, Workspaces
from core.chat.commands import Request
from core.chat.message import Message
from core.clock import Clock
from core.combinations import slack_problem
from core.delivery.platform import Answer, Ear, PartSent, Payload, Receipt
from core.errors import DeliveryError, DeliveryFailure, PaperboyError, SettingsError, log_level
from core.keys import open_keys
from core.settings import Settings
from core.store import Store

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
    """

    name = NAME
    can_edit = True

    def __init__(
        self,
        access: Access,
        settings: Settings,
        *,
        clock: Clock,
        store: Store,
        sleep: Sleep = asyncio.sleep,
        ping: float = PING_SECONDS,
        timeout: float = TIMEOUT,
    ) -> None:
        self._access = access
        self._clock = clock
        self._sleep = sleep
        self._timeout = timeout
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
        self._stewards = Stewards(self._workspaces, clock)
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
        replies = Replies(workspaces, people, Threads(workspaces), tasks)
        return Parts(
            workspaces=workspaces,
            replies=replies,
            dialogs=Dialogs(workspaces, store, people, self._stewards, replies, defaults=settings.digest),
            homes=Homes(workspaces, store, self._stewards, clock, tasks, base_url=settings.web.base_url),
            events=Events(workspaces, store, self._installations, replies, clock),
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
        care = asyncio.create_task(self._care())
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
        """Post a message: the first payload in the channel, the others in its thread, each with its key as metadata.

        Raises:
            DeliveryError: by kind; UNKNOWN when the part under way may have been taken.
        """
        async with self._noting(address):
            api, channel = await self._conversation(address)
            parts = await Posts(api).send(channel, self.payload(message), key=key, done=done, sent=sent)
        return Receipt(parts, await Posts(api).link(channel, parts[0]))

    async def edit(self, address: str, message: Message, *, key: str, parts: Sequence[str]) -> Receipt:
        """Put another message in the place of a delivery; further parts go to the thread, surplus ones become "…".

        Raises:
            DeliveryError: as `deliver`; REJECTED when a part is not there any more, or when nobody can see whether
                the further ones are there already.
        """
        async with self._noting(address):
            api, channel = await self._conversation(address)
            names = await Posts(api).change(channel, self.payload(message), key=key, parts=parts)
        return Receipt(names, await Posts(api).link(channel, names[0]))

    @asynccontextmanager
    async def _noting(self, address: str) -> AsyncIterator[None]:
        """Remember refusals that looking at the place would not show."""
        try:
            yield
        except SlackError as failure:
            if failure.kind in {DeliveryFailure.GONE, DeliveryFailure.FORBIDDEN} and failure.code not in SHOWN:
                self._refusals.remember(address, failure)
            raise
        self._refusals.forget(address)

    async def _conversation(self, address: str) -> tuple[Api, str]:
        """Return the way to an address: a person's is the direct message, opened where it must be."""
        team, identifier = split_address(address)
        if not identifier:
            raise failure_of("channel_not_found", token="")
        api = await self._workspaces.api(team)
        if not is_person(identifier):
            return api, identifier
        reply = await api.call(api.client.conversations_open, users=identifier)
        return api, str(reply["channel"]["id"])

    async def find(self, address: str, key: str, since: datetime) -> Sequence[str] | None:
        """Look for the parts of a delivery in the conversation and its thread.

        Raises:
            DeliveryError: when Slack cannot be asked now, and looking later makes sense.
        """
        try:
            api, channel = await self._conversation(address)
            return await find_parts(api, channel, key, since)
        except SlackError as failure:
            if _is_passing(failure):
                raise DeliveryError(DeliveryFailure.RETRY, str(failure)) from None
            log.warning("Slack: it is not known whether %s arrived: %s", key, failure)
            return None

    async def reachable(self, address: str) -> str | None:
        """Return why paperboy cannot post there and how to mend it; None when it can.

        Some refusals, as of a read-only channel, show only in posting: those hold for a day, or until somebody there
        asks paperboy for something.

        Raises:
            DeliveryError: of kind RETRY when Slack does not tell.
        """
        try:
            api, channel = await self._conversation(address)
            why = None if channel.startswith("D") else await look_at(api, channel)
        except SlackError as failure:
            if failure.kind in CERTAIN:
                return str(failure)
            raise DeliveryError(DeliveryFailure.RETRY, str(failure), retry_after=failure.retry_after) from None
        refusal = self._refusals.recall(address)
        return why or (str(refusal) if refusal is not None else None)

    async def stewards(self, address: str) -> Sequence[str]:
        """Return who runs the workspace: its owners and administrators, at most three."""
        return await self._stewards.of(address)

    async def check(self) -> Sequence[tuple[str, bool, str]]:
        """Check tokens, scopes, the way events take, and channels that cannot be posted to, for `doctor`."""
        return await self._checkup.lines()


def _is_passing(failure: SlackError) -> bool:
    """Tell whether asking later can help: Slack is away, or our token has to be mended first."""
    away = failure.kind in {DeliveryFailure.RETRY, DeliveryFailure.UNKNOWN} and failure.code not in RATE_LIMITED
    return away or failure.kind is DeliveryFailure.REVOKED
