"""Authors as arXiv's feeds write them: one line, commas between them, TeX for what is not ASCII."""

from __future__ import annotations

import re

from pylatexenc.latex2text import LatexNodes2Text

from core.papers.sources.reading import clean_names

_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV|VI{0,3}")
_TO_TEXT = LatexNodes2Text(math_mode="verbatim", keep_comments=True)


def read_creators(text: str) -> tuple[str, ...]:
    r"""Return the names in `Paulo Andr\'e Lima de Castro, Sammy Davis, Jr.`: two, in Unicode, each once."""
    names: list[str] = []
    for part in text.split(", "):
        if names and _SUFFIX.fullmatch(part.strip()):
            names[-1] += f", {part.strip()}"
        else:
            names.append(part)
    return clean_names(map(decode_tex, names))


def decode_tex(name: str) -> str:
    """Return a name with its TeX accents as Unicode; one without a backslash stays as it is."""
    return str(_TO_TEXT.latex_to_text(name)) if "\\" in name else name
