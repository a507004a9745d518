"""What a mail says and weighs, whatever the titles are."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.email.addresses import read_address, without_addresses
from bots.email.envelope import Envelope
from bots.email.letter import Links, Sender, subject_of, write_letter
from core.chat.message import Button, Card, Kind, Link, Message, Span, text
from core.errors import UsageError

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
TOKEN = "t" * 120
LINKS = Links(
    "https://p.example",
    f"https://p.example/digest/{TOKEN}",
    f"https://p.example/email/preferences/{TOKEN}",
    f"https://p.example/email/unsubscribe/{TOKEN}",
    lambda paper: f"https://p.example/email/mark/{TOKEN}",
    lambda paper: f"https://p.example/paper/{paper}",
)
ENVELOPE = Envelope("Papers <papers@paperboy.example>")
HOSTILE = ("<script>alert(1)</script>", "a\r\nBcc: victim@example.org", "\x00\x1b[2J", "\ud83d half", "漢" * 300)
TITLES = st.text(max_size=300) | st.sampled_from(HOSTILE)


def card(number, title="A title", **fields):
    paper = f"2611.{number:05}"
    values = {
        "byline": "Ada Lovelace, Alan Turing",
        "facts": "cs.LG · 22 Nov 2026",
        "why": "matches grokking",
        "summary": "It works. " * 28,
        "links": (Link("arXiv", f"https://arxiv.org/abs/{paper}"), Link("PDF", f"https://arxiv.org/pdf/{paper}")),
        "buttons": (Button("👍", "up", paper),),
    }
    return Card(paper=paper, title=title, url=f"https://arxiv.org/abs/{paper}", **{**values, **fields})


def digest(*cards, **fields):
    return Message(Kind.DIGEST, "Papers for grokking", (text("Monday · 3 of 9"),), cards, **fields)


def sent(message, key="k3f9xq/2026-11-23"):
    letter = write_letter(message, LINKS, Sender("Ada", "1 Main Street"))
    return ENVELOPE.seal(letter, to="r@example.org", key=key, at=NOW, links=LINKS, bulk=True).as_bytes()


def read(body):
    mail = message_from_bytes(body, policy=default)
    return mail, *(mail.get_body((kind,)).get_content() for kind in ("plain", "html"))


class Document(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.words, self.odd = set(), "", []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.odd += [name for name, value in attrs if name.startswith("on") or (value or "").startswith("javascript")]

    def handle_data(self, data):
        self.words += data


@pytest.mark.parametrize("letters", ["a", "漢", "𝒪", "é", "\U0001f600"])
def test_fifty_papers_with_the_longest_titles_stay_under_ninety_kilobytes_and_all_are_there(letters):
    cards = [
        card(n, f"{n}: " + letters * 290, summary=letters * 280, byline=letters * 300, facts=letters * 80)
        for n in range(1, 51)
    ]
    body = sent(digest(*cards))
    assert len(body) < 90_000
    _, plain, html = read(body)
    for number in range(1, 51):
        assert f"https://arxiv.org/abs/2611.{number:05}" in plain
        assert f"https://arxiv.org/abs/2611.{number:05}" in html
        assert re.search(rf"\n{number}\. {number}:\s+{letters}", plain)
        assert f"{number}: {letters}" in html


def test_an_ordinary_digest_keeps_its_summaries_and_marks():
    body = sent(digest(*map(card, range(1, 11))))
    _, plain, html = read(body)
    assert len(body) < 90_000
    assert " ".join(plain.split()).count("It works.") == html.count("It works.") == 280
    assert html.count("?as=") == 30
    assert plain.count("/email/mark/") == 10


@settings(max_examples=60, deadline=None)
@given(title=TITLES, summary=TITLES, heading=TITLES, why=TITLES)
def test_nothing_a_title_holds_gets_out_of_its_place(title, summary, heading, why):
    loud = card(1, title, summary=summary, byline=title, facts=title, why=why, links=(Link(title, title),))
    line = text(Span(title, url=title, bold=True))
    body = sent(digest(loud, closing=(line,)).__class__(Kind.DIGEST, heading, (line,), (loud,), (line,)))
    assert len(body) < 90_000
    assert all(len(line) <= 998 for line in body.split(b"\r\n")), "RFC 5322, 2.1.1"
    mail, plain, html = read(body)
    assert mail.defects == []
    assert set(mail.keys()) == {
        *("Content-Type", "MIME-Version", "Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted"),
        *("X-Auto-Response-Suppress", "List-Id", "Precedence", "List-Unsubscribe", "List-Unsubscribe-Post"),
    }
    assert mail["To"] == "r@example.org"
    assert "\n" not in mail["Subject"]
    assert "\r" not in mail["Subject"]
    document = Document(html)
    assert document.odd == []
    assert document.tags <= {
        *("html", "head", "meta", "title", "style", "body", "div", "h1", "p", "a", "strong", "em", "code"),
    }
    assert "\x00" not in plain + html


def test_a_subject_names_the_first_paper_and_how_many_more():
    assert subject_of(digest(card(1, "One"), card(2), card(3))) == "Papers for grokking: One + 2 more"
    assert subject_of(digest(card(1, "One"))) == "Papers for grokking: One"
    assert len(subject_of(digest(card(1, "word " * 100)))) <= 140
    assert subject_of(digest(card(1, "One"), sample=True)).startswith("SAMPLE ")
    silent = Message(Kind.DIGEST, lines=(text("Papers for grokking, Monday: 2 new, none matched."),))
    assert subject_of(silent) == "Papers for grokking, Monday: 2 new, none matched."


def test_a_key_gives_the_same_message_id_always():
    first, second = (read(sent(digest(card(1))))[0]["Message-ID"] for _ in range(2))
    assert first == second == "<k3f9xq.2026-11-23@paperboy.example>"


def test_text_by_a_model_is_marked_in_both():
    _, plain, html = read(sent(digest(card(1, summary_by="AI summary by Hugging Face"))))
    assert "AI summary by Hugging Face" in plain
    assert "AI summary by Hugging Face" in html


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [("a@B.ORG", "email:a@b.org"), (" email:A.b+c@example.org ", "email:A.b+c@example.org"), ("a@intranet", None)],
)
def test_addresses_are_kept_in_one_form(typed, read_as):
    assert read_address(typed) == (read_as or "email:a@intranet")


@given(
    typed=st.text(max_size=80) | st.sampled_from(["a@b.org\nBcc: c@d.org", "<a@b.org>", "a@b.org, c@d.org", "@", ""])
)
def test_what_is_no_single_address_is_refused_in_one_sentence(typed):
    try:
        address = read_address(typed)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert address.count("@") == 1
        assert not set(address) & set(' \r\n,<>"')


def test_what_a_server_says_is_told_without_addresses():
    assert without_addresses("550 <a@b.org>:\r\n unknown a@b.org") == "550 … unknown …"
