from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simcord.components import validate_message_state

from bots.discord.marks import component_id, marked, nonce, parts_among
from bots.discord.payload import payloads, read_custom_id
from core.chat.message import Button, Card, Kind, Link, Look, Message, Span, text
from tests.servers.discord_limits import problems, walk

NASTY = st.sampled_from(
    [
        "@everyone",
        "<@1>",
        "<@&2>",
        "*_~`|>#-[](x)",
        "](https://evil.example)",
        "```",
        "👍" * 90,
        "\n# x\n- y",
        "\u202e",
        "",
    ]
)
WORDS = st.one_of(st.text(max_size=120), NASTY, st.text(max_size=20).map(lambda part: part * 60))
URLS = st.one_of(
    st.just(""),
    st.integers(0, 99999).map(lambda number: f"https://arxiv.org/abs/2310.{number:05}"),
    st.text(alphabet="abc()[] <>\"'_*~|", max_size=80).map(lambda path: f"https://example.org/{path}"),
    st.just("javascript:alert(1)"),
)
BUTTONS = st.lists(
    st.builds(
        Button,
        label=WORDS,
        action=st.from_regex(r"[a-z_]{1,16}", fullmatch=True),
        value=st.one_of(st.just("same"), st.text(max_size=80)),
        look=st.sampled_from(Look),
    ),
    max_size=5,
).map(tuple)
LINKS = st.lists(st.builds(Link, WORDS, URLS), max_size=6).map(tuple)
CARDS = st.lists(
    st.builds(
        Card,
        paper=st.just("2310.01234"),
        title=WORDS,
        url=URLS,
        byline=WORDS,
        facts=WORDS,
        why=WORDS,
        summary=WORDS,
        summary_by=WORDS,
        links=LINKS,
        buttons=BUTTONS,
    ),
    max_size=6,  # enough for several messages, and little enough to be shrunk quickly
).map(tuple)
LINES = st.lists(
    st.lists(st.builds(Span, WORDS, st.booleans(), st.booleans(), st.booleans(), URLS), max_size=3).map(tuple),
    max_size=4,
).map(tuple)
MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(Kind),
    heading=WORDS,
    lines=LINES,
    cards=CARDS,
    closing=LINES,
    buttons=BUTTONS,
    sample=st.booleans(),
)


def contents(bodies):
    return [item["content"] for body in bodies for item in walk(body["components"]) if "content" in item]


def buttons_of(body):
    return [item for item in walk(body["components"]) if item["type"] == 2]


def digest_card(number, **changes):
    card = Card(
        paper=f"2310.{number:05}",
        title=f"Paper number {number}",
        url=f"https://arxiv.org/abs/2310.{number:05}",
        byline="Ada Lovelace, Alan Turing, Grace Hopper and 4 more",
        facts="cs.LG · 23 November 2026",
        why="matches grokking",
        summary="We show that it works. " * 30,
        links=(Link("PDF", f"https://arxiv.org/pdf/2310.{number:05}"),),
        buttons=tuple(
            Button(label, action, f"2310.{number:05}")
            for label, action in (("👍", "up"), ("👎", "down"), ("🔖", "save"), ("More like this", "more"))
        ),
    )
    return replace(card, **changes)


def digest(count, **changes):
    cards = tuple(digest_card(number) for number in range(count))
    return replace(Message(Kind.DIGEST, heading="Papers for #general", cards=cards), **changes)


@settings(max_examples=80, deadline=None)
@given(MESSAGES)
def test_whatever_is_said_discord_takes_it_and_nobody_is_pinged(message):
    bodies = payloads(message)
    assert bodies
    for body in bodies:
        assert problems(body) == []
        validate_message_state(json.loads(json.dumps(body["components"])), flags=body["flags"], content=None, embeds=[])


def test_backticks_in_code_never_set_free_what_stands_in_a_later_code():
    code = [Span(words, code=True) for words in ("```", " x", "y", "`", "<@&2>")]
    together = payloads(Message(Kind.ANSWER, lines=(tuple(code),)))
    apart = payloads(Message(Kind.DIGEST, closing=tuple((span,) for span in code)))
    assert [problems(body) for body in (*together, *apart)] == [[], []]


@settings(max_examples=80, deadline=None)
@given(MESSAGES)
def test_every_button_is_there_in_order_and_means_what_it_meant(message):
    pressed = [read_custom_id(item["custom_id"]) for body in payloads(message) for item in buttons_of(body)]
    every = [button for card in message.cards for button in card.buttons] + list(message.buttons)
    assert pressed == [(button.action, button.value) for button in every]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 99999), min_size=1, max_size=30), st.integers(0, 5), WORDS, WORDS)
def test_every_card_is_there_in_order_with_its_link_unbroken(numbers, kept, title, summary):
    cards = tuple(
        digest_card(number, title=f"{title}x", summary=summary, buttons=digest_card(number).buttons[:kept])
        for number in numbers
    )
    shown = re.findall(
        r"\]\(https://arxiv\.org/abs/(2310\.\d{5})\)", "\n".join(contents(payloads(digest(0, cards=cards))))
    )
    assert shown == [card.paper for card in cards]


@settings(max_examples=60, deadline=None)
@given(MESSAGES)
def test_a_sample_is_marked_in_every_single_message(message):
    for body in payloads(replace(message, sample=True)):
        assert contents([body])[0].startswith("**SAMPLE**")
    for body in payloads(replace(message, sample=False, heading="", lines=(), closing=())):
        assert not any(shown.startswith("**SAMPLE**") for shown in contents([body]))


def test_a_usual_digest_is_one_message_with_each_card_in_a_box_above_its_buttons():
    (body,) = payloads(digest(5, closing=(text("Thank you to arXiv."),)))
    kinds = [component["type"] for component in body["components"]]
    assert kinds == [10, 17, 17, 17, 17, 17, 10]
    for number, box in enumerate(body["components"][1:6]):
        card, row = box["components"]
        assert f"Paper number {number}" in card["content"]
        assert {read_custom_id(button["custom_id"])[1] for button in row["components"]} == {f"2310.{number:05}"}


def test_a_page_of_hits_with_its_buttons_stays_one_message_that_can_be_replaced():
    paging = (Button("Back", "page", "a"), Button("Next", "page", "b"), Button("Share here", "share", "c"))
    (body,) = payloads(digest(5, kind=Kind.ANSWER, lines=(text("1-5 of 40"),), buttons=paging))
    assert [button["label"] for button in body["components"][-1]["components"]] == ["Back", "Next", "Share here"]


def test_a_long_digest_goes_on_in_further_messages():
    bodies = payloads(digest(12))
    assert [len(re.findall("### ", "".join(contents([body])))) for body in bodies] == [6, 6]
    assert [[part["type"] for part in body["components"]] for body in bodies] == [[17], [17]]
    assert "Papers for" in contents(bodies[:1])[0]
    assert "Papers for" not in "".join(contents(bodies[1:]))


def test_summaries_give_way_before_a_card_moves_to_another_message():
    (body,) = payloads(digest(5))
    shown = contents([body])[1:]
    assert all("…" in card for card in shown)
    (alone,) = payloads(digest(1))
    assert len(contents([alone])[1]) > len(shown[0])


def with_details(count):
    every = [digest_card(number) for number in range(count)]
    cards = (replace(card, buttons=(*card.buttons, Button("Details", "details", card.paper))) for card in every)
    return digest(0, cards=tuple(cards), closing=(text("Thank you to arXiv."),))


def test_a_digest_with_details_on_demand_is_one_message_in_one_box_with_a_line_of_summary_a_paper():
    (body,) = payloads(with_details(5))
    (box,) = body["components"]
    assert (box["type"], problems(body)) == (17, [])
    assert "Papers for" in box["components"][0]["content"]
    assert box["components"][-1]["content"] == "-# Thank you to arXiv."
    for card in contents([body])[1:-1]:
        assert max(len(line) for line in card.split("\n") if line.startswith("We show")) <= 120
        assert len(card) < 450


def test_an_answer_to_one_person_keeps_longer_summaries_than_a_digest_in_a_channel():
    asked = contents(payloads(replace(with_details(1), kind=Kind.ANSWER)))
    assert len(asked[1]) > len(contents(payloads(with_details(1)))[1]) + 200


def test_a_card_reads_from_its_title_down_to_its_links():
    card = digest_card(7, summary="It works.", summary_by="AI summary by a model")
    (body,) = payloads(Message(Kind.DIGEST, cards=(card,)))
    assert contents([body])[0] == (
        "### [Paper number 7](https://arxiv.org/abs/2310.00007)\n"
        "-# Ada Lovelace, Alan Turing, Grace Hopper and 4 more · cs.LG · 23 November 2026\n"
        "*matches grokking*\n"
        "It works.\n"
        "-# AI summary by a model\n"
        "-# [PDF](https://arxiv.org/pdf/2310.00007)"
    )


def test_a_title_of_4000_characters_is_shortened_and_says_so():
    (body,) = payloads(Message(Kind.DIGEST, cards=(digest_card(1, title="*" * 4000),)))
    assert "…](https://arxiv.org/abs/2310.00001)" in contents([body])[0]


def test_a_card_without_a_title_is_called_by_its_paper():
    (body,) = payloads(Message(Kind.DIGEST, cards=(Card(paper="2310.01234", title=" "),)))
    assert contents([body]) == ["### 2310.01234"]


def test_an_error_is_its_sentence_and_nothing_else():
    (body,) = payloads(Message(Kind.ERROR, lines=(text("top 99 is not possible."),)))
    assert body["components"] == [{"type": 10, "content": "top 99 is not possible."}]


def test_a_list_of_hundreds_of_lines_loses_none():
    lines = tuple(text(f"line {number} of many, each of some length to fill the message") for number in range(400))
    shown = "\n".join(contents(payloads(Message(Kind.ANSWER, heading="List", lines=lines))))
    assert re.findall(r"line (\d+)", shown) == [str(number) for number in range(400)]


def test_twins_among_the_buttons_get_names_of_their_own_that_mean_the_same():
    twins = tuple(Button("Again", "more", "x") for _ in range(5))
    (body,) = payloads(Message(Kind.ANSWER, heading="x", buttons=twins))
    names = [button["custom_id"] for button in buttons_of(body)]
    assert len(set(names)) == 5
    assert {read_custom_id(name) for name in names} == {("more", "x")}


@pytest.mark.parametrize("foreign", ["", "pb", "pb:", "pb:up", "xb:up:1", "pbx:up:1", "p_:up:1", "something else"])
def test_a_button_of_somebody_else_is_not_ours(foreign):
    assert read_custom_id(foreign) is None


def test_a_value_with_colons_comes_back_whole():
    assert read_custom_id("pb:more:scifact:4983") == ("more", "scifact:4983")


def test_a_delivery_is_known_again_by_what_discord_keeps_of_it():
    bodies = [marked(body, "k1/2026-11-23", part) for part, body in enumerate(payloads(digest(18)))]
    kept = [{"id": str(900 + part), "components": body["components"]} for part, body in enumerate(bodies)]
    assert parts_among(reversed(kept), "k1/2026-11-23") == ["900", "901", "902"]
    assert parts_among(kept, "k1/2026-11-24") == []
    assert all(problems(body) == [] for body in bodies)


def test_a_delivery_is_known_again_by_its_nonce_where_discord_tells_it():
    assert parts_among([{"id": "1", "nonce": nonce("k", 1)}, {"id": "0", "nonce": nonce("k", 0)}], "k") == ["0", "1"]


@given(st.text(max_size=80), st.integers(0, 59))
def test_marks_stay_within_what_discord_takes(key, part):
    assert len(nonce(key, part)) <= 25
    assert 2**30 <= component_id(key, part) < 2**31
    assert (nonce(key, part), component_id(key, part)) == (nonce(key, part), component_id(key, part))
    assert nonce(key, part) != nonce(key, part + 1)
