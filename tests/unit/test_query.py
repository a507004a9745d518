"""The language: what is read as what, and what a mistake is answered with."""

from __future__ import annotations

from datetime import date

import pytest

from core.errors import QueryError
from core.search.grammar import MAX_DEPTH, MAX_FILTERS, MAX_WORDS
from core.search.query import MAX_LENGTH, one_line, parse, parse_words, point_at
from core.search.tree import (
    And,
    Author,
    Category,
    FromSource,
    Like,
    MinUpvotes,
    Named,
    Not,
    Or,
    Phrase,
    Since,
    Text,
    Until,
    Word,
)

A, B, C = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", None),
        (" \t\n", None),
        ("diffusion models", And((Word("diffusion"), Word("models")))),
        ('"length generalization"', Phrase("length generalization")),
        ('-survey -"large language"', And((Not(Word("survey")), Not(Phrase("large language"))))),
        ("cat:cs.LG", Category("cs.LG")),
        ("CAT:CS.lg", Category("cs.LG")),
        ("cat:cs.*", Category("cs")),
        ("cat:cs", Category("cs")),
        ("cat:hep-th", Category("hep-th")),
        ("cat:cond-mat.Mes-Hall", Category("cond-mat.mes-hall")),
        ("cat:physics.ED-PH", Category("physics.ed-ph")),
        ('cat:"cs.LG"', Category("cs.LG")),
        ("-cat:cs.CV", Not(Category("cs.CV"))),
        ("cat:cs.LG, cat:cs.AI", And((Category("cs.LG"), Category("cs.AI")))),
        ('au:"Yoshua Bengio"', Author("Yoshua Bengio")),
        ("au:bengio", Author("bengio")),
        ("ti:grokking", Text("title", "grokking", exact=False)),
        ('abs:"kernel  method"', Text("abstract", "kernel method", exact=True)),
        ("src:hf", FromSource("huggingface")),
        ("src:HuggingFace", FromSource("huggingface")),
        ("src:arxiv", FromSource("arxiv")),
        ("min:20", MinUpvotes(20)),
        ("min:0", MinUpvotes(0)),
        ("after:2026", Since(date(2026, 1, 1))),
        ("after:2026-10", Since(date(2026, 10, 1))),
        ("before:2026-11-05", Until(date(2026, 11, 5))),
        ("like:2310.01234", Like("2310.01234")),
        ("like:https://arxiv.org/abs/2310.01234v2", Like("2310.01234")),
        ("like:scifact:4983", Like("scifact:4983")),
        ("a OR b", Or((A, B))),
        ("a or b", And((A, Word("or"), B))),
        ("(a b) OR c", Or((And((A, B)), C))),
        ("a b OR c", Or((And((A, B)), C))),
        ("a (b OR c)", And((A, Or((B, C))))),
        ("a OR b -c", And((Or((A, B)), Not(C)))),
        ("-c a OR b", And((Or((A, B)), Not(C)))),
        ("a OR (b -c)", Or((A, And((B, Not(C)))))),
        ("a OR -b", Or((A, Not(B)))),
        ("-a b", And((Not(A), B))),
        ("((a))", A),
        ("(a b) c", And((A, B, C))),
        ("a OR (b OR c)", Or((A, B, C))),
        ("-(a OR b)", Not(Or((A, B)))),
        ("f(a)", And((Word("f"), A))),
        ('a"b c"', And((A, Phrase("b c")))),
    ],
)
def test_the_language_is_read_as_it_is_documented(text, tree):
    assert parse(text).tree == tree


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("GLM-5V: a title", ["GLM-5V", "a", "title"]),
        ("foo:bar baz", ["foo:bar", "baz"]),
        ("ti: grokking", ["ti", "grokking"]),
        ("what is cat:", ["what", "is", "cat"]),
        ("(cat:) x", ["cat", "x"]),
        ("state-of-the-art", ["state-of-the-art"]),
        ("a - b -- c", ["a", "b", "c"]),
        ("don't", ["don't"]),
        ("x=1; y", ["x=1", "y"]),
        ("🙂 grokking 🙂", ["grokking"]),
        ("foo() OR", None),
        ("深度学习", ["深度学习"]),
        ("обучение с подкреплением", ["обучение", "с", "подкреплением"]),
        ("@everyone <!channel>", ["everyone", "channel"]),
        ("NEAR AND NOT", ["NEAR", "AND", "NOT"]),
        ('"" x', ["x"]),
        ("() x", ["x"]),
        ("-🙂 x", ["x"]),
    ],
)
def test_what_is_no_syntax_is_plain_text(text, words):
    if words is None:
        with pytest.raises(QueryError):
            parse(text)
        return
    tree = parse(text).tree
    assert [node.text for node in (tree.children if isinstance(tree, And) else (tree,))] == words


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("“length generalization”", '"length generalization"'),
        ("„a b“", '"a b"'),
        ("«a b»", '"a b"'),
        ("（a　ＯＲ　b） ｃａｔ：ｃｓ．ＬＧ", "(a OR b) cat:cs.LG"),
        ("−survey", "-survey"),
        ("ｍｉｎ：２０", "min:20"),
    ],
)
def test_typographic_quotes_and_full_width_forms_count_as_plain_ones(typed, plain):
    assert parse(typed).tree == parse(plain).tree


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("2310.01234", Named("2310.01234")),
        (" 2310.01234v3 ", Named("2310.01234")),
        ("arXiv:2310.01234", Named("2310.01234")),
        ("arXiv 2310.01234", Named("2310.01234")),
        ("[2310.01234].", Named("2310.01234")),
        ("2310.01234v2,", Named("2310.01234")),
        ("doi:10.1000/182.", Named("10.1000/182", doi=True)),
        ("https://arxiv.org/pdf/2310.01234v1.pdf", Named("2310.01234")),
        ("https://huggingface.co/papers/2310.01234", Named("2310.01234")),
        ("math.GT/0309136", Named("math.GT/0309136")),
        ("10.48550/arXiv.2310.01234", Named("2310.01234")),
        ("https://doi.org/10.1038/s41586-021-03819-2", Named("10.1038/s41586-021-03819-2", doi=True)),
        ("scifact:4983", Named("scifact:4983")),
    ],
)
def test_an_id_a_doi_or_an_address_alone_names_a_paper(text, named):
    assert parse(text).tree == named
    assert parse(text).named == named


def test_an_id_beside_other_words_is_a_word():
    assert parse("see 2310.01234").tree == And((Word("see"), Word("2310.01234")))
    assert parse("see 2310.01234").named is None


@pytest.mark.parametrize(
    ("text", "position", "part"),
    [
        ('cat:cs.LG ("unclosed', 11, "unclosed"),
        ("(a b", 0, "unclosed"),
        ("a) b", 1, "closes nothing"),
        ("a OR", 2, "both sides"),
        ("OR a", 0, "both sides"),
        ("a OR OR b", 2, "both sides"),
        ("(a OR ) b", 3, "both sides"),
        ("x cat:123", 2, "cs.LG"),
        ("cat:cs.LG/x", 0, "category"),
        ("src:nowhere", 0, "arxiv"),
        ("a min:many", 2, "number of upvotes"),
        ("min:-1", 0, "0 or more"),
        ("min:1.5", 0, "number"),
        ("after:yesterday", 0, "2026-10-01"),
        ("after:2026-02-30", 0, "no date"),
        ("before:26", 0, "2026"),
        ("like:nothing", 0, "id"),
        ("-like:2310.01234", 0, "like:"),
        ('au:""', 0, "name"),
        ("ti:!!", 0, "word"),
        ("🙂", 0, "no word"),
        ("()", 0, "no word"),
        ("a " * MAX_WORDS + "b", 2 * MAX_WORDS, str(MAX_WORDS)),
        ("min:1 " * (MAX_FILTERS + 1), 6 * MAX_FILTERS, str(MAX_FILTERS)),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), MAX_DEPTH, str(MAX_DEPTH)),
        ("x" * (MAX_LENGTH + 1), MAX_LENGTH, str(MAX_LENGTH)),
    ],
)
def test_a_mistake_is_answered_with_its_place_in_one_sentence(text, position, part):
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.query == text
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_source_is_told_which_are_allowed():
    with pytest.raises(QueryError, match="hf, huggingface, arxiv") as caught:
        parse("src:reddit")
    assert caught.value.hint == "src:hf"


def test_a_query_of_four_thousand_characters_is_read():
    text = ("generalization of neural networks " * 200)[:4000]
    assert len(parse(text).tree.children) > 400


def test_point_at_puts_a_caret_below_the_place():
    with pytest.raises(QueryError) as caught:
        parse('cat:cs.LG ("unclosed')
    assert point_at(caught.value) == 'cat:cs.LG ("unclosed\n           ^'


def test_point_at_shortens_a_long_query_around_the_place():
    with pytest.raises(QueryError) as caught:
        parse("word " * 100 + "min:x " + "word " * 100)
    line, caret = point_at(caught.value, width=40).split("\n")
    assert len(line) <= 42
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[caret.index("^") :].startswith("min:x")


def test_point_at_counts_wide_characters_twice_and_keeps_to_one_line():
    with pytest.raises(QueryError) as caught:
        parse("深度\nmin:x")
    assert point_at(caught.value) == "深度 min:x\n     ^"


def test_words_of_a_query_are_what_it_is_about():
    query = parse('the grokking of "modular arithmetic" -survey cat:cs.LG (transformers OR grokking)')
    assert query.words == ("grokking", "transformers")
    assert query.categories == ("cs.LG",)
    assert not query.is_empty


def test_stop_words_are_what_a_query_is_about_when_there_is_nothing_else():
    assert parse("to be or not").words == ("to", "be", "or", "not")


def test_excluded_categories_are_not_fetched():
    assert parse("cat:cs.CL -cat:cs.CV (cat:math OR au:x)").categories == ("cs.CL", "math")


def test_an_empty_query_asks_for_everything():
    query = parse("  ")
    assert query.is_empty
    assert str(query) == ""
    assert (query.words, query.categories, query.likes) == ((), (), ())


@pytest.mark.parametrize("read", [parse, parse_words])
def test_half_a_character_as_broken_input_brings_it_reaches_neither_a_database_nor_a_model(read):
    assert read("kernel \ud800 methods").text.encode() == "kernel \ufffd methods".encode()


def test_plain_words_take_every_sign_as_text():
    query = parse_words('cat:cs.LG "x y" OR -z (')
    assert query.tree == And(tuple(map(Word, ("cat", "cs", "lg", "x", "y", "or", "z"))))
    assert parse(str(query)).tree == query.tree


def test_plain_words_may_be_nothing_but_not_signs_alone():
    assert parse_words("").is_empty
    with pytest.raises(QueryError):
        parse_words("?!")
    with pytest.raises(QueryError, match=str(MAX_WORDS)):
        parse_words("a " * (MAX_WORDS + 1))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("(2310.01234)", "(2310.01234)"),
        ("arxiv:2310.01234", "2310.01234"),
        ("cat:CS.*", "cat:cs"),
        ("after:2026-10", "after:2026-10-01"),
        ("au:bengio", 'au:"bengio"'),
        ("(a b) OR c", "a b OR c"),
        ("x (a OR b)", "x (a OR b)"),
        ("-(a b)", "-(a b)"),
        ("src:hf", "src:huggingface"),
    ],
)
def test_a_query_is_written_back_in_its_plainest_form(text, written):
    assert str(parse(text)) == written


def test_a_query_is_kept_without_what_commands_a_terminal_or_turns_its_reading_round():
    typed = "gro\x1b[31mkking \x07\u202eevil\x9b\udc9b\r\n\u2028ti:kernel  naïve \U0001f469\u200d\U0001f52c"
    assert one_line(typed) == "gro[31mkking evil   ti:kernel  naïve \U0001f469\u200d\U0001f52c"
