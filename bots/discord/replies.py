"""Interaction -> Request, and the answer back to whoever asked: acknowledge first, then answer.

Discord waits 3 s for the first response and 15 min for the rest
(https://docs.discord.com/developers/interactions/receiving-and-responding). A command is acknowledged as "thinking",
for the asker only. A button is acknowledged as "will change its message", the one acknowledgement behind which either
can follow: a changed message, or a new one. So who may see the answer is settled when it is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any

import aiohttp
import discord

from bots.discord.dialogs import Dialogs
from bots.discord.erasing import ACTION as ERASE
from bots.discord.erasing import Erasing
from bots.discord.failures import ALREADY_ACKNOWLEDGED
from bots.discord.forms import ACTION, fields_from
from bots.discord.payload import EPHEMERAL, read_custom_id
from bots.discord.requests import is_guest, request_of
from bots.discord.rest import Rest
from bots.discord.slash import Interaction, Make
from core.chat.commands import Press
from core.chat.message import Kind, Message, text
from core.chat.render import error_message
from core.delivery.platform import Answer, Payload
from core.errors import DeliveryError, PaperboyError

log = logging.getLogger(__name__)

FAILED = "Something went wrong here and is in paperboy's log; please try again."
POSTED = "Posted below, for everybody here."
STALE = "This button is from another version of paperboy; /papers help tells what works."
MOST_FOLLOW_UPS = 5
"""That many messages may follow an answer where the server does not have paperboy, only the asker:
https://docs.discord.com/developers/interactions/receiving-and-responding#followup-messages ."""
LONGEST_HOLD = 0.3  # seconds
CONTINUED = "The rest is in your direct messages."


class Replies:
    """Answers interactions.

    Args:
        rest: for everything behind the acknowledgement.
        answer: what core says to a Request.
        render: Message -> bodies of Discord messages.
        dialogs: opens forms, and offers them below answers.
        erasing: deletes what is kept about people and servers.
        elsewhere: posts bodies in the direct messages of a person, named by address.
    """

    def __init__(
        self,
        *,
        rest: Rest,
        answer: Answer,
        render: Callable[[Message], Sequence[Payload]],
        dialogs: Dialogs,
        erasing: Erasing,
        elsewhere: Callable[[str, Sequence[Payload]], Awaitable[None]],
    ) -> None:
        self._rest = rest
        self._answer = answer
        self._render = render
        self._dialogs = dialogs
        self._erasing = erasing
        self._elsewhere = elsewhere
        self._under_way: set[asyncio.Task[None]] = set()
        self._unacknowledged = 0
        self._all_acknowledged = asyncio.Event()

    async def respond(self, interaction: Interaction, make: Make) -> None:
        """Acknowledge, make the Command, answer it; what a person did wrong is told to that person alone."""
        await self._begin(interaction, self._respond(interaction, make))

    async def press(self, interaction: Interaction) -> None:
        """Answer a button, also one of a message from before a restart: all it needs is in its name."""
        data: Mapping[str, Any] = interaction.data or {}
        named = read_custom_id(str(data.get("custom_id", "")))
        if named is None:
            await self.refuse(interaction, STALE)
        elif named[0] == ACTION:
            await self.open_form(interaction, named[1])
        elif named[0] == ERASE:
            await self._begin(interaction, self._erase(interaction, named[1]))
        else:
            await self.respond(interaction, lambda: Press(*named))

    async def open_form(self, interaction: Interaction, value: str) -> None:
        """Show the form; who cannot have it is told why."""
        try:
            shown = await self._dialogs.form(interaction, value)
            await self._dialogs.open(interaction, shown)
        except PaperboyError as error:
            await self.refuse(interaction, error_message(error))

    async def submit(self, interaction: Interaction) -> None:
        """Do what a form says; where that is not possible, the asker is told why and can go on from what was typed."""
        await self._begin(interaction, self._submit(interaction))

    async def _begin(self, interaction: Interaction, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"answer {interaction.id}")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)

    async def refuse(self, interaction: Interaction, why: str | Message) -> None:
        """Tell the asker why a command could not even be read."""
        if await self._acknowledge(interaction) is not None:
            said = Message(Kind.ERROR, lines=(text(why),)) if isinstance(why, str) else why
            await self._show(interaction, said)

    async def settle(self, patience: float) -> None:
        """Wait so many seconds for answers that are under way, then give them up."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=patience)
        for task in list(self._under_way):
            task.cancel()

    async def _acknowledge(self, interaction: Interaction) -> float | None:
        """Acknowledge and return the seconds it took, None where that was not possible.

        Then the answer is held back while others still wait to be acknowledged: answers take what these need.
        """
        begun = monotonic()
        self._unacknowledged += 1
        try:
            waited = monotonic() - begun if await _acknowledge(interaction) else None
        finally:
            self._unacknowledged -= 1
            if not self._unacknowledged:
                self._all_acknowledged.set()
                self._all_acknowledged = asyncio.Event()
        if self._unacknowledged:
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_HOLD):
                    await self._all_acknowledged.wait()
        return waited

    async def _respond(self, interaction: Interaction, make: Make) -> None:
        if (waited := await self._acknowledge(interaction)) is not None:
            await self._show(interaction, await self._say(interaction, make, waited))

    async def _erase(self, interaction: Interaction, value: str) -> None:
        if await self._acknowledge(interaction) is None:
            return
        try:
            said = await self._erasing.press(interaction, value)
        except PaperboyError as error:
            said = error_message(error)
        await self._show(interaction, said)

    async def _submit(self, interaction: Interaction) -> None:
        if (waited := await self._acknowledge(interaction)) is None:
            return
        data: Mapping[str, Any] = interaction.data or {}
        _, value = read_custom_id(str(data.get("custom_id", ""))) or ("", "")
        fields = fields_from(data.get("components", []))
        said = await self._say(interaction, lambda: self._dialogs.command(value, fields), waited)
        await self._show(interaction, await self._dialogs.offer_again(said, value, fields))

    async def _say(self, interaction: Interaction, make: Make, waited: float) -> Message:
        try:
            request = replace(request_of(interaction, make()), acknowledged_in=waited)
            said = await self._dialogs.offer(await self._answer(request), request)
            return self._erasing.offer(said, interaction, request)
        except PaperboyError as error:
            return error_message(error)
        except Exception:  # whatever broke, the person is told, and the log gets it whole
            log.exception("Discord: a command failed")
            return Message(Kind.ERROR, lines=(text(FAILED),))

    async def _show(self, interaction: Interaction, message: Message) -> None:
        try:
            await self._place(interaction, message, list(self._render(message)))
        except DeliveryError as error:
            log.warning("Discord: an answer did not arrive: %s", error)

    async def _place(self, interaction: Interaction, message: Message, payloads: list[Payload]) -> None:
        """Put the answer where the acknowledgement left room for it."""
        hidden = 0 if message.public else EPHEMERAL
        if interaction.type is not discord.InteractionType.component:
            # What was acknowledged for the asker alone stays so, and a public answer needs a message of its own.
            stub = Message(Kind.ANSWER, lines=(text(POSTED),))
            first = self._render(stub)[0] if message.public else payloads.pop(0)
            await self._edit_original(interaction, first, EPHEMERAL)
        elif message.replaces and interaction.message is not None:
            await self._edit_original(interaction, payloads.pop(0), interaction.message.flags.value & EPHEMERAL)
        await self._continue(interaction, payloads, hidden)

    async def _continue(self, interaction: Interaction, payloads: list[Payload], hidden: int) -> None:
        """Let further messages follow, as many as Discord takes; the rest goes to the asker's direct messages."""
        surplus: list[Payload] = []
        if is_guest(interaction) and len(payloads) > MOST_FOLLOW_UPS:
            kept = MOST_FOLLOW_UPS - 1
            note = self._render(Message(Kind.ANSWER, lines=(text(CONTINUED),)))
            payloads, surplus = [*payloads[:kept], *note], payloads[kept:]
        for payload in payloads:
            await self._follow_up(interaction, payload, hidden)
        if surplus:
            await self._elsewhere(f"discord:@{interaction.user.id}", surplus)

    async def _edit_original(self, interaction: Interaction, payload: Payload, kept: int) -> None:
        """Fill or change the message that belongs to the interaction.

        An edit names every flag that the message has besides those that it changes:
        https://docs.discord.com/developers/resources/message#edit-message
        """
        await self._rest.call(
            "PATCH",
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            json={**payload, "flags": payload["flags"] | kept},
            webhook_id=interaction.application_id,
            webhook_token=interaction.token,
        )

    async def _follow_up(self, interaction: Interaction, payload: Payload, hidden: int) -> None:
        # Follow-ups know no nonce: one that may have arrived is not sent again.
        await self._rest.call(
            "POST",
            "/webhooks/{webhook_id}/{webhook_token}",
            json={**payload, "flags": payload["flags"] | hidden},
            params={"wait": "true", "with_components": "true"},
            repeatable=False,
            webhook_id=interaction.application_id,
            webhook_token=interaction.token,
        )


async def _acknowledge(interaction: Interaction) -> bool:
    """Acknowledge within Discord's 3 s; False when it is too late, or when somebody else has."""
    thinking = interaction.type is not discord.InteractionType.component
    for again in (False, True):
        try:
            await interaction.response.defer(ephemeral=True, thinking=thinking)
        except (aiohttp.ClientError, OSError):
            continue
        except discord.HTTPException as error:
            if again and error.code == ALREADY_ACKNOWLEDGED:
                return True
            log.warning("Discord: an interaction could not be acknowledged (%s, code %s)", error.status, error.code)
            return False
        return True
    log.warning("Discord: an interaction could not be acknowledged: the connection broke twice")
    return False
