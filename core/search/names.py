"""When two spellings can be one person's name.

1. Case, accents, hyphens and dots do not matter, nor whether a letter is spelled out (ö as oe, ø as o). `Jean-Luc`,
   `Jean Luc` and `Jeanluc` are one name; `JL` beside a longer name may be two initials.
2. With a comma the family name comes first (`Bengio, Yoshua`); without one it comes last, in a record also where the
   last word is an initial (`Bengio Y.`).
3. A name agrees with what is asked when it holds all of its words, in any order; or when the family names are equal and
   the given ones do not contradict: an initial stands for any name that begins with it, and middle names may be missing
   on either side, though not differ.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from core.papers.tokens import tokens

_SPELLED_OUT = {
    "ä": ("a", "ae"), "ö": ("o", "oe"), "ü": ("u", "ue"), "å": ("a", "aa"), "ø": ("o", "oe"), "æ": ("ae", "a"),
    "œ": ("oe", "o"), "ł": ("l",), "đ": ("d",), "ð": ("d",), "þ": ("th",), "\u0131": ("i",), "ħ": ("h",), "ŋ": ("ng",),
}  # fmt: skip
_CAPITALS = "".join(letter.upper() for letter in _SPELLED_OUT if letter.upper().lower() == letter)
_SPELLINGS = re.compile(f"([{''.join(_SPELLED_OUT)}{_CAPITALS}])")
_PLAIN = (("ae", "a"), ("oe", "o"), ("ue", "u"), ("aa", "a"))
MOST_SPELLINGS = 16


@dataclass(frozen=True, slots=True)
class Name:
    """One reading of a name.

    Attributes:
        given: tokens of the given names, in order; initials among them.
        family: the family name, its tokens joined.
        sure: whether the order is known: by a comma, or by an initial at the end.
    """

    given: tuple[str, ...]
    family: str
    sure: bool


def names_agree(asked: str, name: str) -> bool:
    """Whether a name in a record can be the one that is asked for; see the rules above."""
    # What agrees shares a token, and of a thousand names that an index brings most share none.
    if name.isascii() and _tokens_of(asked).isdisjoint(tokens(name)):
        return False
    wanted, held = read_name(asked), read_name(name)
    return any(_agree(one, other) for one, other in product(wanted, held))


def name_key(name: str) -> str:
    """Return what equal names have in common, to compare co-authors by: their tokens in order of the alphabet."""
    return " ".join(sorted(tokens(next(_spellings(name)))))


def index_tokens(name: str) -> list[str]:
    """Return the tokens by which an index of names finds what may agree, spelled out letters in short, too."""
    found = dict.fromkeys(token for spelling in _spellings(name) for token in tokens(spelling))
    found |= dict.fromkeys(token.replace(long, short) for token in list(found) for long, short in _PLAIN)
    found |= dict.fromkeys(tokens(name))
    return list(found)


@lru_cache(maxsize=1024)
def _tokens_of(name: str) -> frozenset[str]:
    return frozenset(index_tokens(name))


@lru_cache(maxsize=4096)
def read_name(name: str) -> tuple[tuple[tuple[str, ...], Name], ...]:
    """Return each reading of a name: (its tokens in order, what is given and what family)."""
    found = {}
    for spelling in _spellings(name):
        for words in (_words(spelling), _words(re.sub(r"[-‐‑]", "", spelling)), _unglued(spelling)):  # noqa: RUF001 - hyphens
            if words:
                found[tuple(words)] = _ordered(words, comma="," in name)
    return tuple(found.items())


def _spellings(name: str) -> Iterator[str]:
    """Yield a name with its special letters in each way that they are written, sixteen ways at most."""
    parts = _SPELLINGS.split(unicodedata.normalize("NFC", name))
    ways = [_SPELLED_OUT[letter.lower()] for letter in parts[1::2]]
    for way in islice(product(*ways), MOST_SPELLINGS):
        spelled = [*way, ""]
        yield "".join(part + spelled[place] for place, part in enumerate(parts[::2]))


def _words(name: str) -> list[str]:
    """Return the tokens of a name, those before a comma moved behind the others."""
    family, comma, given = name.partition(",")
    return tokens(given) + tokens(family) if comma else tokens(name)


def _unglued(name: str) -> list[str]:
    """Return the tokens with glued initials apart (`JL Picard`), where the name is not all in capitals."""
    parts = re.findall(r"[^\s,.]+", name)
    glued = [part for part in parts if part.isupper() and part.isalpha() and 2 <= len(part) <= 3]
    if not glued or len(glued) == len(parts):
        return []
    return _words(re.sub(r"[^\s,.]+", lambda part: ". ".join(part[0]) if part[0] in glued else part[0], name))


def _ordered(words: Sequence[str], *, comma: bool) -> Name:
    *given, family = words
    if not comma and len(family) == 1 and given and len(given[0]) > 1:  # "Bengio Y."
        return Name((*given[1:], family), given[0], sure=True)
    return Name(tuple(given), family, sure=comma or any(len(word) == 1 for word in given))


def _agree(asked: tuple[tuple[str, ...], Name], held: tuple[tuple[str, ...], Name]) -> bool:
    (words, one), (others, other) = asked, held
    if _holds(others, words):
        return True
    if len(words) < 2 or len(others) < 2:
        return False
    readings = [other] if other.sure else [other, Name(others[1:], others[0], sure=True)]
    return any(one.family == reading.family and _given_agree(one.given, reading.given) for reading in readings)


def _holds(held: Sequence[str], wanted: Sequence[str]) -> bool:
    left = list(held)
    for word in wanted:
        if word not in left:
            return False
        left.remove(word)
    return True


def _given_agree(asked: Sequence[str], held: Sequence[str]) -> bool:
    """Whether given names agree: the first ones, and of the others those that both sides have."""
    if not asked or not held:
        return True
    if not _alike(asked[0], held[0]):
        return False
    left = list(held[1:])
    for word in asked[1:]:
        fitting = next((other for other in left if _alike(word, other)), None)
        if fitting is None and left:
            return False
        if fitting is not None:
            left.remove(fitting)
    return True


def _alike(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) == 1 and long.startswith(short))
