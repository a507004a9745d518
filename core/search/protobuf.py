"""The shell of protobuf messages: which field holds what, without knowing their schema.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import ModelError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIRST_KEY, _KEYS = 1 << 3, 1 << 32


def fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield (field number, value) of a message: an int, or the bytes.

    Raises:
        ModelError: it is no message, or it is cut off.
    """
    for number, value, _ in spans(message):
        yield number, value


def spans(message: memoryview) -> Iterator[tuple[int, memoryview | int, memoryview]]:
    """Yield (field number, value, the field as it stands) of a message.

    Raises:
        ModelError: it is no message, or it is cut off.
    """
    place, end = 0, len(message)
    while place < end:
        start = place
        key, place = _varint(message, place)
        if key >= _KEYS or key < _FIRST_KEY:  # a reader that drops the upper bits would see another field
            raise ModelError("The model is not an ONNX file, or it is broken.")
        kind = key & 7
        if kind == _VARINT:
            number, place = _varint(message, place)
            yield key >> 3, number, message[start:place]
            continue
        if kind == _BYTES:
            size, place = _varint(message, place)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ModelError("The model is not an ONNX file, or it is broken.")
        if place + size > end:
            raise ModelError("The model is cut off, or it is not an ONNX file.")
        yield key >> 3, message[place : place + size], message[start : place + size]
        place += size


def content(value: memoryview | int) -> memoryview:
    """Return the bytes of a field that has to hold some; ModelError when it holds a number."""
    if isinstance(value, int):
        raise ModelError("The model is not an ONNX file, or it is broken.")
    return value


def packed(value: memoryview) -> Iterator[int]:
    """Yield the numbers of a field that holds several.

    Raises:
        ModelError: it is cut off.
    """
    place = 0
    while place < len(value):
        number, place = _varint(value, place)
        yield number


def field(number: int, value: int | bytes | memoryview) -> bytes:
    """Return a field that holds a number of 0 or more, or bytes."""
    if isinstance(value, int):
        return _number(number << 3 | _VARINT) + _number(value)
    return b"".join((start(number, len(value)), value))


def start(number: int, size: int) -> bytes:
    """Return what comes before the bytes of a field."""
    return _number(number << 3 | _BYTES) + _number(size)


def _number(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)


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
