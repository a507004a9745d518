"""What interests would have delivered, in words: after subscribing and editing, and for `paperboy backtest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.chat.message import Span, Text, text
from core.chat.render import title_span
from core.digests.backtest import Backtest

_NARROW = "That is narrow: fewer than one paper a week."
_ALONE = "is all that was asked for; wider interests would find more."


def trial_lines(trial: Backtest) -> list[Text]:
    """Return how many papers matched out of how many, the first titles, and advice where there is some."""
    if not trial.considered:
        return [text("No papers were listed in the last days, so there is nothing to show as an example yet.")]
    titles = [text("• ", title_span(item.ranked.paper)) for item in trial.first]
    return [text(_counts(trial)), *titles, *_advice(trial)]


def _counts(trial: Backtest) -> str:
    known = "" if trial.looked >= trial.asked else f" (the library knows {trial.looked} of these days)"
    opening = f"In the last {trial.asked} days"
    if not trial.matched:
        return f"{opening} nothing among {trial.considered:,} papers would have matched{known}."
    end = ":" if trial.first else "."
    rate = f"{_number(trial.a_day)} a day"
    return f"{opening} {trial.matched:,} of {trial.considered:,} papers matched, {rate}{known}{end}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _advice(trial: Backtest) -> list[Text]:
    if not (trial.broad or trial.narrow):
        return []
    broad = trial.broad
    said = f"That is broad: {trial.share:.0%} of all papers match." if broad else _NARROW
    culprit = trial.culprit
    if culprit is None:
        way_out = "One more word or a category narrows it." if broad else "Fewer or other words would find more."
        return [text(f"{said} {way_out}")]
    if culprit.matched is not None:
        return [text(f"{said} ", _part(culprit.part), f" does that; without it {culprit.matched:,} would match.")]
    way_out = "takes in the most; one more word or a category narrows it." if broad else _ALONE
    return [text(f"{said} ", _part(culprit.part), f" {way_out}")]


def _part(part: str) -> Span:
    return Span(part, italic=True)


def trial_json(trial: Backtest) -> Mapping[str, Any]:
    """Return a trial as the command line prints it: counts, days, the first papers, the advice as data and in words."""
    culprit = trial.culprit
    return {
        "interests": trial.query.text,
        "days": trial.asked,
        "days_known": trial.looked,
        "considered": trial.considered,
        "matched": trial.matched,
        "a_day": round(trial.a_day, 2),
        "share": round(trial.share, 4),
        "by_day": [
            {"day": item.day.isoformat(), "considered": item.considered, "matched": item.matched} for item in trial.days
        ],
        "papers": [
            {"id": item.ranked.paper.id, "title": item.ranked.paper.title, "score": round(item.ranked.score, 6)}
            for item in trial.first
        ],
        "verdict": "broad" if trial.broad else "narrow" if trial.narrow else "fine",
        "part": culprit.part if culprit else None,
        "matched_without_part": culprit.matched if culprit else None,
        "advice": "".join(span.text for line in _advice(trial) for span in line),
    }
