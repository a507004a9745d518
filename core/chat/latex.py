# ruff: noqa: RUF001 - quotes and dashes of print are what this module writes
"""LaTeX in titles and abstracts -> readable Unicode.

Authors mix LaTeX with plain text, and plain text must come through unharmed. So, in this order:

1. HTML entities are resolved.
2. `$` pairs that hold mathematics are told from money and shell variables; a `%` never starts a comment, and braces
   without a partner are plain characters.
3. What is left is parsed (pylatexenc) and written as Unicode. Outside mathematics an unknown macro stays as it was
   typed; inside, its name stays.
4. Dashes, quotes and ties become what they mean, and whitespace collapses.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexMathNode,
    LatexWalker,
    LatexWalkerError,
)
from pylatexenc.macrospec import LatexContextDb, MacroSpec

from core.chat.glyphs import ACCENTS, LETTERS, SILENT, SYMBOLS, accented, blackboard, enclosed, lowered, raised, ratio

LONGEST = 8_000
MOST_MACROS = 150
DEEPEST = 5
_PLACE = "\0"  # where a formula was taken out

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[A-Za-z]{1,20}\*?\}(?:\{[lcr|]{1,20}\})?")
_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]{1,1000})\$\$|\\\((?P<b>.{1,1000}?)\\\)|\\\[(?P<c>.{1,1000}?)\\\]"
    r"|\$(?P<d>(?:[^$\\]|\\.){1,1000})\$(?P<digit>(?=\d))?|(?P<escaped>\\.)|(?P<dollar>\$)",
    re.DOTALL,
)
_TOKEN = re.compile(r"\\.|\\$|[{}%$]", re.DOTALL)
_SIZING = re.compile(r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![A-Za-z])\s*\.?")
_SCRIPT_FONT = re.compile(r"([\^_])\s*\\(?:mathrm|mathit|mathbf|mathsf|mathcal|text|textrm|mbox|rm)\s*(?=\{)")
_SCRIPT_MACRO = re.compile(r"([\^_])\s*(\\[dt]?frac(?:\s*\{[^{}]{0,100}\}){2}|\\[A-Za-z]+\s*\{[^{}]{0,100}\})")
_SCRIPT = re.compile(r"\s*(?<!\\)([\^_])")
_SURE = re.compile(r"[\^_]\{|[<>=]")
_LIKELY = re.compile(r"[\^_{]")
_MARKS = re.compile(r"[^\sA-Za-z0-9]{1,6}")
_WORDS = re.compile(r"\s[A-Za-z]{3,}\s")
_RAISED_IN_TEXT = re.compile(r"(?<=[\w)\]}])\^(?:\{([^{}\\]{1,20})\}|([+-]?\d{1,3}|[A-Za-z])(?!\w))")
_LOWERED_IN_TEXT = re.compile(r"(?<=[\w)\]}])_\{([^{}\\]{1,20})\}")
_PROTECTED = re.compile(r"[\w-]+")

_TYPE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![\w`])``([^`]{1,2000}?)(?:''|\")"), r"“\1”"),
    (re.compile(r"(?<![\w`])`([^`'\n]{1,80})'(?!\w)"), r"‘\1’"),
    (re.compile(r"(?<=\w)---(?=\w)|(?<=\s)---(?=\s)"), "—"),
    (re.compile(r"(?<=\w)--(?=\w)|(?<=\s)--(?=\s)"), "–"),
    # A tie binds what would be parted badly; between digits and after a blank `~` means "about", in addresses a home.
    (re.compile(rf"(?<=[A-Za-z.,)\]{_PLACE}])~(?=[\w(\[\\{_PLACE}])|(?<=\d)~(?=[A-Za-z\\{_PLACE}])"), " "),
)

Nodes: TypeAlias = Sequence[Any]
_Shape: TypeAlias = tuple[str, Callable[..., str]]

_SHAPES: Mapping[str, _Shape] = {
    **dict.fromkeys(("frac", "tfrac", "dfrac", "nicefrac", "sfrac"), ("{{", ratio)),
    **dict.fromkeys(("mathbb", "mathds"), ("{", blackboard)),
    **dict.fromkeys(("sp", "textsuperscript"), ("{", raised)),
    **dict.fromkeys(("sb", "textsubscript"), ("{", lowered)),
    **dict.fromkeys(("cite", "citep", "citet", "ref", "eqref", "cref"), ("{", lambda key: f"[{key}]")),
    **dict.fromkeys(("stackrel", "overset", "underset"), ("{{", lambda _above, symbol: symbol)),
    "sqrt": ("[{", lambda degree, radicand: f"{raised(degree) if degree else ''}√{enclosed(radicand)}"),
    "binom": ("{{", lambda n, k: f"({n} choose {k})"),
    "pmod": ("{", lambda modulus: f"(mod {modulus})"),
    "href": ("{{", lambda _address, label: label),
    "textcolor": ("{{", lambda _color, colored: colored),
    "color": ("{", lambda _color: ""),
    "footnote": ("{", lambda note: f" ({note})"),
    "url": ("{", lambda address: address),
}


def _make_grammar() -> LatexContextDb:
    grammar = LatexContextDb()
    macros = [MacroSpec(name, arguments) for name, (arguments, _) in _SHAPES.items()]
    macros += [MacroSpec(name, "{") for name in ACCENTS]
    grammar.add_context_category("paperboy", macros=macros)
    grammar.set_unknown_macro_spec(MacroSpec("", ""))
    return grammar


_GRAMMAR = _make_grammar()


def to_unicode(text: str) -> str:
    """Return one line of readable Unicode for text that may hold LaTeX.

    Never raises, and plain text comes through as it is, apart from its whitespace. Text of more than `LONGEST`
    characters or `MOST_MACROS` backslashes, and braces nested deeper than `DEEPEST`, are taken as plain: the parser
    reads a macro that lacks an argument again at each level around it, so its time doubles with every two of them.
    (Of 44,000 titles and abstracts of arXiv, the most have 3,091 characters, 111 backslashes and 4 levels.)
    """
    if len(text) <= LONGEST and text.count("\\") <= MOST_MACROS:
        if "&" in text:
            text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
        text = _convert(text) if any(mark in text for mark in "\\${^") else _set_type(text)
    return " ".join(text.split())


def _set_type(text: str) -> str:
    if any(mark in text for mark in ("`", "--", "~")):
        for pattern, replacement in _TYPE:
            text = pattern.sub(replacement, text)
    return text


def _convert(text: str) -> str:
    source = "".join(_prepare(_ENVIRONMENT.sub(" ", text.replace(_PLACE, " "))))
    try:
        nodes, _, _ = LatexWalker(source, latex_context=_GRAMMAR, tolerant_parsing=True).get_latex_nodes()
    except LatexWalkerError:
        return text
    return _write(nodes, formula=False)


def _prepare(text: str) -> Iterator[str]:
    """Yield the text so that a TeX parser reads it as people do; formulas come as `$...$`."""
    plain: list[str] = []
    formulas: list[str] = []
    end = 0
    while match := _FORMULA.search(text, end):
        plain.append(text[end : match.start()])
        end = match.end()
        body = next((match[name] for name in "abcd" if match[name] is not None), None)
        if body is not None and _is_formula(match):
            plain.append(_PLACE)
            formulas.append(_prepare_formula(body))
        elif match["escaped"]:
            plain.append(match[0])
        else:
            plain.append("\\$")
            end = match.start() + 1
    plain.append(text[end:])
    words = _RAISED_IN_TEXT.sub(r"\\sp{\1\2}", _LOWERED_IN_TEXT.sub(r"\\sb{\1}", _set_type("".join(plain))))
    parts = _balance(words).split(_PLACE)
    yield parts[0]
    for formula, part in zip(formulas, parts[1:], strict=False):
        yield f"${formula}${part}"


def _is_formula(match: re.Match[str]) -> bool:
    """Tell mathematics from money: `$5 to $10`, `$HOME/bin`."""
    body: str | None = match["d"]
    if body is None or "\\" in body:
        return True
    if match["digit"] is not None:
        return _MARKS.fullmatch(body) is not None
    tight = not body[0].isspace() and not body[-1].isspace()
    if tight:
        return _LIKELY.search(body) is not None or not _WORDS.search(body)
    even = body[0].isspace() and body[-1].isspace()
    return _SURE.search(body) is not None or (even and not _WORDS.search(body))


def _prepare_formula(body: str) -> str:
    """Write `^` and `_` as TeX's own macros for them, so that their arguments are parsed."""
    body = _SIZING.sub(" ", body).replace("&", " ")
    body = _SCRIPT_MACRO.sub(r"\1{\2}", _SCRIPT_FONT.sub(r"\1", body))
    return _SCRIPT.sub(lambda script: r"\sp " if script[1] == "^" else r"\sb ", _balance(body))


def _balance(source: str) -> str:
    """Escape the braces without a partner, those nested too deep, and `%`."""
    pieces = _TOKEN.split(source)
    tokens = _TOKEN.findall(source)
    opened: list[int] = []
    for index, mark in enumerate(tokens):
        if mark == "{" and len(opened) < DEEPEST:
            opened.append(index)
        elif mark == "}" and opened:
            opened.pop()
        elif len(mark) == 1:
            tokens[index] = "\\textbackslash{}" if mark == "\\" else "\\" + mark
        elif mark[1] in "()[]":
            tokens[index] = "\\textbackslash{}" + mark[1]
    for index in opened:
        tokens[index] = "\\{"
    return "".join(piece + token for piece, token in zip(pieces, [*tokens, ""], strict=True))


def _write(nodes: Nodes, *, formula: bool) -> str:
    written: list[str] = []
    previous: Any = None
    for node in nodes:
        if isinstance(node, LatexMacroNode):
            written.append(_write_macro(node, formula=formula))
        elif isinstance(node, LatexGroupNode):
            written.append(_write_group(node, previous, formula=formula))
        elif isinstance(node, LatexMathNode):
            written.append(_write(node.nodelist, formula=True).strip())
        elif isinstance(node, LatexCharsNode):
            written.append(node.chars)
        previous = node
    return "".join(written)


def _write_group(group: Any, previous: Any, *, formula: bool) -> str:
    """Write what braces hold, and the braces too where they are not LaTeX but somebody's set or code."""
    inner = _write(group.nodelist, formula=formula)
    follows = isinstance(previous, LatexMacroNode)
    if follows and not formula and not _is_known(previous.macroname):
        return f"{{{inner}}}" if inner else ""
    latex = follows or formula or any(not isinstance(node, LatexCharsNode) for node in group.nodelist)
    return inner if latex or _PROTECTED.fullmatch(inner) else f"{{{inner}}}"


def _is_known(name: str) -> bool:
    return name in SILENT or name in SYMBOLS or name in _SHAPES or name in ACCENTS


def _write_macro(node: Any, *, formula: bool) -> str:
    name: str = node.macroname
    blank: str = node.macro_post_space
    # A macro that is itself an argument, as in x^\frac{1}{2}, is parsed without its own; they follow as groups.
    arguments = [
        _write_argument(argument, formula=formula) for argument in (node.nodeargd and node.nodeargd.argnlist) or ()
    ]
    if name in ACCENTS and arguments:
        letters = arguments[0].lstrip()
        takes = letters[:1].isalpha() or (formula and len(name) > 1 and letters)
        return accented(name, letters) if takes else f"\\{name}{blank}{arguments[0]}"
    if name in _SHAPES:
        return _SHAPES[name][1](*arguments) if arguments else ""
    if name in SILENT:
        return ""
    if name == "deg" and not formula:
        return "°"
    if name in SYMBOLS:
        return SYMBOLS[name] + ("" if name in LETTERS and not formula else blank)
    return (name if formula else f"\\{name}") + blank


def _write_argument(argument: Any, *, formula: bool) -> str:
    if argument is None:
        return ""
    return _write(argument.nodelist if isinstance(argument, LatexGroupNode) else [argument], formula=formula)
