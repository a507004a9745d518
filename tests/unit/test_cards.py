from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.cards import byline, card_of, is_web_address, opening, shorten, signal_words, why_line
from core.chat.message import Button, Link
from core.papers.paper import Paper, Signal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SENTENCE = "We study how small networks learn modular arithmetic, and when they stop remembering and start to compute. "


def paper(**fields):
    given_fields = {
        "id": "2310.01234",
        "title": "Grokking",
        "published": datetime(2026, 11, 3, 18, tzinfo=UTC),
    } | fields
    return Paper(**given_fields)


def upvotes(*readings):
    return tuple(Signal("upvotes", value, NOW - timedelta(hours=hours), "huggingface") for value, hours in readings)


def test_a_card_shows_title_authors_place_date_and_the_opening_of_the_abstract():
    card = card_of(
        paper(
            title="On the $\\alpha$-divergence of\n  {BERT}",
            abstract=SENTENCE * 6,
            authors=("A. One", "B. Two", "C. Three", "D. Four", "E. Five"),
            categories=("cs.LG", "stat.ML"),
            ai_summary="A model says this.",
        ),
        why="matches grokking",
        now=NOW,
    )
    assert card.title == "On the α-divergence of BERT"
    assert card.url == "https://arxiv.org/abs/2310.01234"
    assert card.byline == "A. One, B. Two, C. Three + 2 more"
    assert card.facts == "cs.LG · 3 Nov 2026"
    assert card.why == "matches grokking"
    assert card.summary == (SENTENCE * 2).strip()
    assert card.summary_by == ""


def test_the_journal_stands_in_place_of_the_category():
    card = card_of(paper(journal_ref="Phys.~Rev. {\\bf D} 76", categories=("hep-ph",)), now=NOW)
    assert card.facts == "Phys. Rev. D 76 · 3 Nov 2026"


def test_a_date_that_lies_ahead_is_not_shown():
    assert card_of(paper(published=NOW + timedelta(days=400), categories=("cs.LG",)), now=NOW).facts == "cs.LG"


def test_a_paper_of_which_little_is_known_still_makes_a_card():
    card = card_of(Paper(id="scifact:4983", title=" "), now=NOW)
    assert (card.title, card.url, card.facts, card.summary) == ("scifact:4983", "", "", "")
    assert card.byline == "no authors listed"
    assert card.links == ()


def test_a_paper_from_elsewhere_leads_to_its_doi():
    card = card_of(Paper(id="doi:x", title="T", doi="10.1000/a b<c>"), now=NOW)
    assert card.url == "https://doi.org/10.1000/a%20b%3Cc%3E"
    assert card.links == (Link("DOI", card.url),)


def test_links_lead_to_every_place_that_is_known():
    known = paper(
        sources=("arxiv", "huggingface"),
        code_url="https://github.com/a/b",
        project_url="http://a.github.io/b",
        signals=(
            Signal("stars", 900, NOW - timedelta(days=1), "huggingface"),
            Signal("stars", 1234, NOW, "huggingface"),
        ),
    )
    assert card_of(known, now=NOW).links == (
        Link("arXiv", "https://arxiv.org/abs/2310.01234"),
        Link("PDF", "https://arxiv.org/pdf/2310.01234"),
        Link("Hugging Face", "https://huggingface.co/papers/2310.01234"),
        Link("Code ★ 1.2k", "https://github.com/a/b"),
        Link("Project", "http://a.github.io/b"),
    )


def test_an_old_style_id_keeps_its_slash_in_addresses():
    card = card_of(paper(id="math.GT/0309136"), now=NOW)
    assert [link.url for link in card.links] == [
        "https://arxiv.org/abs/math.GT/0309136",
        "https://arxiv.org/pdf/math.GT/0309136",
    ]


@pytest.mark.parametrize(
    ("stars", "label"),
    [(None, "Code"), (0, "Code"), (7, "Code ★ 7"), (999, "Code ★ 999"), (1000, "Code ★ 1k"), (48_650, "Code ★ 48.6k"),
     (999_949, "Code ★ 999.9k"), (999_999, "Code ★ 1M"), (2_500_000, "Code ★ 2.5M")],
)  # fmt: skip
def test_stars_are_counted_shortly(stars, label):
    signals = () if stars is None else (Signal("stars", stars, NOW, "huggingface"),)
    card = card_of(paper(code_url="https://github.com/a/b", signals=signals), now=NOW)
    assert card.links[-1].label == label


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "ftp://a.org/x", "//a.org", "a.org", "https://", "http://[", "",
     "https://a.org/<script>", "https://a.org/a b", "https://a.org/\n", "https://a.org/\u202e", "https://a.org/|x"],
)  # fmt: skip
def test_an_address_that_is_not_of_the_web_is_dropped(address):
    assert not is_web_address(address)
    assert [link.label for link in card_of(paper(code_url=address), now=NOW).links] == ["arXiv", "PDF"]


def test_buttons_carry_the_paper_and_can_be_left_out():
    assert card_of(paper(), now=NOW).buttons == (
        Button("👍", "up", "2310.01234"),
        Button("👎", "down", "2310.01234"),
        Button("🔖", "save", "2310.01234"),
        Button("More like this", "more", "2310.01234"),
        Button("Details", "details", "2310.01234"),
    )
    assert card_of(paper(), buttons=False, now=NOW).buttons == ()


def test_an_id_too_long_for_a_button_gets_none():
    assert card_of(Paper(id="x:" + "y" * 79, title="T"), now=NOW).buttons == ()


def test_an_author_who_is_listed_twice_is_named_once():
    assert byline(("Ann Lee", "Ann Lee", "Bo Xu")) == "Ann Lee, Bo Xu"


def test_three_thousand_authors_are_three_names_and_a_count():
    assert byline([f"Author {n}" for n in range(3303)]) == "Author 0, Author 1, Author 2 + 3,300 more"


def test_accents_of_authors_are_written_out():
    assert byline(("Ren\\'e K\\\"ahler", "Paul Erd\\H{o}s")) == "René Kähler, Paul Erdős"


def test_a_short_abstract_is_shown_whole():
    assert opening("Short. Really short") == "Short. Really short"


def test_an_opening_ends_with_a_sentence_and_not_at_an_abbreviation():
    text = "A" * 130 + " ends here. Then comes more, e.g. J. Smith et al. show in Fig. 3 " + "that it goes on " * 20
    assert opening(text) == "A" * 130 + " ends here."


def test_an_opening_whose_first_sentence_is_too_long_ends_at_a_word():
    cut = opening("word " * 100)
    assert cut.endswith("word…")
    assert len(cut) <= 280


def test_an_opening_that_would_be_one_tiny_sentence_goes_on():
    assert opening("No. " + "word " * 100).startswith("No. word word")


def test_upvotes_of_today_are_the_growth_since_the_last_reading_before_today():
    grown = paper(signals=upvotes((20, 40), (29, 13), (35, 5), (41, 1)))
    assert signal_words(grown, NOW) == "41 upvotes on Hugging Face, 12 of them today"


def test_nothing_is_said_of_today_without_an_earlier_reading():
    assert signal_words(paper(signals=upvotes((35, 5), (41, 1))), NOW) == "41 upvotes on Hugging Face"


def test_nothing_is_said_of_today_when_it_was_not_read_today_or_did_not_grow():
    assert signal_words(paper(signals=upvotes((20, 60), (41, 13))), NOW) == "41 upvotes on Hugging Face"
    assert signal_words(paper(signals=upvotes((41, 13), (40, 1))), NOW) == "40 upvotes on Hugging Face"


def test_all_upvotes_may_be_of_today():
    assert (
        signal_words(paper(signals=upvotes((0, 13), (1200, 1))), NOW)
        == "1,200 upvotes on Hugging Face, all of them today"
    )
    assert signal_words(paper(signals=upvotes((0, 13), (1, 1))), NOW) == "1 upvote on Hugging Face, today"


def test_no_upvotes_are_no_words_and_readings_after_now_do_not_count():
    assert signal_words(paper(), NOW) == ""
    assert signal_words(paper(signals=upvotes((0, 1))), NOW) == ""
    assert signal_words(paper(signals=upvotes((5, 1), (50, -1))), NOW) == "5 upvotes on Hugging Face"


def test_reasons_are_joined_while_they_fit_whole():
    assert why_line(["matches grokking", "", "41 upvotes"]) == "matches grokking · 41 upvotes"
    assert why_line(["a" * 60, "b" * 30]) == "a" * 60
    assert why_line([]) == ""


def test_one_long_reason_is_cut_at_a_word():
    line = why_line(["matches " + "generalization " * 10, "41 upvotes"])
    assert line == "matches generalization generalization generalization generalization…"


def test_a_letter_is_not_parted_from_its_accents_nor_an_emoji_from_its_parts():
    assert shorten("abcde\u0301f", 6) == "abcd…"
    assert shorten("abc👩‍🔬xyz", 6) == "abc…"
    assert shorten("abcd👍🏽x", 6) == "abcd…"
    assert shorten("plain", 5) == "plain"


@given(st.text(max_size=80), st.integers(0, 60))
def test_what_is_shortened_fits_and_says_that_it_was_cut(text, limit):
    short = shorten(text, limit)
    assert len(short) <= max(limit, 0)
    assert short == text or limit == 0 or short.endswith("…")
    assert text.startswith(short.removesuffix("…")) or short == text


@given(st.lists(st.text(max_size=60), max_size=6))
def test_a_why_line_never_exceeds_eighty_characters(parts):
    assert len(why_line(parts)) <= 80


@given(st.text(max_size=700))
def test_an_opening_is_the_beginning_of_the_abstract(abstract):
    cut = opening(abstract)
    assert len(cut) <= 281
    assert abstract.startswith(cut.removesuffix("…")) or cut == abstract


def test_a_title_cannot_turn_the_line_it_stands_in_nor_fill_the_page():
    paper = Paper(
        "2611.00001", "\u202eevil\u2066 " + "long " * 20_000, authors=("\u202bAda",), abstract="\u202dIt works."
    )
    card = card_of(paper, now=NOW)
    assert not any(mark in card.title + card.byline + card.summary for mark in "\u202a\u202b\u202d\u202e\u2066")
    assert card.title.startswith("evil long")
    assert len(card.title) <= 300
