"""Words on their way to a terminal or a file."""

from __future__ import annotations

import logging
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import PaperboyError

log = logging.getLogger(__name__)

_INVISIBLE = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029")


def write_out(words: str) -> None:
    """Print to stdout; what its encoding lacks becomes a question mark rather than an error.

    Raises:
        PaperboyError: it cannot be written, for another reason than that nobody reads it any more.
    """
    encoding = sys.stdout.encoding or "utf-8"
    with _told_if_lost():
        print(words.encode(encoding, "replace").decode(encoding).rstrip("\n"), flush=True)


def write_data(lines: str) -> None:
    """Print what a program reads again to stdout: in UTF-8 and whole, whatever the locale.

    Raises:
        PaperboyError: as `write_out`.
    """
    with _told_if_lost():
        sys.stdout.flush()
        sys.stdout.buffer.write(lines.encode())
        sys.stdout.buffer.flush()


@contextmanager
def _told_if_lost() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        leave_output()
        raise PaperboyError(f"The output cannot be written ({error.strerror}).") from error


def show(words: str) -> None:
    """Print as `write_out`, for a service: one whose output cannot be written, or is read by nobody, serves on."""
    try:
        write_out(words)
    except BrokenPipeError:
        leave_output()
    except PaperboyError as error:
        log.warning("%s", error)


def leave_output() -> None:
    """Let what was not written of the output go: Python would complain once more while flushing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_closed_streams() -> None:
    """Give a program that was started without stdout or stderr (`>&-`) one that nobody reads."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end


def clean(text: str, *, keep_newlines: bool = False) -> str:
    """Drop what commands a terminal instead of being read: control characters, bidirectional overrides, surrogates."""
    kept: list[str] = []
    for character in text:
        if character.isspace():
            kept.append("\n" if keep_newlines and character == "\n" else " ")
        elif character not in _INVISIBLE and unicodedata.category(character) not in {"Cc", "Cs"}:
            kept.append(character)
    return "".join(kept)
