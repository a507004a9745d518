"""Commands that change a place's subscriptions, and their list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from core.chat import commands as c
from core.chat.message import Kind, Message, Text, text
from core.chat.namesakes import people_lines
from core.chat.newsroom import Newsroom
from core.chat.parsing import parse_days
from core.chat.render import subject, subscription_line
from core.chat.times import next_words, when_words
from core.chat.trials import trial_lines
from core.digests.subscription import Pause, Subscription, next_due
from core.digests.topics import Topics
from core.errors import QueryError, UsageError
from core.search.query import one_line, parse
from core.settings import Settings
from core.store import Change, Store

LATELY_DAYS = 7
LATELY_TITLES = 3
MAX_SUBSCRIPTIONS = 25

Reachable = Callable[[str], Awaitable[str | None]]
"""Tells why paperboy cannot post at an address, with the mend; None when it can."""


class Orders:
    """Subscribe, list, edit, pause, resume, unsubscribe."""

    def __init__(
        self,
        *,
        store: Store,
        newsroom: Newsroom,
        settings: Settings,
        reachable: Reachable,
        new_id: Callable[[], str],
        topics: Topics | None = None,
    ) -> None:
        self._topics = topics or Topics()
        self._store = store
        self._newsroom = newsroom
        self._settings = settings
        self._reachable = reachable
        self._new_id = new_id

    async def subscribe(self, command: c.Subscribe, request: c.Request, now: datetime) -> Message:
        """Keep a new subscription and show what it would have delivered lately."""
        require_rights(request, self._settings)
        command = replace(command, interests=one_line(self._topics.expand(command.interests)))
        parse(command.interests)
        draft = self._draft(command, request, now)
        outlook = await self._outlook(draft, now)  # takes its time, so what is there already is asked afterwards
        mine = await self._store.subscriptions(request.place)
        if len(mine) >= MAX_SUBSCRIPTIONS:
            raise UsageError(f"A place can have {MAX_SUBSCRIPTIONS} subscriptions, and this one has {len(mine)}.")
        same = next((item for item in mine if _orders_the_same(item, draft)), None)
        if same is not None:
            raise UsageError(f"This place is subscribed to that already, as #{same.number}.")
        what = f"subscribed to {command.interests or 'everything'}, {when_words(draft)}"
        kept = await self._store.add_subscription(draft, _change(request, now, what))
        called = self._called(kept.interests)
        opening = text(f"Subscribed as #{kept.number} to ", *called, f", {when_words(kept)}.")
        lines = [opening, *outlook]
        if problem := await self._reachable(request.place):
            lines.append(text(problem))
        return Message(Kind.ANSWER, lines=tuple(lines))

    async def preview(self, command: c.Preview, _request: c.Request, now: datetime) -> Message:
        """Show what interests would have delivered lately; QueryError where they cannot be read."""
        parse(command.interests)
        return Message(Kind.ANSWER, lines=tuple(await self._lately(self._topics.expand(command.interests), now)))

    async def list_all(self, _command: c.ListAll, request: c.Request, now: datetime) -> Message:
        """List the subscriptions of the place."""
        mine = await self._store.subscriptions(request.place)
        if not mine:
            return _say("No subscriptions here yet. Begin with: /papers subscribe INTERESTS")
        return Message(
            Kind.ANSWER,
            heading="Subscriptions here" if not request.private else "Your subscriptions",
            lines=tuple(subscription_line(item, next_due(item, now)) for item in mine),
        )

    async def unsubscribe(self, command: c.Unsubscribe, request: c.Request, now: datetime) -> Message:
        """Forget one subscription of the place, or all."""
        require_rights(request, self._settings)
        mine = await self._store.subscriptions(request.place)
        if command.number is not None:
            chosen: Sequence[Subscription] = [numbered(mine, command.number)]
        elif mine:
            chosen = mine
        else:
            return _say("There was nothing to unsubscribe here.")
        names = ", ".join(f"#{item.number} {item.interests or 'everything'}" for item in chosen)
        change = _change(request, now, f"unsubscribed {names}")
        await self._store.remove_subscriptions([item.id for item in chosen], change)
        return _say(f"Unsubscribed: {names}.")

    async def pause(self, command: c.Pause, request: c.Request, now: datetime) -> Message:
        """Stop a subscription's digests until it is resumed."""
        require_rights(request, self._settings)
        found = numbered(await self._store.subscriptions(request.place), command.number)
        if found.pause is not None and found.pause.by_hand:
            return _say(f"#{found.number} is paused already.")
        paused = replace(found, pause=Pause("by request", now))
        await self._store.replace_subscription(paused, _change(request, now, f"paused #{found.number}"))
        return _say(f"Paused #{found.number}; /papers resume {found.number} continues it.")

    async def resume(self, command: c.Resume, request: c.Request, now: datetime) -> Message:
        """Continue a paused subscription."""
        require_rights(request, self._settings)
        found = numbered(await self._store.subscriptions(request.place), command.number)
        if found.pause is None:
            return _say(f"#{found.number} is not paused.")
        resumed = replace(found, pause=None, active_from=now)
        await self._store.replace_subscription(resumed, _change(request, now, f"resumed #{found.number}"))
        problem = await self._reachable(request.place)
        lines = [text(f"Resumed #{found.number}; next digest {_next(resumed, now)}.")]
        return Message(Kind.ANSWER, lines=(*lines, *([text(problem)] if problem else [])))

    async def edit(self, command: c.Edit, request: c.Request, now: datetime) -> Message:
        """Change a subscription's interests or options; what is not said stays."""
        require_rights(request, self._settings)
        if command.interests is not None:
            command = replace(command, interests=one_line(self._topics.expand(command.interests)))
            parse(command.interests or "")
        changed = await self._edited(command, request, now)
        try:
            outlook = await self._outlook(changed, now)
        except QueryError as error:  # of interests that stay as they are, the library may have lost what they name
            if command.interests is not None:
                raise
            outlook = [text(str(error))]
        changed = await self._edited(command, request, now)  # meanwhile it may have been paused
        await self._store.replace_subscription(
            changed, _change(request, now, f"changed #{changed.number} to {changed.interests}, {when_words(changed)}")
        )
        opening = text(f"#{changed.number} is now ", *self._called(changed.interests), f", {when_words(changed)}.")
        return Message(Kind.ANSWER, lines=(opening, *outlook))

    async def _edited(self, command: c.Edit, request: c.Request, now: datetime) -> Subscription:
        """Return a subscription as it stands now, changed; UsageError when nothing would change."""
        found = numbered(await self._store.subscriptions(request.place), command.number)
        changed = _with_options(found, command.options, command.interests)
        if changed == found:
            raise UsageError(
                "Nothing was named to change.",
                hint=f"Write, for example: /papers edit {found.number} at 09:00 top 3",
            )
        return replace(changed, active_from=now) if changed.days != found.days else changed

    def _called(self, interests: str) -> Text:
        """Return interests as they stand in a sentence; ready-made ones by their name, with what they say."""
        name = self._topics.call(interests)
        return subject(interests) if name == interests else (*subject(name), *text(" (", *subject(interests), ")"))

    def _draft(self, command: c.Subscribe, request: c.Request, now: datetime) -> Subscription:
        defaults = self._settings.digest
        days, weekly = parse_days(defaults.days)
        plain = Subscription(
            id=self._new_id(),
            address=request.place,
            number=0,
            interests=command.interests,
            at=None if command.options.when_ready else defaults.at,
            timezone=request.timezone or defaults.timezone,
            days=days,
            weekly=weekly,
            top=defaults.top,
            no_repeats=defaults.no_repeats,
            created_by=request.person,
            created_at=now,
            active_from=now,
        )
        return _with_options(plain, command.options, None)

    async def _outlook(self, subscription: Subscription, now: datetime) -> list[Text]:
        """Tell what the subscription would have been offered lately, and when its next digest comes.

        Raises:
            QueryError: the interests name a paper that the library does not hold; asked before anything is kept.
        """
        seen = await self._lately(subscription.interests, now)
        return [*seen, text(f"Next digest: {_next(subscription, now)}.")]

    async def _lately(self, interests: str, now: datetime) -> list[Text]:
        trial = await self._newsroom.try_interests(interests, now, days=LATELY_DAYS, top=LATELY_TITLES)
        return [*trial_lines(trial), *await people_lines(trial.query, self._newsroom.engine)]


def _next(subscription: Subscription, now: datetime) -> str:
    moment = next_due(subscription, now)
    if moment is None:
        return "when it is resumed"
    return f"{next_words(moment, subscription.timezone)} ({subscription.timezone})"


def _with_options(subscription: Subscription, options: c.Options, interests: str | None) -> Subscription:
    changed = replace(
        subscription,
        interests=subscription.interests if interests is None else interests,
        timezone=options.timezone or subscription.timezone,
        days=options.days or subscription.days,
        weekly=subscription.weekly if options.weekly is None else options.weekly,
        top=options.top or subscription.top,
        quiet=subscription.quiet if options.quiet is None else options.quiet,
        no_repeats=subscription.no_repeats if options.no_repeats is None else options.no_repeats,
    )
    if options.when_ready:
        return replace(changed, when_ready=True, at=options.by)
    return replace(changed, when_ready=False, at=options.at) if options.at is not None else changed


def _orders_the_same(one: Subscription, other: Subscription) -> bool:
    return (one.interests, one.at, one.timezone, one.days, one.when_ready) == (
        other.interests,
        other.at,
        other.timezone,
        other.days,
        other.when_ready,
    )


def require_rights(request: c.Request, settings: Settings) -> None:
    """Raise UsageError when the asker may not change what a place receives."""
    if request.may_manage is False and not settings.chat.everyone_may_subscribe:
        raise UsageError(
            "Changing what this channel receives needs the right to manage the channel.",
            hint="Ask somebody who has it, or subscribe for yourself in a direct message with me.",
        )


def numbered(subscriptions: Sequence[Subscription], number: int) -> Subscription:
    """Return the subscription with a number; UsageError with those that there are otherwise."""
    for item in subscriptions:
        if item.number == number:
            return item
    known = ", ".join(f"#{item.number}" for item in subscriptions)
    raise UsageError(f"There is no #{number} here.", hint=f"There is {known}." if known else "There are none yet.")


def _change(request: c.Request, now: datetime, what: str) -> Change:
    return Change(at=now, address=request.place, person=request.person, what=what)


def _say(sentence: str) -> Message:
    return Message(Kind.ANSWER, lines=(text(sentence),))
