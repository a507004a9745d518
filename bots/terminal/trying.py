"""`backtest`: interests tried on what the library holds; reads, and sends nothing."""

from __future__ import annotations

import json
from argparse import Namespace

from bots.house import open_house
from bots.terminal.output import write_out
from bots.terminal.render import to_screen
from bots.topics import read_topics
from core.chat.message import Kind, Message
from core.chat.trials import trial_json, trial_lines
from core.search.query import parse
from core.settings import Settings

TITLES = 5


async def backtest(arguments: Namespace, settings: Settings) -> int:
    """Print what interests would have delivered over the last days."""
    interests = read_topics().expand(arguments.interests)
    parse(interests)
    async with open_house(settings, owner=False) as house:
        trial = await house.newsroom.try_interests(interests, house.clock(), days=arguments.days, top=TITLES)
    if arguments.json:
        write_out(json.dumps(trial_json(trial), ensure_ascii=False))
        return 0
    message = Message(Kind.ANSWER, lines=tuple(trial_lines(trial)))
    write_out(to_screen(message))
    return 0
