"""EDGE. The embedding model: text -> a vector of its meaning.

The model is data, not code: an ONNX graph and a tokenizer, checked against their hashes each time they are opened
(`obtain.py` says where they come from). The runtime is loaded with the first model, so that whoever does without one
does not pay for it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from core.errors import ModelError
from core.search.first_token import keep_first_token
from core.search.onnx_graph import check_graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]

log = logging.getLogger(__name__)

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
BATCH = 4  # more is slower on a CPU, and needs more memory
THREADS = 2
LONGEST_TEXT = 20_000  # characters that are tokenized at all; no model's tokens are more
GIVEN = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What a model can be given, and what the tokenizer calls it."""


class Embedder(Protocol):
    """Makes vectors of texts. All vectors have length 1, so that their product is the cosine of their angle."""

    @property
    def key(self) -> str:
        """What vectors of one kind share: those of different keys cannot be compared."""

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""

    @property
    def least_cosine(self) -> float:
        """Below this a paper has nothing to do with a query."""

    def embed_query(self, text: str) -> Vectors:
        """Return the vector of what somebody looks for, shape (dimensions,)."""

    def embed_papers(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each paper's text, shape (len(texts), dimensions)."""


class Model(Protocol):
    """A model that is on this machine, not opened yet."""

    @property
    def key(self) -> str:
        """What its vectors share."""

    @property
    def description(self) -> str:
        """By what it can be found again when another one is wanted."""

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""

    @property
    def least_cosine(self) -> float:
        """Below this a paper has nothing to do with a query."""

    def open(self, *, threads: int) -> Embedder:
        """Open it; ModelError when it is not what it should be."""


class Models(Protocol):
    """The models of this machine."""

    def wanted(self) -> Model | None:
        """Return the one that the settings want, or None while it is not here."""

    def known(self, description: str) -> Model | None:
        """Return one that was wanted once, or None where it is gone."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine.

    Attributes:
        folder: holds `model.onnx` and `tokenizer.json`.
        model_sha256: what the first must hash to, in hex.
        tokenizer_sha256: and the second.
        name: what people call it.
        dimensions: numbers in a vector.
        max_tokens: where a text is cut off.
        query_prefix: what the model wants in front of a query.
        least_cosine: below this a paper has nothing to do with a query.
    """

    folder: Path
    model_sha256: str
    tokenizer_sha256: str
    name: str = ""
    dimensions: int = 384
    max_tokens: int = 256
    query_prefix: str = ""
    least_cosine: float = -1.0

    @property
    def key(self) -> str:
        """What the vectors of papers depend on, as 16 hex digits."""
        parts = f"{self.model_sha256} {self.tokenizer_sha256} {self.max_tokens}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    @property
    def description(self) -> str:
        """Everything but the folder, as JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__ if name != "folder"})

    def check(self) -> None:
        """Check that both files are what they should be; ModelError when not."""
        read_checked(self.folder / MODEL_FILE, self.model_sha256)
        read_checked(self.folder / TOKENIZER_FILE, self.tokenizer_sha256)

    def open(self, *, threads: int) -> Embedder:
        """Open the model."""
        return OnnxEmbedder(self, threads=threads)


class Sleeper:
    """An embedder that opens its model with the first text: whoever needs only vectors that are known pays nothing.

    Args:
        model: which one.
        threads: of the runtime.

    Every method that embeds raises ModelError when the model is not what it should be.
    """

    def __init__(self, model: Model, *, threads: int = THREADS) -> None:
        self.key, self.dimensions, self.least_cosine = model.key, model.dimensions, model.least_cosine
        self.description = model.description
        self._model = model
        self._threads = threads
        self._opened: Embedder | None = None
        self._lock = Lock()

    def wake(self) -> Embedder:
        """Open the model, unless it is."""
        with self._lock:
            if self._opened is None:
                self._opened = self._model.open(threads=self._threads)
            return self._opened

    def embed_query(self, text: str) -> Vectors:
        """Return the vector of what somebody looks for."""
        return self.wake().embed_query(text)

    def embed_papers(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each paper's text."""
        return self.wake().embed_papers(texts)


def paper_text(title: str, abstract: str) -> str:
    """Return what of a paper is embedded."""
    return f"{title}\n{abstract}"


class OnnxEmbedder:
    """A sentence encoder of the BERT family: the first token's last state, scaled to length 1.

    Query prefix and pooling as its authors say: https://huggingface.co/BAAI/bge-small-en-v1.5

    Args:
        files: the model.
        threads: of the runtime.
        whole: work out every token's last state, though the first is enough; to compare with.

    Raises:
        ModelError: a file is not what it should be, or cannot be used.
    """

    def __init__(self, files: ModelFiles, *, threads: int = THREADS, whole: bool = False) -> None:
        graph = read_checked(files.folder / MODEL_FILE, files.model_sha256)
        check_graph(graph)
        words = read_checked(files.folder / TOKENIZER_FILE, files.tokenizer_sha256)
        self.key = files.key
        self.dimensions = files.dimensions
        self.least_cosine = files.least_cosine
        self._prefix = files.query_prefix
        self._tokenizer = _open_tokenizer(words, files.max_tokens)
        shortened = graph if whole else keep_first_token(graph)
        if shortened is graph or not self._open_shortened(shortened, threads):
            self._open(graph, threads)
        self._check_vectors(files.max_tokens)

    def _open(self, graph: bytes, threads: int) -> None:
        self._session = _open_session(graph, threads)
        self._inputs = [item.name for item in self._session.get_inputs()]
        if unknown := sorted(set(self._inputs) - set(GIVEN)):
            raise ModelError(f"The model wants inputs that paperboy does not give: {', '.join(unknown)}.")
        self._output = self._session.get_outputs()[0].name

    def _open_shortened(self, graph: bytes, threads: int) -> bool:
        """Open a graph of `keep_first_token`; return whether what it cut did hold tokens."""
        try:
            self._open(graph, threads)
            encoded = self._encode(["one", "one text and another"])
            states, *cut = self._call(None, encoded)
        except ModelError as error:
            log.debug("The model's last layer is worked out whole: %s", error)
            return False
        wanted = (2, len(encoded[0].ids))
        return states.shape[:2] == (2, 1) and all(part.ndim == 3 and part.shape[:2] == wanted for part in cut)

    def _check_vectors(self, max_tokens: int) -> None:
        """Check what the model makes of a text as long as it may have to read."""
        import numpy as np  # noqa: PLC0415 - see the module

        found = self._run(["text " * max_tokens])
        if found.shape != (1, self.dimensions):
            raise ModelError(f"The model makes vectors of {found.shape[-1]} numbers, not of {self.dimensions}.")
        if not np.isfinite(found).all():
            raise ModelError("The model makes vectors that hold no numbers.")

    def embed_query(self, text: str) -> Vectors:
        """Return the vector of what somebody looks for."""
        vector: Vectors = self._run([self._prefix + text])[0]
        return vector

    def embed_papers(self, texts: Sequence[str]) -> Vectors:
        """Return a vector for each paper's text; those of like length are done together, which wastes least."""
        import numpy as np  # noqa: PLC0415 - see the module

        vectors: Vectors = np.zeros((len(texts), self.dimensions), np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors[batch] = self._run([texts[index] for index in batch])
        return vectors

    def _run(self, texts: Sequence[str]) -> Any:
        import numpy as np  # noqa: PLC0415 - see the module

        (states,) = self._call([self._output], self._encode(texts))
        if (
            not isinstance(states, np.ndarray)
            or states.dtype.kind != "f"
            or states.ndim not in {2, 3}
            or not states.size
        ):
            raise ModelError("The model makes no vectors: its first output is of another kind.")
        first = states[:, 0] if states.ndim == 3 else states
        return first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)

    def _encode(self, texts: Sequence[str]) -> Sequence[Any]:
        encoded: Sequence[Any] = self._tokenizer.encode_batch([text[:LONGEST_TEXT] for text in texts])
        return encoded

    def _call(self, outputs: Sequence[str] | None, encoded: Sequence[Any]) -> Any:
        import numpy as np  # noqa: PLC0415 - see the module

        known = {name: np.array([getattr(item, GIVEN[name]) for item in encoded], np.int64) for name in self._inputs}
        try:
            return self._session.run(outputs, known)
        except Exception as error:  # the runtime's errors share no other type
            raise ModelError(f"The model cannot be run ({str(error).splitlines()[0][:200]}).") from error


def read_checked(path: Path, sha256: str) -> bytes:
    """Return a file's content.

    Raises:
        ModelError: it cannot be read, or its hash is another one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}).") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(f"{path} is not the file it should be: its SHA-256 is {found}, not {sha256}.")
    return content


def _open_tokenizer(content: bytes, max_tokens: int) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415 - see the module

    try:
        tokenizer = Tokenizer.from_buffer(content)
    except Exception as error:  # the library raises bare Exceptions
        raise ModelError(f"The model's tokenizer cannot be read ({error}).") from error
    tokenizer.enable_truncation(max_tokens)
    tokenizer.enable_padding()
    return tokenizer


def _open_session(graph: bytes, threads: int) -> Any:
    import onnxruntime  # noqa: PLC0415 - see the module

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads that spin for work would take the processor away from everybody else.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no other type
        raise ModelError(f"The model cannot be loaded ({str(error).splitlines()[0][:200]}).") from error
