"""What is left out of a model's last layer changes nothing of what is read of it: the first token's state.

The graphs are written in ONNX's own text form, and run by the real runtime.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ModelError
from core.search.first_token import keep_first_token

TEXTS, TOKENS, WIDTH = 2, 5, 4
WEIGHTS = {
    "w": np.random.default_rng(1).normal(size=(WIDTH, WIDTH)),
    "row": np.random.default_rng(2).normal(size=WIDTH),
    "positions": np.random.default_rng(3).normal(size=(1, TOKENS, WIDTH)),
    "every": np.ones(WIDTH),
    "two": np.float32(2),
    "whole_w": np.random.default_rng(4).integers(-90, 90, (WIDTH, WIDTH), np.int8),
}
MIX = """
    x = Identity (given)
    turned = Transpose <perm = [0, 2, 1]> (x)
    alike = MatMul (x, turned)
    shares = Softmax <axis = 2> (alike)
    mixed = MatMul (shares, x)
"""
"""What attention does: from here on, every token knows of the others."""


def graph(*lines, output="y", shape="texts, tokens, 4", ending=""):
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    text = f"{header} g (float[texts, tokens, 4] given) => (float[{shape}] {output}{ending}) {{ {' '.join(lines)} }}"
    made = onnx.parser.parse_model(text)
    made.graph.initializer.extend(
        onnx.numpy_helper.from_array(value if value.dtype == np.int8 else np.asarray(value, np.float32), name)
        for name, value in WEIGHTS.items()
    )
    return made.SerializeToString()


def run(model):
    """The states, and what was cut."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it would tell of every weight that a graph does not use
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    states = np.random.default_rng(7).normal(size=(TEXTS, TOKENS, WIDTH)).astype(np.float32)
    return session.run(None, {"given": states})


def states_of(model):
    return run(model)[0]


def named(model):
    """What each node takes and makes."""
    return [(node.op_type, list(node.input), list(node.output)) for node in onnx.load_from_string(model).graph.node]


def read_shortened(shortened):
    """The first token's states as the embedder takes them; None where it sees that something else was cut."""
    try:
        states, *cut = run(shortened)
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
        return None
    return states[:, 0] if all(part.shape[:2] == (TEXTS, TOKENS) for part in cut) else None


def assert_same_first_token(whole, shortened):
    assert states_of(whole)[:, 0] == pytest.approx(read_shortened(shortened), abs=1e-5)


def assert_never_another(whole):
    states = read_shortened(keep_first_token(whole))
    assert states is None or states == pytest.approx(states_of(whole)[:, 0], abs=1e-5)


def test_what_follows_the_last_mixing_is_done_for_the_first_token():
    whole = graph(MIX, "wide = MatMul (mixed, w)  moved = Add (wide, row)  both = Add (moved, x)  y = Tanh (both)")
    shortened = keep_first_token(whole)
    assert states_of(shortened).shape == (TEXTS, 1, WIDTH)
    assert_same_first_token(whole, shortened)
    cut = [node for node in named(shortened) if node[0] == "Gather"]
    assert {takes[0] for _, takes, _ in cut} == {"mixed", "x"}
    ends = {makes[0] for _, _, makes in cut}
    assert [takes[0] in ends for operator, takes, _ in named(shortened) if operator == "MatMul"] == [False, False, True]


QUANTIZED = """
    mean = ReduceMean <axes = [-1]> (mixed)  rest = Sub (mixed, mean)  square = Pow (rest, two)
    spread = ReduceMean <axes = [-1]> (square)  root = Sqrt (spread)  even = Div (rest, root)
    bytes, scale, zero = DynamicQuantizeLinear (even)  scales = Mul (scale, row)
    product = MatMulInteger (bytes, whole_w, zero)  wide = Cast <to = 1> (product)  scaled = Mul (wide, scales)
"""


def test_a_normalized_and_quantized_layer_is_cut_too():
    whole = graph(MIX, QUANTIZED, "y = LayerNormalization <axis = -1> (scaled, every, row)")
    shortened = keep_first_token(whole)
    assert states_of(shortened).shape == (TEXTS, 1, WIDTH)
    # The scale is another one where fewer numbers share it: as far as one of 256 steps.
    assert states_of(whole)[:, 0] == pytest.approx(states_of(shortened)[:, 0], abs=0.2)


@pytest.mark.parametrize(
    "lines",
    [
        "plain = Cast <to = 1> (zero)  y = Add (scaled, plain)",
        "plain = Cast <to = 1> (bytes)  y = Mul (plain, scale)",
        "y = Mul (scaled, scale)",
        "other = MatMulInteger (bytes, whole_w)  plain = Cast <to = 1> (other)  y = Add (scaled, plain)",
    ],
)
def test_what_depends_on_the_scale_of_all_tokens_is_done_for_all_of_them(lines):
    assert_never_another(graph(MIX, QUANTIZED, lines))


def test_nodes_out_of_order_stay_as_they_are():
    made = onnx.load_from_string(
        graph(MIX, "late = Tanh (mixed)  mean = ReduceMean <axes = [1]> (late)  y = Add (late, mean)")
    )
    nodes = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend([*nodes[:-3], nodes[-2], nodes[-3], nodes[-1]])
    whole = made.SerializeToString()
    assert keep_first_token(whole) is whole


def test_a_graph_that_has_a_name_of_ours_stays_as_it_is():
    for name in ("the place of the first token", "late of the first token"):
        made = onnx.load_from_string(graph(MIX, "late = Tanh (mixed)  y = Add (late, x)"))
        made.graph.initializer.append(onnx.numpy_helper.from_array(np.array([3]), name))
        whole = made.SerializeToString()
        assert keep_first_token(whole) is whole


@pytest.mark.parametrize(
    "lines",
    [
        "mean = ReduceMean <axes = [1]> (late)  y = Add (late, mean)",
        "mean = ReduceMean (late)  y = Add (late, mean)",
        "mean = ReduceMean <axes = [0], keepdims = 0> (late)  y = Add (late, mean)",
        "from = Constant <value = int64[1] {0}> ()  table = Slice (every, from, upto, from)  y = Add (late, table)",
    ],
)
def test_what_mixes_the_tokens_once_more_or_tells_them_apart_is_never_another(lines):
    size = "size = Shape <start = 2, end = 3> (x)  upto = Identity (size)  late = Tanh (mixed)"
    assert_never_another(graph(MIX, size, lines))


@pytest.mark.parametrize(
    "lines",
    [
        "y = Add (mixed, positions)",
        "y = Softmax <axis = 1> (mixed)",
        "y = LayerNormalization <axis = 1> (mixed, positions)",
        "turned2 = Transpose <perm = [0, 2, 1]> (mixed)  alike2 = MatMul (mixed, turned2)  y = MatMul (alike2, mixed)",
    ],
)
def test_a_graph_in_which_tokens_are_told_apart_to_its_end_stays_as_it_is(lines):
    whole = graph(MIX, lines)
    assert keep_first_token(whole) is whole
    assert states_of(whole).shape == (TEXTS, TOKENS, WIDTH)


def test_tokens_that_are_needed_before_the_end_are_all_kept():
    """Attention reads `moved` too, so that nothing before it may be cut."""
    again = "asks = MatMul (moved, w)  back = Transpose <perm = [0, 2, 1]> (moved)  met = MatMul (asks, back)"
    lines = f"moved = Add (mixed, row)  {again}  heard = MatMul (met, moved)  y = Add (heard, moved)"
    whole = graph(MIX, lines)
    shortened = keep_first_token(whole)
    assert_same_first_token(whole, shortened)
    assert {takes[0] for operator, takes, _ in named(shortened) if operator == "Gather"} == {"heard", "moved"}


def test_other_outputs_and_what_is_done_for_them_alone_are_left_out():
    whole = graph(MIX, "y = Tanh (mixed)  pooled = ReduceMean <axes = [1]> (y)", ending=", float[texts, 1, 4] pooled")
    shortened = keep_first_token(whole)
    assert_same_first_token(whole, shortened)
    assert [output.name for output in onnx.load_from_string(shortened).graph.output] == ["y", "mixed"]
    assert "pooled" not in str(named(shortened))


def test_an_output_of_a_whole_text_is_none_of_a_token():
    whole = graph(MIX, "y = ReduceMean <axes = [-1], keepdims = 0> (mixed)", shape="texts, tokens")
    assert keep_first_token(whole) is whole


def test_what_branches_read_is_not_known_so_their_graph_stays():
    branch = "{ taken = Identity (mixed) }"
    choice = f"y = If (yes) <then_branch = a () => (float[texts, tokens, 4] taken) {branch}, "
    choice += f"else_branch = b () => (float[texts, tokens, 4] taken) {branch}>"
    lines = "yes = Constant <value = bool {1}> ()  late = Tanh (mixed)"
    whole = graph(MIX, lines, choice.replace("y =", "chosen ="), "y = Add (late, chosen)")
    assert keep_first_token(whole) is whole


def test_a_graph_with_weights_of_another_kind_stays_as_it_is():
    made = onnx.load_from_string(graph(MIX, "y = Add (mixed, thin)"))
    values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "thin")
    places = onnx.numpy_helper.from_array(np.array([[0, 2, 1]]), "")
    made.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, places, [1, TOKENS, WIDTH]))
    whole = made.SerializeToString()
    assert keep_first_token(whole) is whole


STEPS = st.sampled_from(
    [
        "{new} = Tanh ({a})",
        "{new} = Add ({a}, {b})",
        "{new} = Mul ({a}, row)",
        "{new} = Sub ({a}, positions)",
        "{new} = MatMul ({a}, w)",
        "{new}_m = ReduceMean <axes = [-1]> ({a})  {new} = Sub ({b}, {new}_m)",
        "{new}_m = ReduceMean <axes = [1]> ({a})  {new} = Add ({b}, {new}_m)",
        "{new} = LayerNormalization <axis = -1> ({a}, every, row)",
        "{new} = Softmax <axis = 1> ({a})",
        "{new}_t = Transpose <perm = [0, 2, 1]> ({a})  {new}_p = MatMul ({b}, {new}_t)  {new} = MatMul ({new}_p, {a})",
    ]
)


@given(st.lists(st.tuples(STEPS, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9))
@settings(max_examples=150, deadline=None)
def test_whatever_a_graph_does_its_first_token_comes_out_the_same(steps):
    names, lines = ["x"], ["x = Identity (given)"]
    for step, a, b in steps:
        new = f"t{len(names)}"
        lines.append(step.format(new=new, a=names[-1 - a % len(names)], b=names[-1 - b % len(names)]))
        names.append(new)
    assert_never_another(graph(*lines, output=names[-1]))


def test_a_file_that_is_cut_off_is_refused_or_stays_as_it_is():
    whole = graph(MIX, "y = Tanh (mixed)")
    for end in range(0, len(whole), 7):
        try:
            kept = keep_first_token(whole[:end])
        except ModelError:
            continue
        assert kept == whole[:end]
