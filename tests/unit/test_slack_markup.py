"""What is written to Slack shows as it was meant, and what people typed comes back as they typed it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.markup import (
    WORD_JOINER,
    escape,
    line_size,
    link_url,
    literal,
    mrkdwn,
    one_line,
    rich,
    split_line,
    typed,
)
from core.chat.message import Span, plain, text


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("search a &amp; b &lt;c&gt;", "search a & b <c>"),
        ("search &amp;lt;", "search &lt;"),
        ("why <https://arxiv.org/abs/2310.01234>", "why https://arxiv.org/abs/2310.01234"),
        (
            "why <https://arxiv.org/abs/2310.01234|https://arxiv.org/abs/2310.01234>",
            "why https://arxiv.org/abs/2310.01234",
        ),
        ("search <http://next.js|next.js> rendering", "search next.js rendering"),
        ("why <https://arxiv.org/abs/2310.01234|this one>", "why https://arxiv.org/abs/2310.01234"),
        ("search <mailto:a@b.org|a@b.org>", "search a@b.org"),
        ("search like <#C1|general>", "search like #general"),
        ("search <#C1>", "search #C1"),
        ("search <#C1|>", "search #C1"),
        ("search <@U1|alice> and <@U2>", "search @alice and @U2"),
        ("search <!here> <!subteam^S1|@team> <!channel|channel>", "search @here @team channel"),
        ("search “length generalization” -‘a survey’", "search \"length generalization\" -'a survey'"),
        ("  search\u00a0x  ", "search x"),
        ("", ""),
    ],
)
def test_the_text_behind_the_command_is_what_the_person_typed(sent, meant):
    assert typed(sent) == meant


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="“”„‟‘’‚‛\u00a0")))
def test_whatever_slack_escaped_is_read_back(words):
    sent = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert typed(sent) == words.strip()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://arxiv.org/abs/2310.01234", "https://arxiv.org/abs/2310.01234"),
        ("https://arxiv.org/abs/math.GT/0309136", "https://arxiv.org/abs/math.GT/0309136"),
        ("https://x.org/?a=1&b=2#c", "https://x.org/?a=1&b=2#c"),
        ("https://x.org/a|b>c<d e", "https://x.org/a%7Cb%3Ec%3Cd%20e"),
        ("https://x.org/%7Ca", "https://x.org/%7Ca"),
        ("https://x.org/ü", "https://x.org/%C3%BC"),
        ("javascript:alert(1)", ""),
        ("https://", ""),
        ("not an address", ""),
        ("", ""),
        ("https://x.org/" + "a" * 600, ""),
        ("https://x.org/\ud800", "https://x.org/"),
    ],
)
def test_an_address_stands_in_a_link_unbroken_or_not_at_all(url, safe):
    assert link_url(url) == safe


def test_mrkdwn_escapes_the_three_control_characters_and_nothing_else():
    assert escape("a < b & c > d | e") == "a &lt; b &amp; c &gt; d | e"


@pytest.mark.parametrize(
    ("line", "written"),
    [
        (text("see ", Span("arXiv", url="https://arxiv.org")), "see <https://arxiv.org|arXiv>"),
        (text(Span("a & b", url="https://x.org/?a=1&b=2")), "<https://x.org/?a=1&amp;b=2|a &amp; b>"),
        (text(Span("no link", url="javascript:x")), "no link"),
        (text("number ", Span("3", bold=True), ", ", Span("why", italic=True)), "number *3*, _why_"),
        (text(Span("code", code=True), " and ", Span("both", bold=True, italic=True)), "`code` and *_both_*"),
        (text("half", Span("word", bold=True)), "halfword"),
        (text(Span("a*b", bold=True)), "a*b"),
        (text("<!channel> <@U1>"), "&lt;!channel&gt; &lt;@U1&gt;"),
        (text("one\ntwo"), "one two"),
    ],
)
def test_mrkdwn_is_written_so_that_only_what_was_meant_has_a_look(line, written):
    assert mrkdwn(line) == written


@pytest.mark.parametrize("words", ["*bold*", "_it_", "~gone~", "`code`", "a *b* c", "(_x_)"])
def test_a_marker_in_plain_words_gets_a_joiner_before_it_and_so_begins_no_look(words):
    written = mrkdwn(text(words))
    assert written.replace(WORD_JOINER, "") == words
    first = min(written.index(sign) for sign in "*_~`" if sign in written)
    assert written[first - 1] == WORD_JOINER


def test_underscores_inside_a_name_stay_as_they_are():
    assert mrkdwn(text("snake_case_name")) == "snake_case_name"


def test_a_line_that_begins_with_an_angle_is_no_quotation():
    assert mrkdwn(text("> 20 upvotes")) == WORD_JOINER + "&gt; 20 upvotes"


def test_rich_text_keeps_markup_as_text():
    assert rich(text("*a* ", Span("<b>", bold=True, url="https://x.org"))) == [
        {"type": "text", "text": "*a* "},
        {"type": "link", "url": "https://x.org", "text": "<b>", "style": {"bold": True}},
    ]


def test_a_ping_typed_into_a_title_is_taken_apart_invisibly():
    shown = literal("<!channel> <@U1> <#C1> a < b")
    assert not any(ping in shown for ping in ("<!", "<@", "<#"))
    assert shown.replace(WORD_JOINER, "") == "<!channel> <@U1> <#C1> a < b"


@pytest.mark.parametrize("write", [literal, escape, one_line])
def test_what_a_title_holds_does_not_turn_the_rest_of_its_line_round(write):
    assert write("a \u202eb\u202c \u2067c\u2069 \x1bd") == "a b c d"


SPANS = st.builds(
    Span, text=st.text(max_size=80), bold=st.booleans(), url=st.sampled_from(["", "https://arxiv.org/abs/2310.01234"])
)


@given(st.lists(SPANS, max_size=8).map(tuple))
def test_a_long_line_is_parted_without_losing_a_character(line):
    parts = split_line(line, 60)
    assert "".join(plain(part) for part in parts) == plain(line)
    assert all(line_size(part) <= 60 for part in parts)
