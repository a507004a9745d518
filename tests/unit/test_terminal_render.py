from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bots.terminal.output import clean
from bots.terminal.render import SAMPLE_NOTE, render, terminal_width, to_json, wants_color
from core.chat.message import Button, Card, Kind, Link, Message, Span, text

CARD = Card(
    paper="2310.01234",
    title="Grokking modular arithmetic",
    url="https://arxiv.org/abs/2310.01234",
    byline="A. One, B. Two, C. Three + 2 more",
    facts="cs.LG · 3 Nov 2026",
    why="matches grokking",
    summary="We study how small networks learn modular arithmetic, and when they stop remembering.",
    links=(Link("arXiv", "https://arxiv.org/abs/2310.01234"), Link("Code ★ 1.2k", "https://github.com/a/b")),
    buttons=(Button("👍", "up", "2310.01234"),),
)


def digest(*cards, **fields):
    given_fields = {
        "heading": "Today's papers",
        "lines": (text("Monday 23 November 2026 · 1 of 212 new papers"),),
        "closing": (text("Small print"),),
    } | fields
    return Message(Kind.DIGEST, cards=cards, **given_fields)


def without_escapes(output):
    return re.sub(r"\x1b\]8;[^\x1b]*\x1b\\|\x1b\[[0-9;]*m", "", output)


def test_a_digest_in_a_pipe_is_plain_text():
    assert render(digest(CARD), width=60, color=False) == (
        "Today's papers\n"
        "Monday 23 November 2026 · 1 of 212 new papers\n"
        "\n"
        " 1. Grokking modular arithmetic\n"
        "    A. One, B. Two, C. Three + 2 more · cs.LG · 3 Nov 2026\n"
        "    matches grokking\n"
        "    We study how small networks learn modular arithmetic,\n"
        "    and when they stop remembering.\n"
        "    https://arxiv.org/abs/2310.01234\n"
        "\n"
        "Small print\n"
    )


def test_a_terminal_gets_looks_and_hyperlinks_around_the_same_words():
    output = render(digest(CARD), width=60, color=True)
    assert "\x1b[1mToday's papers\x1b[0m" in output
    assert "\x1b[32mmatches grokking\x1b[0m" in output
    assert re.search(r"\x1b\]8;id=\d+;https://arxiv\.org/abs/2310\.01234\x1b\\\x1b\[1mGrokking", output)
    assert re.search(r"\x1b\]8;id=\d+;https://github\.com/a/b\x1b\\\x1b\[34mCode ★ 1\.2k", output)
    assert "    arXiv · Code ★ 1.2k\n" in without_escapes(output)


def test_a_title_cannot_command_the_terminal():
    evil = Card(
        paper="x:1", title="Safe\x1b]0;owned\x07\x1b[2J\x9b31m \u202egnp.exe\ud800", byline="a\rb", summary="c\x08d"
    )
    output = render(digest(evil, heading="h\x1b[31m"), width=80, color=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", output)
    assert "Safe]0;owned[2J31m gnp.exe" in output


def test_an_address_that_is_not_of_the_web_becomes_no_hyperlink():
    evil = Card(paper="x:1", title="T", url="javascript:x", links=(Link("L", "https://a.org/\x1b\\\x1b[31m"),))
    message = digest(evil, lines=(text(Span("click", url="file:///etc")),))
    assert "\x1b]8" not in render(message, width=80, color=True)
    assert "javascript" not in render(message, width=80, color=False)
    assert json.loads(to_json(message))["papers"][0]["links"] == []


def test_the_sample_is_marked_at_the_top_and_at_each_card():
    output = render(digest(CARD, CARD, sample=True), width=80, color=False)
    assert output.startswith(SAMPLE_NOTE)
    assert output.count("SAMPLE Grokking") == 2
    assert "SAMPLE" not in render(digest(CARD), width=80, color=False)


def test_ten_papers_are_numbered_in_one_column():
    output = render(digest(*[CARD] * 10), width=80, color=False)
    assert "\n  1. Grokking" in output
    assert "\n 10. Grokking" in output
    assert "\n     A. One" in output


@pytest.mark.parametrize(
    "title", ["深層学習による画像認識の新しい手法 " * 6, "التعلم العميق للصور " * 8, "👩‍🔬 emoji 👍🏽 title " * 8]
)
def test_wide_and_right_to_left_titles_wrap_within_the_width(title):
    output = render(digest(Card(paper="x:1", title=title.strip())), width=60, color=False)
    assert all(cell_len(line) <= 60 for line in output.splitlines())
    assert "".join(output.split()).count("".join(title.split())) == 1


def test_an_error_keeps_the_caret_below_its_place():
    pointing = Message(
        Kind.ERROR, lines=(text("It is not closed."), text(Span('cat:cs.LG ("unclosed\n          ^', code=True)))
    )
    assert render(pointing, width=30, color=False) == 'It is not closed.\ncat:cs.LG ("unclosed\n          ^\n'


def test_a_link_in_a_line_shows_its_address_in_a_pipe():
    message = Message(Kind.ANSWER, lines=(text("See ", Span("the manual", url="https://a.org/m"), "."),))
    assert render(message, width=80, color=False) == "See the manual (https://a.org/m).\n"


def test_an_ai_summary_says_who_wrote_it():
    card = Card(paper="x:1", title="T", summary="Short.", summary_by="AI summary by Some Model")
    assert "Short.\n    AI summary by Some Model\n" in render(digest(card), width=80, color=False)


def test_markup_of_the_terminal_library_is_plain_text():
    output = render(digest(Card(paper="x:1", title="[bold]not[/bold] :smile: [link=x]")), width=80, color=False)
    assert "[bold]not[/bold] :smile: [link=x]" in output


def test_a_message_of_nothing_but_a_line_is_one_line():
    assert render(Message(Kind.DIGEST, lines=(text("Nothing today."),)), width=80, color=False) == "Nothing today.\n"


def test_json_holds_everything_that_is_shown():
    document = json.loads(to_json(digest(CARD, sample=True)))
    assert document == {
        "heading": "Today's papers",
        "lines": ["Monday 23 November 2026 · 1 of 212 new papers"],
        "sample": True,
        "papers": [
            {
                "id": "2310.01234",
                "title": "Grokking modular arithmetic",
                "url": "https://arxiv.org/abs/2310.01234",
                "authors": "A. One, B. Two, C. Three + 2 more",
                "facts": "cs.LG · 3 Nov 2026",
                "why": "matches grokking",
                "summary": "We study how small networks learn modular arithmetic, and when they stop remembering.",
                "summary_by": "",
                "links": [
                    {"label": "arXiv", "url": "https://arxiv.org/abs/2310.01234"},
                    {"label": "Code ★ 1.2k", "url": "https://github.com/a/b"},
                ],
            }
        ],
        "closing": ["Small print"],
    }


def test_the_width_follows_the_terminal_within_reason(monkeypatch):
    for columns, width in (("72", 72), ("300", 100), ("5", 30)):
        monkeypatch.setenv("COLUMNS", columns)
        assert terminal_width() == width


class _Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "wanted"),
    [
        (_Screen(), {"TERM": "xterm"}, True),
        (_Screen(), {"NO_COLOR": ""}, True),
        (_Screen(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (_Screen(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals_that_can_show_them_and_people_who_want_them(stream, environ, wanted):
    assert wants_color(stream, environ) is wanted


@given(st.text(max_size=200), st.integers(30, 120), st.booleans())
def test_any_text_can_be_written_to_any_terminal(words, width, color):
    card = Card(paper="x:1", title=words, byline=words, why=words, summary=words)
    message = digest(card, heading=words, lines=(text(words),), closing=(text(Span(words, code=True)),))
    render(message, width=width, color=color).encode()
    to_json(message).encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", render(message, width=width, color=False))


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Zp"])))
def test_what_is_clean_stays_as_it_is(words):
    assert clean(words) == words
