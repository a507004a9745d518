"""The `/papers` group as Discord shows it: subcommands with typed options -> Command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import discord
from discord import app_commands

from bots.discord.mentioned import papers_in, words_in
from bots.discord.suggestions import MOST, suggest_days, suggest_times, suggest_timezones, suggest_topics
from bots.topics import read_topics
from core.chat import commands as c
from core.chat.parsing import FORMS, MAX_TOP, options_from, parse_date
from core.errors import UsageError

Interaction: TypeAlias = discord.Interaction[discord.Client]
Make: TypeAlias = Callable[[], c.Command]
Respond: TypeAlias = Callable[[Interaction, Make], Awaitable[None]]
"""Acknowledges first, then makes the Command (a UsageError is told to the asker) and answers it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where commands are answered.

    Attributes:
        respond: answers a Command.
        open_form: shows the form with this value instead.
        papers: offers papers for what was typed.
        numbers: offers (what is shown, number) of subscriptions.
    """

    respond: Respond
    open_form: Callable[[Interaction, str], Awaitable[None]]
    papers: Callable[[Interaction, str], Awaitable[list[app_commands.Choice[str]]]]
    numbers: Callable[[Interaction, str], Awaitable[list[tuple[str, int]]]]


_OPTIONS = {
    "at": "Local time of delivery, such as 08:30; with when_ready the latest time",
    "when_ready": "Send as soon as the day's papers are in",
    "timezone": "Where that time holds: start typing a city",
    "days": "daily, weekdays, weekly, or names such as mon,thu",
    "top": "How many papers at most",
    "quiet": "Say nothing on a day without papers",
    "no_repeats": "Leave out what other channels beside this one have shown",
}
_PAPER = "The beginning of its title, its id, DOI or address, such as 2310.01234"
_NUMBER = "Its number in /papers list"
_ALL = frozenset({"a", "al", "all"})
_CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
_INSTALLS = app_commands.AppInstallationType(guild=True, user=True)
# Discord knows one limit for all of `/papers`: whoever may use commands may search. Who may change a channel's
# subscriptions is asked when somebody does (`rights`).
_EVERYBODY = discord.Permissions(use_application_commands=True)

Number: TypeAlias = app_commands.Range[int, 1]
Top: TypeAlias = app_commands.Range[int, 1, MAX_TOP]


async def _times(_: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return _choices(suggest_times(typed))


async def _timezones(_: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return _choices(suggest_timezones(typed))


async def _days(_: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return _choices(suggest_days(typed))


async def _interests(_: Interaction, typed: str) -> list[app_commands.Choice[str]]:
    found = suggest_topics(typed, read_topics())
    return [app_commands.Choice(name=name, value=value) for name, value in found]


def _choices(values: list[str]) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=value, value=value) for value in values]


_suggest = app_commands.autocomplete(at=_times, timezone=_timezones, days=_days, interests=_interests)


class Papers(app_commands.Group):
    """`/papers`, in servers and in direct messages."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(
            name="papers",
            description="The day's research papers: search them, and have the few that matter delivered here",
            allowed_contexts=_CONTEXTS,
            allowed_installs=_INSTALLS,
            default_permissions=_EVERYBODY,
        )
        self._desk = desk
        self._respond = desk.respond

    async def _papers(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return await self._desk.papers(interaction, typed)

    async def _numbers(self, interaction: Interaction, typed: object) -> list[app_commands.Choice[int]]:
        found = await self._desk.numbers(interaction, str(typed))
        return [app_commands.Choice(name=name, value=number) for name, number in found]

    async def _numbers_or_all(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        found = await self._desk.numbers(interaction, typed if typed.lower() not in _ALL else "")
        every = [app_commands.Choice(name="all of them", value="all")] if len(found) > 1 else []
        return [app_commands.Choice(name=name, value=str(number)) for name, number in found][: MOST - 1] + every

    @app_commands.command(description="Find papers; only you see the answer, until you share it")
    @app_commands.describe(query='Words, "a phrase", au:"A Name", cat:cs.LG, -without')
    async def search(self, interaction: Interaction, query: str) -> None:
        """`search QUERY`."""
        await self._respond(interaction, lambda: c.Search(query))

    @app_commands.command(description="Today's digest of this channel, or of everything when it has no subscription")
    async def today(self, interaction: Interaction) -> None:
        """`today`."""
        await self._respond(interaction, c.Today)

    @app_commands.command(description="Have the papers that matter delivered here")
    @app_commands.describe(
        interests="Such as: diffusion models -survey, or a ready-made one; empty means everything", **_OPTIONS
    )
    @_suggest
    async def subscribe(  # noqa: PLR0913 - Discord's typed options are arguments
        self,
        interaction: Interaction,
        *,
        interests: str = "",
        at: str | None = None,
        when_ready: bool | None = None,
        timezone: str | None = None,
        days: str | None = None,
        top: Top | None = None,
        quiet: bool | None = None,
        no_repeats: bool | None = None,
    ) -> None:
        """`subscribe INTERESTS [options]`; with nothing said it is asked for in a form."""
        said: dict[str, Any] = {"at": at, "when_ready": when_ready, "timezone": timezone, "days": days}
        said |= {"top": top, "quiet": quiet, "no_repeats": no_repeats}
        if not interests.strip() and all(value is None for value in said.values()):
            await self._desk.open_form(interaction, "subscribe")
            return
        await self._respond(interaction, lambda: c.Subscribe(interests.strip(), options_from(**said)))

    @app_commands.command(name="list", description="The subscriptions of this channel, with their numbers")
    async def list_all(self, interaction: Interaction) -> None:
        """`list`."""
        await self._respond(interaction, c.ListAll)

    @app_commands.command(description="End a subscription of this channel")
    @app_commands.describe(number=f"{_NUMBER}, or all")
    @app_commands.autocomplete(number=_numbers_or_all)
    async def unsubscribe(self, interaction: Interaction, number: str) -> None:
        """`unsubscribe N|all`."""
        await self._respond(interaction, lambda: c.Unsubscribe(read_number_or_all(number)))

    @app_commands.command(description="Pause a subscription of this channel")
    @app_commands.describe(number=_NUMBER)
    @app_commands.autocomplete(number=_numbers)
    async def pause(self, interaction: Interaction, number: Number) -> None:
        """`pause N`."""
        await self._respond(interaction, lambda: c.Pause(number))

    @app_commands.command(description="Go on with a paused subscription")
    @app_commands.describe(number=_NUMBER)
    @app_commands.autocomplete(number=_numbers)
    async def resume(self, interaction: Interaction, number: Number) -> None:
        """`resume N`."""
        await self._respond(interaction, lambda: c.Resume(number))

    @app_commands.command(description="Change a subscription; what you leave out stays as it is")
    @app_commands.describe(number=_NUMBER, interests="What about, instead of what it was", **_OPTIONS)
    @_suggest
    @app_commands.autocomplete(number=_numbers)
    async def edit(  # noqa: PLR0913 - Discord's typed options are arguments
        self,
        interaction: Interaction,
        *,
        number: Number,
        interests: str | None = None,
        at: str | None = None,
        when_ready: bool | None = None,
        timezone: str | None = None,
        days: str | None = None,
        top: Top | None = None,
        quiet: bool | None = None,
        no_repeats: bool | None = None,
    ) -> None:
        """`edit N [INTERESTS] [options]`; with nothing named to change it is shown in a form."""
        said: dict[str, Any] = {"at": at, "when_ready": when_ready, "timezone": timezone, "days": days}
        said |= {"top": top, "quiet": quiet, "no_repeats": no_repeats}
        if not interests and all(value is None for value in said.values()):
            await self._desk.open_form(interaction, f"edit {number}")
            return
        await self._respond(interaction, lambda: c.Edit(number, interests or None, options_from(**said)))

    @app_commands.command(description="Send a subscription's digest now, or a missed day's")
    @app_commands.describe(number=_NUMBER, date="A missed day, such as 2026-11-23", again="Show it though it was sent")
    @app_commands.autocomplete(number=_numbers)
    async def send(
        self, interaction: Interaction, number: Number, date: str | None = None, again: bool | None = None
    ) -> None:
        """`send N [DATE] [again]`."""
        await self._respond(interaction, lambda: c.Send(number, parse_date(date) if date else None, bool(again)))

    @app_commands.command(description="Why a paper was delivered here, or was not")
    @app_commands.describe(paper=_PAPER)
    @app_commands.autocomplete(paper=_papers)
    async def why(self, interaction: Interaction, paper: str) -> None:
        """`why ID`."""
        await self._respond(interaction, lambda: c.Why(paper))

    @app_commands.command(description="The papers nearest to one paper")
    @app_commands.describe(paper=_PAPER)
    @app_commands.autocomplete(paper=_papers)
    async def similar(self, interaction: Interaction, paper: str) -> None:
        """`similar ID`."""
        await self._respond(interaction, lambda: c.Similar(paper))

    @app_commands.command(description="A paper's BibTeX entry")
    @app_commands.describe(paper=_PAPER)
    @app_commands.autocomplete(paper=_papers)
    async def cite(self, interaction: Interaction, paper: str) -> None:
        """`cite ID`."""
        await self._respond(interaction, lambda: c.Cite(paper))

    @app_commands.command(description="The papers you marked 🔖, or all of them for your reference manager")
    @app_commands.describe(form="For a reference manager")
    async def saved(self, interaction: Interaction, form: Literal["bibtex", "ris"] | None = None) -> None:
        """`saved [bibtex|ris]`."""
        await self._respond(interaction, lambda: c.Saved(form or ""))

    @app_commands.command(description="What the 👍 and 👎 of this channel have taught")
    @app_commands.describe(reset="Forget all of it")
    async def taste(self, interaction: Interaction, *, reset: bool = False) -> None:
        """`taste [reset]`."""
        await self._respond(interaction, lambda: c.Taste(reset))

    @app_commands.command(description="Every command, and how to write interests and queries")
    async def help(self, interaction: Interaction) -> None:
        """`help`."""
        await self._respond(interaction, c.Help)


def about_messages(desk: Desk) -> Iterator[app_commands.ContextMenu]:
    """Return what the menu of a message offers."""
    for name, action in (("Find similar papers", "more"), ("Why this", "why")):
        menu = app_commands.ContextMenu(
            name=name,
            callback=_about(desk, action),
            type=discord.AppCommandType.message,
            allowed_contexts=_CONTEXTS,
            allowed_installs=_INSTALLS,
        )
        menu.default_permissions = _EVERYBODY
        yield menu


def _about(desk: Desk, action: str) -> Callable[[Interaction, discord.Message], Coroutine[Any, Any, None]]:
    async def answer(interaction: Interaction, message: discord.Message) -> None:
        data: Any = interaction.data or {}
        said = data.get("resolved", {}).get("messages", {}).get(str(message.id), {})
        await desk.respond(interaction, lambda: c.About(papers_in(said), words_in(said), action))

    return answer


def read_number_or_all(typed: str) -> int | None:
    """Return the number of a subscription, None for all.

    Raises:
        UsageError: it is neither.
    """
    word = str(typed).strip().lower().removeprefix("#")
    if word == "all":
        return None
    if not (word.isascii() and word.isdigit()) or len(word) > 6:
        raise UsageError(f"{word[:40]!r} is not the number of a subscription.", hint=f"Write: {FORMS['unsubscribe']}")
    return int(word)
