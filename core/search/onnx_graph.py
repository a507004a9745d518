"""What an ONNX file would make the runtime do, read before the runtime sees it.

A model here is data. Two things in the format reach beyond the file: operators of a domain that only a loaded library
knows, and tensors kept in other files. A graph with either is refused. Only the shell of the protobuf messages is read
(https://protobuf.dev/programming-guides/encoding/, field numbers from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
"""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import ModelError

OWN_DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})
"""Domains whose operators the runtime brings along itself."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _FUNCTIONS = 7, 25
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_OP_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_TENSORS, _GRAPHS, _SPARSE_TENSORS = (5, 10), (6, 11), (22, 23)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_DEEPEST = 16


def check_graph(data: bytes) -> None:
    """Check that a model is one graph of the runtime's own operators that needs no other file.

    Raises:
        ModelError: it is not, or it is no ONNX model at all.
    """
    found = False
    for number, value in _fields(memoryview(data)):
        if number == _FUNCTIONS:
            raise ModelError("The model defines functions of its own, which is not allowed.")
        if number == _GRAPH:
            found = True
            _check_graph(_message(value), 0)
    if not found:
        raise ModelError("The model is not an ONNX file: it holds no graph.")


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth > _DEEPEST:
        raise ModelError("The model is nested too deeply.")
    for number, value in _fields(graph):
        if number == _NODE:
            _check_node(_message(value), depth)
        elif number == _INITIALIZER:
            _check_tensor(_message(value))
        elif number == _SPARSE_INITIALIZER:
            _check_sparse(_message(value))


def _check_node(node: memoryview, depth: int) -> None:
    operator, domain = b"", b""
    for number, value in _fields(node):
        if number == _OP_TYPE:
            operator = bytes(_message(value))
        elif number == _DOMAIN:
            domain = bytes(_message(value))
        elif number == _ATTRIBUTE:
            _check_attribute(_message(value), depth)
    if domain not in OWN_DOMAINS:
        name = (domain + b"." + operator).decode(errors="replace")[:80]
        raise ModelError(f"The model uses the custom operator {name}, which is not allowed.")


def _check_attribute(attribute: memoryview, depth: int) -> None:
    for number, value in _fields(attribute):
        if number in _TENSORS:
            _check_tensor(_message(value))
        elif number in _GRAPHS:
            _check_graph(_message(value), depth + 1)
        elif number in _SPARSE_TENSORS:
            _check_sparse(_message(value))


def _check_sparse(sparse: memoryview) -> None:
    for number, value in _fields(sparse):
        if number in {1, 2}:  # values and indices
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0):
            raise ModelError("The model keeps data in other files, which is not allowed.")


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise ModelError("The model is not an ONNX file, or it is broken.")
    return value


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield (field number, value) of a message: an int, or the bytes."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            number, place = _varint(message, place)
            yield key >> 3, number
            continue
        if kind == _BYTES:
            size, place = _varint(message, place)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ModelError("The model is not an ONNX file, or it is broken.")
        if place + size > end:
            raise ModelError("The model is cut off, or it is not an ONNX file.")
        yield key >> 3, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ModelError("The model is cut off, or it is not an ONNX file.")
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
    raise ModelError("The model is not an ONNX file, or it is broken.")
