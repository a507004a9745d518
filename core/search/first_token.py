"""What the last layer of an encoder works out for nobody, left out.

A text's vector is the last state of its first token. What comes after the last attention treats every token by itself,
so it need be done for the first one only, which spares most of a layer. The graph is read backwards from its output as
long as its operators do not mix tokens, and what they take from before is cut down to the first token there.

A graph in which this cannot be told stays as it is. Whether what is cut holds tokens along its second axis is seen only
when the graph runs, so it is given out beside the vectors. Field numbers are from
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3, operators from https://onnx.ai/onnx/operators.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.search.protobuf import content, field, fields, packed, spans, start

Name: TypeAlias = bytes

ALONE = frozenset({b"Add", b"Cast", b"Div", b"Erf", b"Gelu", b"Mul", b"Pow", b"Sqrt", b"Sub", b"Tanh"})
"""Operators that look at each number by itself."""
QUANTIZES = b"DynamicQuantizeLinear"
"""Looks at all numbers, for one scale; only what rounds is another one where the scale is taken off again."""
PRODUCTS = frozenset({b"MatMul", b"MatMulInteger"})
"""Those that look at each token by itself if the second factor is the same for every text."""
ALONG = {b"LayerNormalization": b"axis", b"ReduceMean": b"axes"}
"""Those that do if this attribute names the last axis only."""

_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SHAPES, _SPARSE_INITIALIZER = 1, 5, 11, 12, 13, 15
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
    """An operator of the graph; `axes` is how many a constant has, -1 where that is not known."""

    raw: memoryview
    operator: bytes
    takes: Sequence[Name]
    makes: Sequence[Name]
    attributes: Mapping[bytes, Sequence[int]]
    axes: int
    branches: bool


def keep_first_token(model: bytes) -> bytes:
    """Return a model whose first output, shape (texts, tokens, numbers), has one token; or the same where it cannot.

    Its other outputs are what was cut: the caller has to see that each has the shape (texts, all tokens, any).

    Args:
        model: an ONNX file that `onnx_graph.check_graph` allows.

    Raises:
        ModelError: it is no ONNX file.
    """
    around = list(spans(memoryview(model)))
    graph = next((content(value) for number, value, _ in around if number == _GRAPH), memoryview(b""))
    parts = list(spans(graph))
    outputs = [content(value) for number, value, _ in parts if number == _OUTPUT]
    inputs = {_name(content(value), _VALUE_NAME) for number, value, _ in parts if number == _INPUT}
    weights = [content(value) for number, value, _ in parts if number == _INITIALIZER]
    nodes = [_read_node(content(value)) for number, value, _ in parts if number == _NODE]
    sparse = any(number == _SPARSE_INITIALIZER for number, _, _ in parts)
    if sparse or not outputs or _count_axes(outputs[0]) != 3 or not _is_plain(nodes, inputs, weights):
        return model
    nodes = _leading_to(_name(outputs[0], _VALUE_NAME), nodes)
    fixed = _find_fixed(nodes, weights)
    behind = _find_behind(nodes, fixed)
    made = {name for index in behind for name in nodes[index].makes}
    cut = {name for index in behind for name in nodes[index].takes} - fixed.keys() - made
    if not cut or cut & inputs:
        return model
    kept = (raw for number, _, raw in parts if number not in {_NODE, _OUTPUT, _SHAPES})
    added = [field(_INITIALIZER, _place()), field(_OUTPUT, _with_one_token(outputs[0]))]
    shown = [field(_OUTPUT, field(_VALUE_NAME, name)) for name in sorted(cut)]
    changed: list[bytes | memoryview] = [*kept, *_write_nodes(nodes, behind, cut), *added, *shown]
    rest = (raw for number, _, raw in around if number != _GRAPH)
    return b"".join([*rest, start(_GRAPH, sum(map(len, changed))), *changed])


def _is_plain(nodes: Sequence[_Node], inputs: Iterable[Name], weights: Iterable[memoryview]) -> bool:
    """Whether a graph has no branches, stands in the order in which it can be run, and has none of the added names."""
    made = {name for node in nodes for name in node.makes}
    seen = set[Name]()
    for node in nodes:
        if node.branches or not seen.issuperset(made.intersection(node.takes)):
            return False
        seen.update(node.makes)
    names = {*made, *inputs, *(_name(weight, _TENSOR_NAME) for weight in weights)}
    return not any(name == _PLACE or name.endswith(_FIRST) for name in names)


def _leading_to(output: Name, nodes: Sequence[_Node]) -> list[_Node]:
    wanted, leading = {output}, list[_Node]()
    for node in reversed(nodes):
        if wanted.intersection(node.makes):
            wanted.update(node.takes)
            leading.append(node)
    return leading[::-1]


def _find_fixed(nodes: Iterable[_Node], weights: Iterable[memoryview]) -> dict[Name, int]:
    """Return the names of all that is the same for every text, and how many axes it has, -1 where that is not known."""
    fixed = {b"": 0}  # what may be left out has no name
    fixed |= {_name(weight, _TENSOR_NAME): _count_sizes(weight) for weight in weights}
    for node in nodes:
        if fixed.keys() >= set(node.takes):
            fixed |= dict.fromkeys(node.makes, node.axes)
    return fixed


def _find_behind(nodes: Sequence[_Node], fixed: Mapping[Name, int]) -> set[int]:
    """Return the places of the nodes whose results go only to others that treat each token by itself, as they do."""
    behind, mixed = set[int](), set[Name]()
    uses: dict[Name, list[tuple[_Node, int]]] = {}
    for index, node in reversed(list(enumerate(nodes))):
        if fixed.keys() >= set(node.takes):
            continue
        if mixed.isdisjoint(node.makes) and _treats_tokens_alone(node, fixed, uses):
            behind.add(index)
        else:
            mixed.update(node.takes)
        for place, name in enumerate(node.takes):
            uses.setdefault(name, []).append((node, place))
    return behind


def _treats_tokens_alone(
    node: _Node, fixed: Mapping[Name, int], uses: Mapping[Name, Sequence[tuple[_Node, int]]]
) -> bool:
    if node.operator in PRODUCTS:
        return node.takes[0] not in fixed and fixed.get(node.takes[1] if len(node.takes) > 1 else b"", -1) == 2
    if node.operator == QUANTIZES:
        return _is_undone(node, fixed, uses)
    # What has more axes than a row could tell tokens apart, as a table of their positions does.
    if not all(0 <= fixed.get(name, 0) <= 1 for name in node.takes):
        return False
    if node.operator in ALONG:
        axes = node.attributes.get(ALONG[node.operator], ())
        return list(axes) == [_LAST_AXIS] and list(node.attributes.get(b"keepdims", [1])) == [1]
    return node.operator in ALONE


def _is_undone(node: _Node, fixed: Mapping[Name, int], uses: Mapping[Name, Sequence[tuple[_Node, int]]]) -> bool:
    """Whether quantized numbers are only multiplied by weights, their zero taken off, and the scale by other scales."""
    if len(node.makes) != 3:
        return False
    quantized, scale, zero = node.makes
    multiplied = [
        user.operator == b"MatMulInteger" and place in {0, 2} and [user.takes[0], *user.takes[2:3]] == [quantized, zero]
        for name in (quantized, zero)
        for user, place in uses.get(name, ())
    ]
    scaled = [user.operator == b"Mul" and any(name in fixed for name in user.takes) for user, _ in uses.get(scale, ())]
    return all(multiplied) and all(scaled)


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
    takes, makes, operator, axes, branches = list[Name](), list[Name](), b"", -1, False
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
            if _name(attribute, _ATTRIBUTE_NAME) == b"value":
                axes = _count_sizes(_only(attribute, _ATTRIBUTE_TENSOR))
            branches |= any(part in _ATTRIBUTE_GRAPHS for part, _ in fields(attribute))
    return _Node(raw, operator, takes, makes, attributes, axes if operator == b"Constant" else -1, branches)


def _read_ints(message: memoryview, wanted: Container[int]) -> Iterator[int]:
    for number, value in fields(message):
        if number in wanted:
            yield from (value,) if isinstance(value, int) else packed(value)


def _count_sizes(tensor: memoryview) -> int:
    return len(list(_read_ints(tensor, {_TENSOR_SIZES})))


def _only(message: memoryview, wanted: int) -> memoryview:
    """Return the content of a field, of none when it is not there."""
    return next((content(value) for number, value in fields(message) if number == wanted), memoryview(b""))


def _name(message: memoryview, wanted: int) -> Name:
    return bytes(_only(message, wanted))
