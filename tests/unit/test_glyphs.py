from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.chat.glyphs import ACCENTS, LETTERS, SILENT, SYMBOLS, accented, blackboard, enclosed, lowered, raised, ratio


@pytest.mark.parametrize(
    ("name", "letters", "written"),
    [
        ("'", "e", "é"),
        ('"', "odinger", "ödinger"),
        ("H", "o", "ő"),
        ("v", "c", "č"),
        ("k", "a", "ą"),
        ("r", "a", "å"),
        ("~", "n", "ñ"),
        ("bar", "x", "x̄"),
        ("overline", "AB", "ĀB̄"),
        ("overline", "a + b", "a + b"),
        ("vec", "v", "v\u20d7"),
    ],
)
def test_an_accent_stands_on_its_letter(name, letters, written):
    assert accented(name, letters) == unicodedata.normalize("NFC", written)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2", "²"),
        ("-3", "⁻³"),
        ("n + 1", "ⁿ⁺¹"),
        ("0.5", "⁰.⁵"),
        ("th", "ᵗʰ"),
        ("∘", "°"),
        ("q", "^q"),
        ("1/2", "^(1/2)"),
        ("x²", "^(x²)"),
        ("Q", "^Q"),
        ("∞", "^∞"),
        (".", "^."),
        ("", ""),
    ],
)
def test_an_exponent_is_raised_where_unicode_has_all_of_it(text, written):
    assert raised(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("i", "ᵢ"),
        ("i,j", "ᵢ,ⱼ"),
        ("max", "ₘₐₓ"),
        ("0.8", "₀.₈"),
        ("BH", "_BH"),
        ("⊙", "_⊙"),
        ("a b", "_ab"),
        ("long words stay apart", "_(long words stay apart)"),
    ],
)
def test_an_index_is_lowered_where_unicode_has_all_of_it(text, written):
    assert lowered(text) == written


def test_a_fraction_has_parentheses_only_where_they_are_needed():
    assert ratio("1", "2") == "1/2"
    assert ratio("dx", "dt") == "dx/dt"
    assert ratio("a+b", "c") == "(a+b)/c"
    assert ratio("1", "2π r") == "1/(2π r)"


def test_one_character_or_word_needs_no_parentheses():
    assert [enclosed(text) for text in ("x", "∞", "word", "x₂", "-1", "")] == ["x", "∞", "word", "x₂", "(-1)", ""]


def test_letters_of_blackboards_are_those_that_every_font_has():
    assert blackboard("RNZQCPHE1") == "ℝℕℤℚℂℙℍE1"


def test_no_macro_has_two_meanings():
    assert not SILENT & SYMBOLS.keys()
    assert not SILENT & ACCENTS.keys()
    assert SYMBOLS.keys() >= LETTERS


def test_symbols_are_written_out_and_no_placeholder_is_among_them():
    assert [SYMBOLS[name] for name in ("alpha", "infty", "leq", "times", "AA", "log")] == [
        "α",
        "∞",
        "≤",
        "×",
        "Å",
        "log",
    ]
    assert not [name for name, written in SYMBOLS.items() if "%s" in written or "<" in written]


@given(st.text(max_size=40))
def test_whatever_is_raised_or_lowered_keeps_its_characters_or_their_forms(text):
    squeezed = "".join(text.split())
    for script, mark in ((raised, "^"), (lowered, "_")):
        written = "".join(script(text).split())
        assert written.startswith(mark) or len(written) == len(squeezed)
        if written.startswith(mark) and squeezed:
            assert squeezed in written
