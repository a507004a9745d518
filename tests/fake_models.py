"""A model that needs no file: words hashed into a vector, so that texts that share words are near each other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.errors import ModelError
from core.papers.tokens import tokens

DIMENSIONS = 512
SYNONYMS: Mapping[str, str] = {"memorization": "grokking", "automobile": "car", "automobiles": "car", "cars": "car"}
"""Words that the fake takes to mean the same."""


@dataclass
class FakeEmbedder:
    """An Embedder by hashing; `before` is called with each batch of papers."""

    key: str = "fake"
    least_cosine: float = 0.2
    dimensions: int = DIMENSIONS
    before: Callable[[Sequence[str]], None] = lambda _texts: None
    seen: list[str] = field(default_factory=list)

    def embed_query(self, text: str) -> np.ndarray:
        return self._vector(text)

    def embed_papers(self, texts: Sequence[str]) -> np.ndarray:
        self.before(texts)
        self.seen += texts
        return np.stack([self._vector(text) for text in texts])

    def _vector(self, text: str) -> np.ndarray:
        vector = np.full(self.dimensions, 0.01, np.float32)
        for token in tokens(text):
            word = SYNONYMS.get(token, token)
            digest = hashlib.sha256(f"{self.key} {word}".encode()).digest()
            vector[digest[0] % self.dimensions] += 1 if digest[1] % 2 else -1
            vector[digest[2] % self.dimensions] += 1 if digest[3] % 2 else -1
        return vector / np.linalg.norm(vector)


@dataclass
class FakeModel:
    """A Model whose embedder is there already."""

    embedder: FakeEmbedder
    broken: bool = False

    @property
    def key(self) -> str:
        return self.embedder.key

    @property
    def description(self) -> str:
        return f"fake {self.embedder.key}"

    @property
    def dimensions(self) -> int:
        return self.embedder.dimensions

    @property
    def least_cosine(self) -> float:
        return self.embedder.least_cosine

    def open(self, *, threads: int) -> FakeEmbedder:
        if self.broken:
            raise ModelError("The fake model is broken.")
        return self.embedder


@dataclass
class FakeModels:
    """The models of a machine: the wanted one, and those that were wanted once."""

    now: FakeModel | None = field(default_factory=lambda: FakeModel(FakeEmbedder()))
    former: list[FakeModel] = field(default_factory=list)

    def wanted(self) -> FakeModel | None:
        return self.now

    def known(self, description: str) -> FakeModel | None:
        models = [*([self.now] if self.now else []), *self.former]
        return next((model for model in models if model.description == description), None)
