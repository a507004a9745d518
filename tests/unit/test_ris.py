"""RIS records that reference managers read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.ris import family_first, ris
from core.papers.paper import Paper

PAPER = Paper(
    id="2310.01234",
    title="Grokking in\n$L^2$",
    authors=("Ada Lovelace", "Ludwig van Beethoven", "ATLAS Collaboration"),
    abstract="First line.\nSecond line.",
    published=datetime(2023, 10, 2, tzinfo=UTC),
    categories=("cs.LG", "stat.ML"),
)


def test_a_preprint_is_an_unpublished_work_with_everything_that_is_known():
    assert ris(PAPER).splitlines() == [
        "TY  - UNPB",
        "TI  - Grokking in L²",
        "AU  - Lovelace, Ada",
        "AU  - van Beethoven, Ludwig",
        "AU  - ATLAS Collaboration",
        "PY  - 2023",
        "DA  - 2023/10/02",
        "AN  - arXiv:2310.01234",
        "UR  - https://arxiv.org/abs/2310.01234",
        "AB  - First line. Second line.",
        "KW  - cs.LG",
        "KW  - stat.ML",
        "ER  - ",
    ]


def test_a_journal_makes_it_an_article():
    record = ris(Paper(id="doi:x", title="T", journal_ref="JMLR 25 (2024)", doi="10.1/x"))
    assert "TY  - JOUR\n" in record
    assert "JO  - JMLR 25 (2024)\nDO  - 10.1/x\nAN  - doi:x\nUR  - https://doi.org/10.1/x\n" in record


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Yoshua Bengio", "Bengio, Yoshua"),
        ("Bengio, Yoshua", "Bengio, Yoshua"),
        ("Juan de la Cruz", "de la Cruz, Juan"),
        ("Martin Luther King Jr.", "King, Martin Luther, Jr."),
        ("Plato", "Plato"),
        ("The Qwen Team", "The Qwen Team"),
        ("", ""),
    ],
)
def test_the_family_name_comes_first(name, written):
    assert family_first(name) == written


@given(title=st.text(max_size=40), author=st.text(max_size=20), abstract=st.text(max_size=60))
def test_no_text_of_others_can_begin_a_field_or_end_a_record(title, author, abstract):
    record = ris(Paper(id="x:1", title=title, authors=(author,), abstract=abstract))
    lines = record.split("\n")
    assert lines[-1] == ""
    assert all(re.match(r"[A-Z]{2}  - ", line) for line in lines[:-1])
    assert record.count("\nER  - \n") == 1
