from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.bibtex import bibtex, citation_key, escape, protect_title
from core.papers.paper import Paper


def paper(**fields):
    given_fields = {
        "id": "1706.03762",
        "title": "Attention Is All You Need",
        "authors": ("Ashish Vaswani", "Noam Shazeer"),
        "categories": ("cs.CL", "cs.LG"),
        "published": datetime(2017, 6, 12, 17, tzinfo=UTC),
    } | fields
    return Paper(**given_fields)


def field_of(entry, name):
    found = re.search(rf"^  {name} += \{{(.*)\}},$", entry, re.MULTILINE)
    return found[1] if found else None


def test_an_arxiv_paper_is_cited_as_arxiv_asks():
    assert bibtex(paper()) == (
        "@misc{vaswani2017attention,\n"
        "  title         = {Attention Is All You Need},\n"
        "  author        = {Ashish Vaswani and Noam Shazeer},\n"
        "  year          = {2017},\n"
        "  eprint        = {1706.03762},\n"
        "  archivePrefix = {arXiv},\n"
        "  primaryClass  = {cs.CL},\n"
        "  url           = {https://arxiv.org/abs/1706.03762},\n"
        "}\n"
    )


def test_a_published_paper_is_an_article_with_its_journal_and_doi():
    entry = bibtex(paper(journal_ref="Phys. Rev. D 76, 44 & more", doi="10.1103/PhysRevD.76_44"))
    assert entry.startswith("@article{vaswani2017attention,")
    assert field_of(entry, "journal") == r"Phys. Rev. D 76, 44 \& more"
    assert field_of(entry, "doi") == "10.1103/PhysRevD.76_44"
    assert field_of(entry, "eprint") == "1706.03762"


def test_a_doi_without_a_journal_leaves_it_a_misc():
    entry = bibtex(paper(doi="10.1/x"))
    assert entry.startswith("@misc{")
    assert field_of(entry, "doi") == "10.1/x"


def test_an_old_style_id_stays_whole():
    entry = bibtex(paper(id="math.GT/0309136", categories=("math.GT",)))
    assert field_of(entry, "eprint") == "math.GT/0309136"
    assert field_of(entry, "url") == "https://arxiv.org/abs/math.GT/0309136"


def test_a_paper_from_elsewhere_claims_no_eprint():
    entry = bibtex(paper(id="scifact:4983"))
    assert "arXiv" not in entry
    assert "eprint" not in entry


def test_all_of_three_thousand_authors_are_named():
    entry = bibtex(paper(authors=tuple(f"A. Author{n}" for n in range(3303))))
    authors = field_of(entry, "author").split(" and ")
    assert len(authors) == 3303
    assert authors[-1] == "A. Author3302"


def test_without_authors_and_date_an_entry_is_still_made():
    entry = bibtex(paper(authors=(), published=None))
    assert entry.startswith("@misc{attention,")
    assert "author" not in entry
    assert "year" not in entry


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"authors": ("Paul Erd\\H{o}s",)}, "erdos2017attention"),
        ({"authors": ("Søren Łukasz Øst",)}, "ost2017attention"),
        ({"authors": ("Martin King Jr.",)}, "king2017attention"),
        ({"authors": ("山田 太郎",)}, "2017attention"),
        ({"title": "On the $\\alpha$-divergence of a Thing"}, "vaswani2017divergence"),
        ({"title": "The Llama-3 Herd"}, "vaswani2017llama"),
        ({"title": "", "authors": (), "published": None}, "170603762"),
        ({"title": "T" * 1_000, "authors": ("A" * 1_000,)}, "a" * 40 + "2017" + "t" * 40),
        ({"title": "", "authors": (), "published": None, "id": "x:é"}, "xe"),
        ({"title": "", "authors": (), "published": None, "id": "山"}, "paper"),
    ],
)
def test_a_key_is_author_year_and_word_in_plain_letters(fields, key):
    assert citation_key(paper(**fields)) == key


@pytest.mark.parametrize(
    ("title", "written"),
    [
        ("Scaling BERT and GPT-4 on ImageNet", "Scaling {BERT} and {GPT-4} on {ImageNet}"),
        ("Deep Learning for Everyone", "Deep Learning for Everyone"),
        (r"On the $\mathcal{O}(n^2)$ Cost", r"On the {$\mathcal{O}(n^2)$} Cost"),
        (r"$x_{i_{j}}$: a Study", r"{$x_{i_{j}}$}: a Study"),
        ("100% of $5 & snake_case #1", r"100\% of \$5 \& snake\_case \#1"),
        (r"Schr\"odinger {B}ridges", "Schrödinger Bridges"),
        ("Broken { brace and } another", r"Broken \textbraceleft{} brace and \textbraceright{} another"),
        ("Unbalanced $x_{1$ here", r"Unbalanced x\_\textbraceleft{}1 here"),
        (r"Half a case $\left\{ x \right.$ here", r"Half a case \textbraceleft{} x here"),
        ("From $5 to $10, or $50%$", r"From \$5 to \$10, or 50\%"),
        ("Two\n  lines", "Two lines"),
        (r"C:\new ^ ~5", r"C:\textbackslash{}new \textasciicircum{} \textasciitilde{}5"),
    ],
)
def test_titles_compile_and_keep_mathematics_and_capitals(title, written):
    assert protect_title(title) == written


def test_a_group_and_a_name_with_an_and_stay_one_author():
    entry = bibtex(paper(authors=("ATLAS Collaboration", "Bell and Sons", "Doe, Jane", "Jane & Co_")))
    assert field_of(entry, "author") == r"{ATLAS Collaboration} and {Bell and Sons} and {Doe, Jane} and Jane \& Co\_"


def brace_depths(text):
    """Count as BibTeX does, which does not heed a backslash; return the lowest and the last depth."""
    depth = lowest = 0
    for mark in text:
        depth += {"{": 1, "}": -1}.get(mark, 0)
        lowest = min(lowest, depth)
    return lowest, depth


@given(st.text(max_size=120) | st.text(alphabet="\\{}$%&#_^~ ab1A-", max_size=60))
def test_whatever_a_paper_holds_its_entry_keeps_its_braces(text):
    entry = bibtex(paper(title=text, authors=(text, "B"), journal_ref=text, doi=text))
    assert brace_depths(entry) == (0, 0)
    assert entry.count("\n") == entry.count("},\n") + 2


@given(st.text(max_size=120))
def test_plain_text_leaves_no_mark_of_tex_unescaped(text):
    assert not re.search(r"(?<!\\)[%&#$_]", escape(text).replace(r"\textbackslash{}", ""))
