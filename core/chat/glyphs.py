# ruff: noqa: RUF001, RUF002, SIM905 - look-alikes are what these tables are about, and words in a row read best
"""What LaTeX macros look like in Unicode: accents, raised and lowered characters, symbols."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from pylatexenc.latex2text import get_default_latex_context_db

_RAISED = str.maketrans(
    ".,0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθ∘′*†‡⋆",
    ".,⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿ°′*†‡⋆",
)
_LOWERED = str.maketrans(
    ".,0123456789+-−=()aehijklmnoprstuvxβγρφϕχ",
    ".,₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵩᵪ",
)
_BLACKBOARD = str.maketrans("CHNPQRZ", "ℂℍℕℙℚℝℤ")
_ATOM = re.compile(r"\w+|.", re.DOTALL)
_BASELINE_ATOM = re.compile(r"[A-Za-z0-9\u0370-\u03ff]+|.", re.DOTALL)

ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323", "b": "\u0331", "k": "\u0328",
    "r": "\u030a", "hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "overline": "\u0304", "tilde": "\u0303",
    "widetilde": "\u0303", "vec": "\u20d7", "dot": "\u0307", "ddot": "\u0308", "check": "\u030c", "breve": "\u0306",
    "acute": "\u0301", "grave": "\u0300",
}  # fmt: skip
_ACCENTS_OF_WORDS = frozenset({"overline", "widehat", "widetilde"})

SILENT = frozenset(
    "rm bf it em sl sc tt sf cal frak goth Bbb bold textbf textit emph textrm texttt textsc textsf textsl textnormal"
    " textmd textup text mbox hbox mathrm mathbf mathit mathsf mathtt mathcal mathscr mathfrak mathnormal mathop"
    " boldsymbol bm pmb operatorname underline uline ensuremath displaystyle textstyle scriptstyle limits nolimits"
    " noindent centering small large Large protect xspace ce left right big Big bigg Bigg bfseries itshape nonumber"
    " ! - /".split()
)
"""Fonts and layout: nothing stands for them, and the blank behind them belongs to them."""

LETTERS = frozenset("o O l L i j ae AE oe OE aa AA ss".split())
"""TeX ends a macro's name at a blank and drops it: `S\\o ren` is Søren."""

_SYMBOLS = {
    **dict.fromkeys([",", ";", ":", " ", ">", "\n", "\t", "\r", "\\", "quad", "qquad", "newline", "item"], " "),
    **{name: name for name in "{}%&$#_"},
    **{name: name for name in ("argmax", "argmin", "Pr", "mod")},
    "sim": "~", "over": "/", "mid": "|", "vert": "|", "Vert": "‖", "|": "‖", "lq": "‘", "rq": "’", "ast": "*",
    "star": "⋆", "prime": "′", "colon": ":", "degree": "°", "degr": "°", "arcsec": "″", "arcmin": "′", "i": "i",
    "j": "j", "ldots": "…", "dots": "…", "cdots": "⋯", "textasciitilde": "~", "backslash": "\\", "bmod": "mod",
    "textbackslash": "\\", "lesssim": "≲", "gtrsim": "≳", "lbrace": "{", "rbrace": "}", "dag": "†", "to": "→",
    "eg": "e.g.", "ie": "i.e.", "leqslant": "≤", "geqslant": "≥", "textdegree": "°", "rangle": "⟩", "langle": "⟨",
    "epsilon": "ε", "phi": "φ", "emptyset": "∅", "ne": "≠", "neq": "≠", "and": "and", "choose": "choose",
    "percent": "%", "etal": "et al.", "degC": "°C", "square": "□", "Box": "□",
}  # fmt: skip


def _named_symbols() -> Iterator[tuple[str, str]]:
    for spec in get_default_latex_context_db().iter_macro_specs():
        written = spec.simplify_repl
        if (
            spec.macroname not in SILENT
            and isinstance(written, str)
            and written
            and len(written) <= 8
            and not {"%", "<"} & set(written)
        ):
            yield spec.macroname, written


SYMBOLS = {**dict(_named_symbols()), **_SYMBOLS}
"""What stands for a macro without arguments."""


def accented(name: str, letters: str) -> str:
    """Put the accent of a macro on the first letter, or on all letters for a few that span words."""
    mark = ACCENTS[name]
    if name in _ACCENTS_OF_WORDS and len(letters) > 1:
        return letters if len(letters) > 3 else unicodedata.normalize("NFC", "".join(c + mark for c in letters))
    return unicodedata.normalize("NFC", letters[:1] + mark + letters[1:])


def raised(text: str) -> str:
    """Write an exponent: `²` where Unicode has every character, else `^x` or `^(x+y)`."""
    return _script(text, _RAISED, "^")


def lowered(text: str) -> str:
    """Write an index: `₂` where Unicode has every character, else `_x` or `_(i,j)`."""
    return _script(text, _LOWERED, "_")


def blackboard(text: str) -> str:
    """Write ℝ and its kin; letters that only the astral planes hold stay plain, since few fonts have them."""
    return text.translate(_BLACKBOARD)


def ratio(above: str, below: str) -> str:
    """Write a fraction on one line, with parentheses where it needs them."""
    return f"{enclosed(above)}/{enclosed(below)}"


def enclosed(text: str) -> str:
    """Put parentheses around whatever is more than one word or character."""
    return text if not text or _ATOM.fullmatch(text) else f"({text})"


def _script(text: str, table: dict[int, int], mark: str) -> str:
    text = "".join(text.split()) if len(text) < 12 else text.strip()
    if all(ord(character) in table for character in text) and (text not in {".", ","}):
        return text.translate(table)
    return mark + (text if _BASELINE_ATOM.fullmatch(text) else f"({text})")
