"""Any Message whatever, on every registered platform: it is taken, whole, pings nobody and breaks no link."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simcord.components import validate_message_state
from slack_sdk.models.blocks import Block

from bots import PLATFORMS
from core.chat.message import Button, Card, Kind, Link, Look, Message, Span
from tests.contract.test_platforms import live_words, make
from tests.servers.discord_limits import problems
from tests.servers.slack import complaints

NASTY = (
    *("@everyone", "@here", "<!channel>", "<!subteam^S1>", "<@U1>", "<@400>", "<@&200>", "<#C1>", "</papers:1>"),
    *("*_~`|>#-", "```", "](https://evil.example)", "<https://evil.example|x>", "[x](y)", "&amp;&lt;", "\\", "||x||"),
    *("<script>alert(1)</script>", '"><img src=x>', "javascript:alert(1)", "\r\nBcc: all@example.org\r\n\r\n"),
    *("\u202eesrever\u202c", "\u2066iso\u2069", "\u200b\u200d\ufeff", "e" + "\u0301" * 40, "مرحبا שלום"),
    *("👩\u200d👩\u200d👧" * 9, "\x00\x07\x1b[31m", "\ud83d", "\u2028\u2029", "$\\frac{a}{b}$", "ﷺ" * 50, "W" * 5000),
)
WORDS = st.one_of(
    st.text(max_size=60),
    st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=12)), max_size=5).map(" ".join),
    st.sampled_from([3, 400, 3000]).map(lambda count: "Ada Lovelace, " * count),
)
ADDRESSES = st.sampled_from(
    [
        "https://arxiv.org/abs/2310.01234",
        "https://example.org/a_(b)_*c*?x=1&y=<z>#~d|e",
        "https://example.org/" + "long/" * 90,
    ]
)
PATHS = (*("javascript:alert(1)", "https://x y", "", "ftp://example.org", "https://a.org/\r\nSet-Cookie: x"),)
URLS = st.one_of(ADDRESSES, st.sampled_from(PATHS))
SPANS = st.builds(Span, WORDS, st.booleans(), st.booleans(), st.booleans(), URLS)
LINES = st.lists(st.lists(SPANS, max_size=3).map(tuple), max_size=3).map(tuple)
BUTTONS = st.lists(
    st.builds(Button, WORDS, st.sampled_from(["up", "page", "more"]), st.text(max_size=80), st.sampled_from(Look)),
    max_size=5,
).map(tuple)


@st.composite
def cards(draw):
    """Cards that can be told apart: the beginning of each title is its own, and so is its page."""
    made = []
    for number in range(draw(st.integers(0, 12))):
        links = draw(st.lists(st.builds(Link, WORDS, URLS), max_size=4))
        fields = {name: draw(WORDS) for name in ("byline", "facts", "why", "summary", "summary_by")}
        title, url = f"item{number:03}x {draw(WORDS)}", f"https://arxiv.org/abs/2311.{number:05}"
        made.append(Card(f"2311.{number:05}", title, url, links=tuple(links), buttons=draw(BUTTONS), **fields))
    return tuple(made)


MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(Kind),
    heading=WORDS,
    lines=LINES,
    cards=cards(),
    closing=LINES,
    buttons=BUTTONS,
    sample=st.booleans(),
)
any_message = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(name="platform", params=PLATFORMS)
async def make_platform(request):
    made = make(request.param)
    yield made
    await made.close()


def slack_refuses(payload):
    blocks = payload.get("blocks", [])
    for block in Block.parse_all(blocks):
        block.to_dict()
    found = complaints(blocks) if blocks else []
    return found if 1 <= len(payload["text"]) <= 4000 else [*found, "the text"]


def discord_refuses(payload):
    components = json.loads(json.dumps(payload["components"]))
    validate_message_state(components, flags=payload["flags"], content=None, embeds=[])
    return problems(payload)


class _Tags(HTMLParser):
    """What a mail may not hold, of what it holds."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "iframe", "object", "form"} or any(name.startswith("on") for name, _ in attrs):
            self.found.append(f"<{tag}>")
        self.found += [f"{value}" for name, value in attrs if name == "href" and not str(value).startswith("http")]


def email_refuses(payload):
    tags = _Tags()
    tags.feed(payload["html"])
    return [*tags.found, *(["the subject"] if re.search(r"[\r\n]", payload["subject"]) else [])]


REFUSALS = {"slack": slack_refuses, "discord": discord_refuses, "email": email_refuses}


def said(payloads):
    """All that is said, in order and as it was before it was escaped for anybody."""

    def words(part):
        if isinstance(part, dict):
            return "\n".join(words(inner) for name, inner in part.items() if name != "text" or "blocks" not in part)
        return "\n".join(map(words, part)) if isinstance(part, list | tuple) else str(part)

    return unquote(unescape("\n".join(words(payload) for payload in payloads)))


def test_each_platform_has_somebody_who_says_what_it_refuses():
    assert set(REFUSALS) == set(PLATFORMS)


@any_message
@given(MESSAGES)
async def test_the_platform_takes_all_of_it(platform, message):
    payloads = platform.payload(message)
    assert payloads
    assert [found for payload in payloads if (found := REFUSALS[platform.name](payload))] == []
    json.dumps(payloads, ensure_ascii=False).encode()


@any_message
@given(MESSAGES)
async def test_no_item_is_lost_or_out_of_order_and_each_links_to_its_page(platform, message):
    payloads = platform.payload(message)
    if platform.name == "email":  # one letter in two forms, each of them whole
        payloads = [{"html": payload["html"]} for payload in payloads]
    whole = said(payloads)
    titles = re.findall(r"item(\d{3})x", whole)
    assert list(dict.fromkeys(titles)) == [f"{number:03}" for number in range(len(message.cards))]
    assert [card.paper for card in message.cards if card.url not in whole] == []


@any_message
@given(MESSAGES)
async def test_nobody_is_pinged(platform, message):
    for payload in platform.payload(message):
        if platform.name == "slack":
            assert not {"link_names", "parse"} & payload.keys()
            assert not re.search(r"<[!@#]", live_words(without_values(payload)))
        if platform.name == "discord":
            assert payload["allowed_mentions"] == {"parse": []}
            assert [problem for problem in problems(payload) if "mentioned" in problem] == []
        if platform.name == "email":
            assert not re.search(r"<(?:!(?!doctype|--)|[@#])", payload["html"])


def without_values(part):
    """A payload without what its buttons carry, which is for paperboy alone."""
    if isinstance(part, dict):
        return {name: without_values(inner) for name, inner in part.items() if name != "value"}
    return list(map(without_values, part)) if isinstance(part, list) else part


@any_message
@given(MESSAGES, ADDRESSES)
async def test_an_address_stands_whole_or_not_at_all(platform, message, address):
    whole = said(platform.payload(Message(message.kind, message.heading, ((Span("here", url=address),),))))
    assert whole.count(address[:26]) == whole.count(address)
