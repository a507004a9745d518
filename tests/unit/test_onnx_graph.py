"""What is refused before the runtime sees it; the files are written by hand, field by field."""

from __future__ import annotations

import random

import pytest

from core.errors import ModelError
from core.search.onnx_graph import check_graph


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def message(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number, value):
    return varint(number << 3) + varint(value)


def node(operator=b"MatMul", domain=b"", attribute=b""):
    return message(1, message(4, operator) + message(7, domain) + (message(5, attribute) if attribute else b""))


def model(*parts):
    return integer(1, 8) + message(7, b"".join(parts))


def test_a_graph_of_the_runtimes_own_operators_is_allowed():
    tensor = message(5, integer(2, 1) + message(8, b"weights") + message(9, b"\0" * 64))
    check_graph(model(node(), node(b"Add", b"ai.onnx"), node(b"Gelu", b"com.microsoft"), tensor))


def test_an_operator_of_somebody_elses_library_is_refused_by_its_name():
    with pytest.raises(ModelError, match=r"custom operator evil\.Run"):
        check_graph(model(node(), node(b"Run", b"evil")))


def test_a_custom_operator_hidden_in_a_branch_is_refused():
    branch = message(6, node(b"Run", b"evil"))
    with pytest.raises(ModelError, match="custom operator"):
        check_graph(model(node(b"If", attribute=branch)))
    with pytest.raises(ModelError, match="custom operator"):
        check_graph(model(node(b"If", attribute=message(11, node(b"Run", b"evil")))))


@pytest.mark.parametrize("tensor", [integer(14, 1), message(13, message(1, b"location") + message(2, b"/etc/passwd"))])
def test_weights_in_another_file_are_refused_wherever_they_stand(tensor):
    for place in (message(5, tensor), message(15, message(1, tensor)), node(b"Constant", attribute=message(5, tensor))):
        with pytest.raises(ModelError, match="other files"):
            check_graph(model(place))


def test_functions_that_a_model_brings_along_are_refused():
    with pytest.raises(ModelError, match="functions of its own"):
        check_graph(model(node()) + message(25, b""))


def test_branches_without_end_are_refused():
    deep = node()
    for _ in range(40):
        deep = node(b"If", attribute=message(6, deep))
    with pytest.raises(ModelError, match="nested too deeply"):
        check_graph(model(deep))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80" * 30, b"PK\x03\x04 a zip", message(7, b"")[:-1] + b"\x7f"])
def test_what_is_no_model_is_refused(content):
    with pytest.raises(ModelError):
        check_graph(content)


def test_a_model_cut_off_or_damaged_anywhere_is_refused_or_read_but_never_crashes():
    whole = model(node(), message(5, message(9, b"\0" * 50)), node(b"Add"))
    for end in range(2, len(whole)):
        with pytest.raises(ModelError):
            check_graph(whole[:end])
    draw = random.Random(7)
    for _ in range(2_000):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] = draw.randrange(256)
        try:
            check_graph(bytes(damaged))
        except ModelError:
            continue


def over(number, kind):
    """A field's beginning whose number is another one once its upper bits are dropped."""
    return varint((number << 3 | kind) + (1 << 32))


def test_a_field_that_hides_behind_a_number_too_large_is_refused():
    content = message(1, b"location") + message(2, b"weights.bin")
    hidden = over(13, 2) + varint(len(content)) + content
    with pytest.raises(ModelError, match="broken"):
        check_graph(model(node(), message(5, message(8, b"weights") + hidden)))
    with pytest.raises(ModelError, match="broken"):
        check_graph(model(node(), message(5, over(14, 0) + varint(1))))
    with pytest.raises(ModelError, match="broken"):
        check_graph(model(node()) + b"\x02\x00")


def test_a_file_that_the_runtime_would_read_in_another_way_is_refused():
    with pytest.raises(ModelError, match="the runtime's own format"):
        check_graph(b"\x18\x00\x7a\x04ORTM" + model(node()))


def test_two_graphs_are_refused():
    with pytest.raises(ModelError, match="several graphs"):
        check_graph(model(node()) + message(7, node()))


def test_a_file_of_very_many_small_parts_is_refused_before_it_takes_the_memory():
    many = message(99, b"") * 250_000
    for content in (model(node()) + many, model(many), model(message(1, many))):
        with pytest.raises(ModelError, match="more than 200,000 parts"):
            check_graph(content)
