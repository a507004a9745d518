"""Any Message becomes payloads that Slack takes, that lose no card, ping nobody and read as they were written."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from bots.slack.blocks import MOST_BLOCKS, MOST_TEXT, render
from bots.slack.markup import WORD_JOINER, link_url, one_line
from core.chat.cards import shorten
from core.chat.message import Button, Card, Kind, Link, Look, Message, Span, plain, text
from tests.servers.slack import complaints, strings

NASTY = [
    "<!channel>",
    "<@U1>",
    "@everyone",
    "*a*",
    "_b_",
    "~c~",
    "`d`",
    "&amp;",
    "a|b>c",
    "\n",
    "\x00",
    "é",
    "🔖",
    "x" * 400,
]
WORDS = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=30)), max_size=6).map(" ".join)
LONG = st.one_of(WORDS, st.sampled_from([0, 1, 40, 2000]).map(lambda count: "word " * count))
URLS = st.sampled_from(
    [
        "",
        "https://arxiv.org/abs/2310.01234",
        "https://x.org/?a=1&b=<|>",
        "javascript:alert(1)",
        "https://x.org/" + "a" * 480,
    ]
)
SPANS = st.builds(Span, WORDS, bold=st.booleans(), italic=st.booleans(), code=st.booleans(), url=URLS)
TEXTS = st.one_of(LONG.map(text), st.lists(SPANS, max_size=6).map(tuple))
BUTTONS = st.lists(
    st.builds(
        Button,
        label=WORDS,
        action=st.sampled_from(["up", "down", "page"]),
        value=st.text(max_size=80),
        look=st.sampled_from(Look),
    ),
    max_size=5,
).map(tuple)
CARDS = st.builds(
    Card,
    paper=st.sampled_from(["2310.01234", "math.GT/0309136"]),
    title=LONG,
    url=URLS,
    byline=LONG,
    facts=WORDS,
    why=WORDS,
    summary=LONG,
    summary_by=WORDS,
    links=st.lists(st.builds(Link, WORDS, URLS), max_size=5).map(tuple),
    buttons=BUTTONS,
)
MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(Kind),
    heading=LONG,
    lines=st.lists(TEXTS, max_size=6).map(tuple),
    cards=st.lists(CARDS, max_size=6).flatmap(lambda cards: st.integers(1, 6).map(lambda times: tuple(cards * times))),
    closing=st.lists(TEXTS, max_size=3).map(tuple),
    buttons=BUTTONS,
    sample=st.booleans(),
)
any_message = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def all_blocks(message):
    return [block for payload in render(message) for block in payload.get("blocks", ())]


def rich_elements(blocks):
    sections = (section for block in blocks if block["type"] == "rich_text" for section in block["elements"])
    return [element for section in sections for element in section["elements"]]


def bold_texts(blocks):
    return [item["text"] for item in rich_elements(blocks) if item.get("style", {}).get("bold")]


def shown_titles(message):
    return [shorten(one_line(card.title) or card.paper, 300) for card in message.cards]


def card(number=1, **changes):
    whole = Card(
        paper=f"2401.{number:05}",
        title=f"Paper number {number}",
        url=f"https://arxiv.org/abs/2401.{number:05}",
        byline="A. One, B. Two, C. Three + 5 more",
        facts="cs.LG · 2 Mar 2026",
        why="matches grokking",
        summary="It does what it says. " * 12,
        links=(Link("PDF", f"https://arxiv.org/pdf/2401.{number:05}"),),
        buttons=(Button("👍", "up", "x"), Button("👎", "down", "x"), Button("🔖", "save", "x")),
    )
    return replace(whole, **changes)


def digest(count, **changes):
    whole = Message(
        Kind.DIGEST,
        heading="Papers for #general",
        lines=(text("Monday 2 March 2026 · 5 of 212 new papers"),),
        cards=tuple(card(number) for number in range(count)),
        closing=(text("Thank you to arXiv."),),
    )
    return replace(whole, **changes)


@any_message
@given(MESSAGES)
def test_slack_takes_every_payload_of_any_message(message):
    for payload in render(message):
        assert 1 <= len(payload["text"]) <= 3500
        if "blocks" in payload:
            assert complaints(payload["blocks"]) == []
            assert len(payload["blocks"]) <= MOST_BLOCKS + 2 <= 45
            assert sum(map(len, strings(payload["blocks"], "text"))) <= MOST_TEXT + 200 <= 10_000
            for block in Block.parse_all(payload["blocks"]):
                block.to_dict()
        json.dumps(payload).encode()


@any_message
@given(MESSAGES)
def test_every_card_is_shown_once_in_order_however_long_the_message(message):
    shown = [words.replace(WORD_JOINER, "") for words in bold_texts(all_blocks(replace(message, heading="", lines=())))]
    assert shown == [title.replace(WORD_JOINER, "") for title in shown_titles(message)]


@any_message
@given(MESSAGES)
def test_nothing_pings_anybody(message):
    for payload in render(message):
        assert not re.search(r"<[!@#]", shown_words(payload))
        assert {item["type"] for item in rich_elements(payload.get("blocks", ()))} <= {"text", "link"}
        assert all(item["verbatim"] for item in mrkdwn_elements(payload))
        assert not re.search(r"[<>]", payload["text"])
        assert payload["mrkdwn"] is False


def shown_words(part):
    """Return all that people may see of a payload: what a button carries is for us alone."""
    if isinstance(part, dict):
        return "\n".join(shown_words(inner) for name, inner in part.items() if name != "value")
    return "\n".join(map(shown_words, part)) if isinstance(part, list) else str(part)


def mrkdwn_elements(payload):
    elements = (item for block in payload.get("blocks", ()) for item in block.get("elements", ()))
    return [item for item in elements if item["type"] == "mrkdwn"]


@any_message
@given(MESSAGES)
def test_every_link_in_mrkdwn_is_whole(message):
    for payload in render(message):
        for element in mrkdwn_elements(payload):
            rest = re.sub(r"<https?://[^\s<>|]+\|[^<>\n]+>", "", element["text"])
            assert not re.search(r"[<>]", rest)


@any_message
@given(MESSAGES)
def test_every_title_links_to_its_page_where_it_has_one(message):
    titles = [
        item
        for item in rich_elements(all_blocks(replace(message, heading="", lines=())))
        if item.get("style", {}).get("bold")
    ]
    assert [item.get("url", "") for item in titles] == [link_url(card.url) for card in message.cards]


@any_message
@given(MESSAGES)
@example(Message(Kind.DIGEST, heading="\n", buttons=(Button("", "up", ""),)))
def test_a_sample_says_so_in_every_payload(message):
    for payload in render(replace(message, sample=True)):
        assert "SAMPLE" in payload["text"]
        assert "blocks" not in payload or any("SAMPLE" in words for words in strings(payload["blocks"], "text"))


def test_what_is_no_sample_does_not_say_that_it_is_one():
    assert "SAMPLE" not in json.dumps(render(digest(20)))
    assert json.dumps(render(digest(20, sample=True))).count("SAMPLE") == 4


@any_message
@given(st.lists(TEXTS, max_size=8).map(tuple))
def test_no_line_of_an_answer_loses_a_character(lines):
    shown = "".join(item["text"] for item in rich_elements(all_blocks(Message(Kind.ANSWER, lines=lines))))

    def keep(words):
        return re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2060]", "", words)

    assert keep(shown) == keep("".join(plain(line) for line in lines))


def test_a_digest_reads_header_counts_papers_small_print():
    (payload,) = render(digest(2))
    kinds = [block["type"] for block in payload["blocks"]]
    assert kinds == [
        "header",
        "context",
        "rich_text",
        "context",
        "actions",
        "rich_text",
        "context",
        "actions",
        "context",
    ]
    assert payload["text"] == "Papers for #general\n• Paper number 0\n• Paper number 1"
    assert (payload["unfurl_links"], payload["unfurl_media"]) == (False, False)


def test_a_card_reads_title_why_summary_then_who_and_where():
    (payload,) = render(
        digest(1, cards=(card(7, summary="Short.", summary_by="AI summary by m"),), lines=(), closing=())
    )
    _, body, small, buttons = payload["blocks"]
    assert body["elements"][0]["elements"] == [
        {"type": "link", "url": "https://arxiv.org/abs/2401.00007", "text": "Paper number 7", "style": {"bold": True}},
        {"type": "text", "text": "\n"},
        {"type": "text", "text": "matches grokking", "style": {"italic": True}},
        {"type": "text", "text": "\n"},
        {"type": "text", "text": "Short."},
        {"type": "text", "text": " (AI summary by m)", "style": {"italic": True}},
    ]
    assert [element["text"] for element in small["elements"]] == [
        "A. One, B. Two, C. Three + 5 more · cs.LG · 2 Mar 2026",
        "<https://arxiv.org/pdf/2401.00007|PDF>",
    ]
    assert [(item["action_id"], item["value"]) for item in buttons["elements"]] == [
        ("paperboy:up", "x"),
        ("paperboy:down", "x"),
        ("paperboy:save", "x"),
    ]


def test_a_title_with_markup_stands_as_it_was_typed():
    title = "@everyone *Attention* is ~not~ all_you_need: `code`, A&B, 1 < 2"
    assert bold_texts(all_blocks(digest(1, cards=(card(title=title),)))) == [title]


def test_what_is_too_much_for_one_post_goes_on_and_the_post_says_how_many():
    first, second = render(digest(20))
    shown = len(bold_texts(first["blocks"]))
    assert first["blocks"][-1]["elements"][0]["text"] == f"{20 - shown} more papers below ↓"
    assert second["text"].startswith(f"Papers for #general · continued\n• Paper number {shown}\n")
    assert second["blocks"][-1]["elements"][0]["text"] == "Thank you to arXiv."


def test_fifty_long_papers_fit_into_what_a_response_url_takes():
    assert len(render(digest(50))) <= 5


def test_over_long_texts_end_in_an_ellipsis():
    (payload,) = render(digest(1, heading="Head " * 90, cards=(card(title="Title " * 90, summary="Sum " * 200),)))
    header, title = payload["blocks"][0]["text"]["text"], bold_texts(payload["blocks"])[0]
    assert (header[-1], len(header) <= 150) == ("…", True)
    assert (title[-1], len(title) <= 300) == ("…", True)


def test_two_buttons_of_one_kind_get_two_names():
    pages = (Button("Back", "page", "0 x"), Button("More", "page", "10 x"), Button("Share here", "share", "5 x"))
    (payload,) = render(Message(Kind.ANSWER, lines=(text("hits"),), buttons=pages))
    names = [item["action_id"] for item in payload["blocks"][-1]["elements"]]
    assert names == ["paperboy:page", "paperboy:page:2", "paperboy:share"]


def test_a_button_keeps_its_look_and_a_plain_one_has_none():
    buttons = (Button("Yes", "yes", "1", Look.PRIMARY), Button("No", "no", "", Look.DANGER), Button("?", "help", "1"))
    (payload,) = render(Message(Kind.ANSWER, buttons=buttons))
    elements = payload["blocks"][0]["elements"]
    assert [item.get("style") for item in elements] == ["primary", "danger", None]
    assert ["value" in item for item in elements] == [True, False, True]


def test_an_error_is_one_line_with_a_sign_and_its_hint_below():
    (payload,) = render(Message(Kind.ERROR, lines=(text("No such command."), text("Try /papers help."))))
    (block,) = payload["blocks"]
    assert "".join(item["text"] for item in rich_elements([block])) == "⚠️ No such command.\nTry /papers help."
    assert payload["text"].startswith("⚠️ No such command.")


def test_an_error_with_a_heading_begins_with_it():
    (payload,) = render(Message(Kind.ERROR, heading="Slack is away", lines=(text("Later."),)))
    assert payload["text"] == "⚠️ Slack is away Later."


@pytest.mark.parametrize("kind", [Kind.ANSWER, Kind.ERROR])
def test_a_listing_keeps_its_lines(kind):
    bibtex = "@misc{a,\n  title={b}\n}"
    payload = render(Message(kind, lines=(text("Here:"), text(Span(bibtex, code=True)))))[0]
    listing = payload["blocks"][-1]["elements"][0]
    assert listing == {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": bibtex}]}


def test_a_silence_is_a_sentence_and_not_small_print():
    (payload,) = render(digest(0, heading="", lines=(text("Nothing today: arXiv is closed."),), closing=()))
    assert [block["type"] for block in payload["blocks"]] == ["rich_text"]
    assert payload["text"] == "Nothing today: arXiv is closed."


def test_small_print_keeps_its_links():
    line = text("Thanks to ", Span("arXiv", url="https://arxiv.org"), ".")
    (payload,) = render(digest(1, closing=(line,)))
    assert payload["blocks"][-1]["elements"] == [
        {"type": "mrkdwn", "text": "Thanks to <https://arxiv.org|arXiv>.", "verbatim": True}
    ]


def test_a_message_of_nothing_is_still_one_that_slack_takes():
    (payload,) = render(Message(Kind.ANSWER))
    assert payload["text"] == "paperboy"
    assert "blocks" not in payload
