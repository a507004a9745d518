"""What people can type, told by meaning and by example; the forms themselves are `core.chat.parsing`'s."""

from __future__ import annotations

from collections.abc import Mapping

MEANINGS: Mapping[str, str] = {
    "search": "the best papers, to you alone",
    "today": "today's digest for this channel",
    "subscribe": "a digest here, day by day; no repeats at its end leaves out what channels beside it showed",
    "list": "what comes here, and when next",
    "unsubscribe": "end one of these, or all",
    "pause": "hold one back",
    "resume": "let it go on",
    "edit": "change one",
    "send": "its digest now, or a missed day's",
    "why": "why a paper came here, or did not",
    "similar": "papers near one",
    "cite": "BibTeX",
    "saved": "the papers you marked 🔖",
    "taste": "what 👍 and 👎 have taught here",
    "help": "this list",
}
EXAMPLES = (
    ("diffusion models", "papers about it"),
    ('"length generalization" -survey', "an exact phrase, without surveys"),
    ("cat:cs.LG au:bengio after:2026-10", "category, author and dates"),
    ("(grokking OR memorization) min:20", "alternatives, with at least 20 upvotes"),
    ("like:2310.01234", "papers near this one"),
)
