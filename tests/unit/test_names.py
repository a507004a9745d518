"""Spellings of one name agree, and names of different people do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.papers.tokens import tokens
from core.search.names import index_tokens, name_key, names_agree


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Yoshua Bengio", "Yoshua Bengio"),
        ("Yoshua Bengio", "Y. Bengio"),
        ("Y. Bengio", "Yoshua Bengio"),
        ("Y Bengio", "Yoshua Bengio"),
        ("Bengio, Yoshua", "Yoshua Bengio"),
        ("Yoshua Bengio", "Bengio, Yoshua"),
        ("Bengio, Y.", "Yoshua Bengio"),
        ("Yoshua Bengio", "Bengio Y."),
        ("Bengio Yoshua", "Yoshua Bengio"),
        ("bengio", "Yoshua Bengio"),
        ("YOSHUA BENGIO", "Yoshua Bengio"),
        ("Yoshua M. Bengio", "Yoshua Bengio"),
        ("Yoshua Bengio", "Yoshua M. Bengio"),
        ("Jean-Luc Picard", "Jean Luc Picard"),
        ("Jean-Luc Picard", "Jeanluc Picard"),
        ("Jeanluc Picard", "Jean-Luc Picard"),
        ("Jean-Luc Picard", "J.-L. Picard"),
        ("J. L. Picard", "Jean-Luc Picard"),
        ("JL Picard", "Jean-Luc Picard"),
        ("Jean-Luc Picard", "J. Picard"),
        ("Wei Wang", "Wang Wei"),
        ("Wei Wang", "Wang, Wei"),
        ("Wei XU", "Wei Xu"),
        ("Bernhard Schölkopf", "Bernhard Schoelkopf"),
        ("Bernhard Schoelkopf", "Bernhard Schölkopf"),
        ("B. Scholkopf", "Bernhard Schölkopf"),
        ("Jurgen Schmidhuber", "Jürgen Schmidhuber"),
        ("Søren Møller", "Soren Moller"),
        ("Soren Moeller", "Søren Møller"),
        ("Łukasz Kaiser", "Lukasz Kaiser"),
        ("Gabriel García", "Gabriel García Márquez"),
        ("Kaiming He", "何恺明 Kaiming He"),
    ],
)
def test_spellings_of_one_name_agree(asked, name):
    assert names_agree(asked, name)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Yoshua Bengio", "Samy Bengio"),
        ("Yoshua Bengio", "S. Bengio"),
        ("Yoshua Bengio", "Yoshua Benton"),
        ("Alethea Burda", "Alethea B. Power"),
        ("Alethea Power", "A. Burda"),
        ("John A. Smith", "John B. Smith"),
        ("Luc Picard", "J.-L. Picard"),
        ("Wei Wang", "Wei W."),
        ("Wei Wang", "Wenjia Wang"),
        ("Wei Zhang", "Wei Wang"),
        ("Beng", "Yoshua Bengio"),
        ("Baur", "Bauer"),
        ("Yoshua Bengio", ""),
        ("Yoshua Bengio", "Bengio"),
    ],
)
def test_names_of_different_people_do_not(asked, name):
    assert not names_agree(asked, name)


NAMES = st.lists(st.text(alphabet="abcdeö-", min_size=1, max_size=6), min_size=1, max_size=4).map(" ".join)


@given(name=NAMES.filter(lambda name: name.strip(" -")))
def test_every_name_agrees_with_itself_in_any_order_and_case(name):
    assert names_agree(name, name)
    assert names_agree(name.upper(), name)
    assert names_agree(" ".join(reversed(name.split())), name)


PLAIN_NAMES = st.lists(st.text(alphabet="abcdeö", min_size=1, max_size=4), min_size=1, max_size=4).map(" ".join)


@given(asked=PLAIN_NAMES, name=PLAIN_NAMES)
def test_what_agrees_shares_a_token_of_the_index(asked, name):
    if names_agree(asked, name):
        assert set(index_tokens(asked)) & set(tokens(name))


def test_names_of_co_authors_are_compared_without_order_and_accents():
    assert name_key("Bengio, Yoshua") == name_key("Yoshua BENGIO") == "bengio yoshua"
