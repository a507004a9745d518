"""What the last layer of an encoder works out for nobody, left out.

A text's vector is the last state of its first token. What comes after the last attention treats every token by itself,
so it need be done for the first one only, which spares most of a layer. The graph is read backwards from its output as
long as its operators do not mix tokens, and what they take from before is cut down to the first token there.

A graph in which this cannot be told stays as it is. Field numbers are from
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3, operators from https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.search.protobuf import content, field, fields, packed, spans, start

Name: TypeAlias = bytes

ALONE = frozenset(
    {b"Add", b"Cast", b"Div", b"DynamicQuantizeLinear", b"Erf", b"Gelu", b"Mul", b"Pow", b"Sqrt", b"Sub", b"Tanh"}
)
"""Operators that look at each number by itself, or at all of them for one scale."""
PRODUCTS = frozenset({b"MatMul", b"MatMulInteger"})
"""Those that look at each token by itself if the second factor is the same for every text."""
ALONG = {b"LayerNormalization": b"axis", b"ReduceMean": b"axes"}
"""Those that do if this attribute names the last axis only."""

_GRAPH = 7
_NODE, _INITIALIZER, _OUTPUT, _SHAPES, _SPARSE_INITIALIZER = 1, 5, 12, 13, 15
_TAKES, _MAKES, _OPERATOR, _ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INT, _ATTRIBUTE_TENSOR, _ATTRIBUTE_INTS, _ATTRIBUTE_TYPE = 1, 3, 5, 8, 20
_ATTRIBUTE_GRAPHS = (6, 11)
_INT_ATTRIBUTE = 2
_TENSOR_SIZES, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_CONTENT = 1, 2, 8, 9
_INT64 = 7
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_AXIS, _AXIS_LENGTH = 1, 2, 1, 2, 1, 1
_LAST_AXIS = 2**64 - 1  # -1, as the format writes it
_FIRST, _PLACE = b" of the first token", b"the place of the first token"


@dataclass(frozen=True, slots=True)
class _Node:
    raw: memoryview
    operator: bytes
    takes: Sequence[Name]
    makes: Sequence[Name]
    attributes: Mapping[bytes, Sequence[int]]
    row: bool
    branches: bool


def keep_first_token(model: bytes) -> bytes:
    """Return a model whose only output, shape (texts, tokens, numbers), has one token; or the same where it cannot.

    Args:
        model: an ONNX file; its first output is kept.

    Raises:
        ModelError: it is no ONNX file.
    """
    around = list(spans(memoryview(model)))
    graph = next((content(value) for number, value, _ in around if number == _GRAPH), memoryview(b""))
    parts = list(spans(graph))
    outputs = [content(value) for number, value, _ in parts if number == _OUTPUT]
    weights = [content(value) for number, value, _ in parts if number == _INITIALIZER]
    nodes = [_read_node(content(value)) for number, value, _ in parts if number == _NODE]
    unknown = any(node.branches for node in nodes) or any(number == _SPARSE_INITIALIZER for number, _, _ in parts)
    if unknown or not outputs or _count_axes(outputs[0]) != 3:
        return model
    nodes = _leading_to(_name(outputs[0], _VALUE_NAME), nodes)
    fixed = _find_fixed(nodes, weights)
    behind = _find_behind(nodes, fixed)
    made = {name for index in behind for name in nodes[index].makes}
    cut = {name for index in behind for name in nodes[index].takes} - fixed.keys() - made
    if not cut:
        return model
    kept = (raw for number, _, raw in parts if number not in {_NODE, _OUTPUT, _SHAPES})
    added = (field(_INITIALIZER, _place()), field(_OUTPUT, _with_one_token(outputs[0])))
    changed: list[bytes | memoryview] = [*kept, *_write_nodes(nodes, behind, cut), *added]
    rest = (raw for number, _, raw in around if number != _GRAPH)
    return b"".join([*rest, start(_GRAPH, sum(map(len, changed))), *changed])


def _leading_to(output: Name, nodes: Sequence[_Node]) -> list[_Node]:
    wanted, leading = {output}, list[_Node]()
    for node in reversed(nodes):  # they stand in the order in which they can be run
        if wanted.intersection(node.makes):
            wanted.update(node.takes)
            leading.append(node)
    return leading[::-1]


def _find_fixed(nodes: Iterable[_Node], weights: Iterable[memoryview]) -> dict[Name, bool]:
    """Return the names of all that is the same for every text, and whether it is sure to be a number or a row of them.

    Whatever has more axes could tell tokens apart, as a table of their positions does.
    """
    fixed = {b"": True}  # what may be left out has no name
    fixed |= {_name(weight, _TENSOR_NAME): _is_row(weight) for weight in weights}
    for node in nodes:
        if fixed.keys() >= set(node.takes):
            fixed |= dict.fromkeys(node.makes, node.row)
    return fixed


def _find_behind(nodes: Sequence[_Node], fixed: Mapping[Name, bool]) -> set[int]:
    """Return the places of the nodes whose results go only to others that treat each token by itself, as they do."""
    behind, mixed = set[int](), set[Name]()
    for index, node in reversed(list(enumerate(nodes))):
        if fixed.keys() >= set(node.takes):
            continue
        if mixed.isdisjoint(node.makes) and _treats_tokens_alone(node, fixed):
            behind.add(index)
        else:
            mixed.update(node.takes)
    return behind


def _treats_tokens_alone(node: _Node, fixed: Mapping[Name, bool]) -> bool:
    if node.operator in PRODUCTS:
        return node.takes[0] not in fixed and fixed.keys() >= set(node.takes[1:2])
    if not all(fixed.get(name, True) for name in node.takes):
        return False
    if node.operator in ALONG:
        axes = node.attributes.get(ALONG[node.operator], ())
        return list(axes) == [_LAST_AXIS] and list(node.attributes.get(b"keepdims", [1])) == [1]
    return node.operator in ALONE


def _write_nodes(nodes: Sequence[_Node], behind: set[int], cut: set[Name]) -> Iterator[bytes]:
    written = set[Name]()
    for index, node in enumerate(nodes):
        if index not in behind:
            yield field(_NODE, node.raw)
            continue
        for name in cut.intersection(node.takes) - written:
            yield field(_NODE, _gather_first(name))
            written.add(name)
        takes = (field(_TAKES, name + _FIRST if name in cut else name) for name in node.takes)
        rest = (raw for number, _, raw in spans(node.raw) if number != _TAKES)
        yield field(_NODE, b"".join([*takes, *rest]))


def _gather_first(name: Name) -> bytes:
    """Return a node that takes the first along the second axis, and leaves the axis there."""
    axis = field(_ATTRIBUTE_NAME, b"axis") + field(_ATTRIBUTE_INT, 1) + field(_ATTRIBUTE_TYPE, _INT_ATTRIBUTE)
    names = field(_TAKES, name) + field(_TAKES, _PLACE) + field(_MAKES, name + _FIRST)
    return names + field(_OPERATOR, b"Gather") + field(_ATTRIBUTE, axis)


def _place() -> bytes:
    """Return a tensor that holds a 0."""
    kind = field(_TENSOR_SIZES, 1) + field(_TENSOR_TYPE, _INT64)
    return kind + field(_TENSOR_NAME, _PLACE) + field(_TENSOR_CONTENT, bytes(8))


def _with_one_token(output: memoryview) -> bytes:
    """Return an output whose second axis is 1 long."""
    tensor = _only(_only(output, _VALUE_TYPE), _TYPE_TENSOR)
    axes = [raw for _, _, raw in spans(_only(tensor, _TENSOR_SHAPE))]
    axes[1:2] = [memoryview(field(_SHAPE_AXIS, field(_AXIS_LENGTH, 1)))]
    kind = b"".join(raw for number, _, raw in spans(tensor) if number != _TENSOR_SHAPE)
    shaped = kind + field(_TENSOR_SHAPE, b"".join(axes))
    return field(_VALUE_NAME, _name(output, _VALUE_NAME)) + field(_VALUE_TYPE, field(_TYPE_TENSOR, shaped))


def _count_axes(output: memoryview) -> int:
    shape = _only(_only(_only(output, _VALUE_TYPE), _TYPE_TENSOR), _TENSOR_SHAPE)
    return sum(1 for _ in fields(shape))


def _read_node(raw: memoryview) -> _Node:
    takes, makes, operator, row, branches = list[Name](), list[Name](), b"", False, False
    attributes = dict[bytes, Sequence[int]]()
    for number, value in fields(raw):
        if number == _TAKES:
            takes.append(bytes(content(value)))
        elif number == _MAKES:
            makes.append(bytes(content(value)))
        elif number == _OPERATOR:
            operator = bytes(content(value))
        elif number == _ATTRIBUTE:
            attribute = content(value)
            attributes[_name(attribute, _ATTRIBUTE_NAME)] = list(
                _read_ints(attribute, {_ATTRIBUTE_INT, _ATTRIBUTE_INTS})
            )
            row |= _is_row(_only(attribute, _ATTRIBUTE_TENSOR))
            branches |= any(part in _ATTRIBUTE_GRAPHS for part, _ in fields(attribute))
    return _Node(raw, operator, takes, makes, attributes, row and operator == b"Constant", branches)


def _read_ints(message: memoryview, wanted: Container[int]) -> Iterator[int]:
    for number, value in fields(message):
        if number in wanted:
            yield from (value,) if isinstance(value, int) else packed(value)


def _is_row(tensor: memoryview) -> bool:
    return len(list(_read_ints(tensor, {_TENSOR_SIZES}))) <= 1


def _only(message: memoryview, wanted: int) -> memoryview:
    """Return the content of a field, of none when it is not there."""
    return next((content(value) for number, value in fields(message) if number == wanted), memoryview(b""))


def _name(message: memoryview, wanted: int) -> Name:
    return bytes(_only(message, wanted))
