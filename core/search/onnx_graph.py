"""What an ONNX file would make the runtime do, read before the runtime sees it.

A model here is data. Two things in the format reach beyond the file: operators of a domain that only a loaded library
knows, and tensors kept in other files. A graph with either is refused. Field numbers are from
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import ModelError
from core.search.protobuf import content, fields

OWN_DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})
"""Domains whose operators the runtime brings along itself."""

_GRAPH, _FUNCTIONS = 7, 25
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_OP_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_TENSORS, _GRAPHS, _SPARSE_TENSORS = (5, 10), (6, 11), (22, 23)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEEPEST = 16
_MOST_PARTS = 200_000
_OTHER_FORMAT = b"ORTM"  # at byte 4; the runtime would read such a file as one of its own


def check_graph(data: bytes) -> None:
    """Check that a model is one graph of the runtime's own operators that needs no other file.

    Raises:
        ModelError: it is not, or it is no ONNX model at all.
    """
    if data[4:8] == _OTHER_FORMAT:
        raise ModelError("The model is not an ONNX file: it is in the runtime's own format.")
    found = 0
    for number, value in _parts(memoryview(data)):
        if number == _FUNCTIONS:
            raise ModelError("The model defines functions of its own, which is not allowed.")
        if number == _GRAPH:
            found += 1
            _check_graph(content(value), 0)
    if found != 1:
        raise ModelError(f"The model is not an ONNX file: it holds {'several graphs' if found else 'no graph'}.")


def _parts(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    for count, part in enumerate(fields(message)):
        if count > _MOST_PARTS:
            raise ModelError(f"The model has more than {_MOST_PARTS:,} parts, which no encoder needs.")
        yield part


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth > _DEEPEST:
        raise ModelError("The model is nested too deeply.")
    for number, value in _parts(graph):
        if number == _NODE:
            _check_node(content(value), depth)
        elif number == _INITIALIZER:
            _check_tensor(content(value))
        elif number == _SPARSE_INITIALIZER:
            _check_sparse(content(value))


def _check_node(node: memoryview, depth: int) -> None:
    operator, domain = b"", b""
    for number, value in _parts(node):
        if number == _OP_TYPE:
            operator = bytes(content(value))
        elif number == _DOMAIN:
            domain = bytes(content(value))
        elif number == _ATTRIBUTE:
            _check_attribute(content(value), depth)
    if domain not in OWN_DOMAINS:
        name = (domain + b"." + operator).decode(errors="replace")[:80]
        raise ModelError(f"The model uses the custom operator {name}, which is not allowed.")


def _check_attribute(attribute: memoryview, depth: int) -> None:
    for number, value in fields(attribute):
        if number in _TENSORS:
            _check_tensor(content(value))
        elif number in _GRAPHS:
            _check_graph(content(value), depth + 1)
        elif number in _SPARSE_TENSORS:
            _check_sparse(content(value))


def _check_sparse(sparse: memoryview) -> None:
    for number, value in fields(sparse):
        if number in {1, 2}:  # values and indices
            _check_tensor(content(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in fields(tensor):
        if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0):
            raise ModelError("The model keeps data in other files, which is not allowed.")
