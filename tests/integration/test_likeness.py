"""How alike papers are by their words, against the formula of the docs, word by word."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from core.digests.likeness import Likeness
from core.digests.wording import OFTEN
from core.papers.windows import OnDay
from core.search.engine import Engine
from tests.shelves import open_library
from tests.worlds import MONDAY, MONDAY_DATE, make_record

COMMON = ("whale", "lattice", "quark")
RARE = tuple(f"term{letter}{other}" for letter in "abcdefg" for other in "pqrstuvwxz")


def texts_of(count):
    dice = random.Random(7)
    return [" ".join([*dice.choices(COMMON, k=4), *dice.choices(RARE, k=5)]) for _ in range(count)]


def cosine_with(texts, asked):
    """The cosine of the weighed words of `asked` with those of each text."""
    held = [Counter(text.split()) for text in texts]
    papers = Counter(word for words in held for word in words)

    def weigh(words):
        return {w: (1 + math.log(n)) * math.log((len(texts) + 2) / (papers[w] + 1)) for w, n in words.items()}

    def length(weights):
        return math.sqrt(sum(weight * weight for weight in weights.values()))

    mine = weigh(Counter(asked.split()))
    rows = [weigh(words) for words in held]
    return [sum(row[w] * mine.get(w, 0.0) for w in row) / (length(row) * length(mine)) for row in rows]


@pytest.mark.parametrize("count", [5, 3 * OFTEN])
async def test_words_that_few_hold_and_words_that_many_hold_count_as_the_formula_says(tmp_path, count):
    texts = texts_of(count)
    outside = "whale whale termap unheard"
    records = [make_record(f"2611.{n:05}", "X", abstract=text) for n, text in enumerate(texts, start=1)]
    past = make_record("2610.00001", "X", abstract=outside, day=None)
    async with open_library(tmp_path) as library:
        await library.ingest([*records, past], now=MONDAY)

        def learn(connection):
            likeness = Likeness(connection, Engine(library).pool(connection, OnDay(MONDAY_DATE)))
            likeness.learn(connection, [records[0].id, past.id])
            likeness.learn(connection, [records[-1].id])
            return likeness, likeness.places_of([records[0].id, past.id, records[-1].id])

        likeness, rows = await library.read(learn)
    for paper, asked in ((records[0].id, texts[0]), (past.id, outside), (records[-1].id, texts[-1])):
        found = likeness.plain([rows[paper]], range(len(likeness)))[0]
        assert np.allclose(found, cosine_with(texts, asked), atol=1e-5)
    alike = likeness.between(np.arange(count))
    assert np.allclose(alike, alike.T, atol=1e-6)


async def test_papers_that_will_be_asked_for_are_looked_at_with_the_first(tmp_path):
    records = [make_record(f"2611.{n:05}", "X", abstract=text) for n, text in enumerate(texts_of(6), start=1)]
    marked = [make_record(f"2610.{n:05}", "X", abstract=text, day=None) for n, text in enumerate(texts_of(4), start=1)]
    ids = [record.id for record in marked]
    async with open_library(tmp_path) as library:
        await library.ingest([*records, *marked], now=MONDAY)

        def learn(connection):
            pool = Engine(library).pool(connection, OnDay(MONDAY_DATE))
            ahead, alone = Likeness(connection, pool, [*ids[:3], "2501.99999"]), Likeness(connection, pool)
            ahead.learn(connection, ids[:1])
            seen = set(ahead.places_of(ids))
            ahead.learn(connection, ids[3:])
            alone.learn(connection, ids)
            places = range(len(pool))
            found = [likeness.plain([*likeness.places_of(ids).values()], places) for likeness in (ahead, alone)]
            return seen, found

        seen, (ahead, alone) = await library.read(learn)
    assert seen == set(ids[:3])
    assert np.allclose(ahead, alone, atol=1e-6)
