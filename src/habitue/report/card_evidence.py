"""The sections of a model card that say how good the model is and whether it can be trusted.

Numbers come as tables of :mod:`~habitue.report.card_facts`; here it is decided, by these alone, what is said
of them. An advantage that chance may explain is never called one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from habitue.evaluation import BASELINES
from habitue.report.card_blocks import Block, Bullets, Table
from habitue.report.card_facts import CardFacts
from habitue.report.rivals import Leaderboard, ScoreBoard, read_leaderboard
from habitue.report.wording import DASH, count, listing, percent
from habitue.report.wording import score as say
from habitue.vocabulary import one_or_many

__all__ = ["NOT_DONE", "coverage", "fairness", "leakage", "quality", "reasons", "segments"]

NOT_DONE: Final = "Not measured for this version."
"""What is said of what is not known."""

_ARROWS: Final[Mapping[str, str]] = {"highest": "↑", "lowest": "↓"}
_SAID: Final[Mapping[str, str]] = {
    "clearly better": "clearly ahead of", "better": "ahead, perhaps by chance, of", "level": "level with",
    "worse": "behind", "clearly worse": "clearly behind",
}  # fmt: skip
_SINGLE: Final = "Against the others (single intervals; *clearly* where they do not overlap):"
_PAIRED: Final = (
    "Against the others, on the same customers and the same draws of them: by how much it is better (+) or "
    "worse (−), with the 95 % interval of that difference. *Clearly*: that interval leaves out zero."
)
_ONE_FOR_ALL: Final = "one interval for all"
_OUTCOME: Final = "outcome"


class _Verdict(NamedTuple):
    """How the model stands to a rival by a score."""

    label: str
    rival: str
    verdict: str


def quality(facts: CardFacts) -> list[Block]:
    """Tell scores beside those of all others, where the model does not win, and why it is champion or not.

    Parameters
    ----------
    facts : CardFacts
        What is known.
    """
    board = _board(facts, facts.scores)
    if not board.boards:
        return [NOT_DONE]
    entries = [
        {each.model: _between(each.value, each.lower, each.upper) for each in one.entries}
        for one in board.boards
    ]
    names = sorted(
        dict.fromkeys(name for one in entries for name in one), key=lambda name: name != facts.label
    )
    rows = [[_named(facts, name), *(one.get(name, DASH) for one in entries)] for name in names]
    told: list[Block] = [
        "On held-out days, with 95 % intervals. ↑: more is better, ↓: less, →: the ideal.",
        Table(["model", *map(_heading, board.boards)], rows),
        *_against(facts, board),
    ]
    told += [f"How the champion was chosen: {facts.why}"] if facts.why else []
    return [
        *told, Bullets([f"{name} could not be fitted: {why}" for name, why in facts.not_fitted.items()])
    ]  # fmt: skip


def _board(facts: CardFacts, scores: pd.DataFrame) -> Leaderboard:
    own = scores.loc[scores["target"] == facts.target] if "target" in scores.columns else scores
    question = "churn" if facts.target == "churned" else "value"
    return read_leaderboard(own, question=question, champions=[facts.label])


def _named(facts: CardFacts, model: str) -> str:
    if model == facts.label:
        return f"**{model}**"
    return f"{model} (baseline)" if model in BASELINES.get(facts.target, ()) else model


def _heading(board: ScoreBoard) -> str:
    if board.best is None:
        return board.label
    best = board.best.removeprefix("the ").removesuffix(" is best").removeprefix("closest to ")
    return f"{board.label} {_ARROWS.get(best, f'→ {best}')}"


def _against(facts: CardFacts, board: Leaderboard) -> list[Block]:
    """Compare with the others: on the same draws where that was done, else by the intervals of each."""
    labels = {one.score: one.label for one in board.boards}
    if facts.comparisons is None:
        found = [_Verdict(labels[one.score], one.rival, one.verdict) for one in board.comparisons]
        return [_SINGLE, *_standing(found, "beat", ("level", "worse", "clearly worse"))]
    own = facts.comparisons.loc[facts.comparisons["model"] == facts.label]
    records = own.to_dict("records")
    found = [
        _Verdict(str(labels.get(one["score"], one["score"])), one["rival"], one["verdict"]) for one in records
    ]
    if not found:
        return ["There is nothing to compare it with."]
    by_chance = (
        f"These are {one_or_many(len(found), 'comparison')}, each with an interval of its own: about "
        f"{0.05 * len(found):.1f} would be called clear by chance alone where models are alike."
    )
    not_clearly = tuple(verdict for verdict in _SAID if verdict != "clearly better")
    return [_PAIRED, _advantages(facts, records), *_standing(found, "clearly beat", not_clearly), by_chance]


def _advantages(facts: CardFacts, records: Sequence[Mapping[Any, Any]]) -> Table:
    """Return a row for each rival and a column for each score."""
    cells = {(one["rival"], one["score"]): one for one in records}
    rivals, scores = (dict.fromkeys(one[key] for one in records) for key in ("rival", "score"))
    labels = {one.score: one.label for one in _board(facts, facts.scores).boards}
    rows = [
        [
            _named(facts, rival),
            *(
                _between(*(cells[rival, one][end] for end in ("advantage", "lower", "upper")), write=_signed)
                if (rival, one) in cells
                else DASH
                for one in scores
            ),
        ]
        for rival in rivals
    ]
    return Table(["better than … by", *(labels.get(one, str(one)) for one in scores)], rows)


def _standing(found: Sequence[_Verdict], beat: str, lost_by: Sequence[str]) -> list[Block]:
    """Say by each score whom the model beats and whom it does not, and which baselines it never beats."""
    told: list[str] = []
    unbeaten: dict[str, list[str]] = {}
    baselines = {name for names in BASELINES.values() for name in names}
    for label in dict.fromkeys(one.label for one in found):
        own = [one for one in found if one.label == label]
        rivals = {verdict: [one.rival for one in own if one.verdict == verdict] for verdict in _SAID}
        parts = [f"{said} {listing(rivals[verdict])}" for verdict, said in _SAID.items() if rivals[verdict]]
        told += [f"{label}: {'; '.join(parts)}."] if parts else []
        for one in own:
            if one.rival in baselines and one.verdict in lost_by:
                unbeaten.setdefault(one.rival, []).append(label)
    if not told:
        return ["There is nothing to compare it with."]
    lost = "; ".join(f"{name}, by {listing(labels)}" for name, labels in sorted(unbeaten.items()))
    said = (
        f"**Baselines that it does not {beat}**: {lost}."
        if lost
        else f"Every baseline is {'clearly ' * beat.startswith('clearly')}behind by every score."
    )
    return [Bullets(told), said]


def segments(facts: CardFacts) -> list[Block]:
    """Tell scores for each kind of customer, and which model is best for them.

    Parameters
    ----------
    facts : CardFacts
        What is known.
    """
    table = facts.by_segment
    if table is None:
        return [NOT_DONE]
    table = table.loc[table["target"] == facts.target]
    scores = list(dict.fromkeys(table["score"]))
    rows: list[list[str]] = []
    for segment, some in table.groupby("segment", sort=False, observed=True):
        own = some.loc[some["model"] == facts.label].set_index("score")
        cells = [_between(*(own.loc[name, end] for end in ("value", "lower", "upper"))) for name in scores]
        board = _board(facts, some)
        best = board.boards[0].leader if board.boards else None
        n = count(int(some["n_customers"].iloc[0]))
        rows.append([str(segment), n, *cells, best or DASH])
    labels = {one.score: one.label for one in _board(facts, table).boards}
    first = str(labels.get(scores[0], scores[0]))
    head = ["segment", "customers", *(str(labels.get(name, name)) for name in scores), f"best by {first}"]
    few = table.loc[table["note"].str.contains("too few")].drop_duplicates("segment")
    return [Table(head, rows), *(f"{one['segment']}: {one['note']}." for one in few.to_dict("records"))]


_COVERED: Final[Mapping[str, tuple[str, Callable[..., str]]]] = {
    "share_below": ("spent less", percent), "share_above": ("spent more", percent),
    "mean_width": ("mean width", say), "mean_score": ("interval score ↓", say),
}  # fmt: skip


def coverage(facts: CardFacts) -> list[Block]:
    """Tell how often intervals held, for whom they did not, and whether they are worth more than one for all.

    Parameters
    ----------
    facts : CardFacts
        What is known.
    """
    if facts.coverage is None:
        churn = facts.target == "churned"
        return ["This model answers with a probability, not an interval." if churn else NOT_DONE]
    known = facts.coverage.reindex(columns=list(dict.fromkeys([*_NEEDED, *facts.coverage.columns])))
    own = known.loc[~known["by"].isin([_ONE_FOR_ALL, _OUTCOME])].to_dict("records")
    further = {
        name: told
        for name, told in _COVERED.items()
        if name in known and bool(known[name].notna().to_numpy().any())
    }
    rows = [
        [_group(one), count(one["n"]), percent(one["stated"]),
         _between(one["share_inside"], one["share_lower"], one["share_upper"], percent),
         *(write(one[name]) for name, (_, write) in further.items())]
        for one in own
    ]  # fmt: skip
    head = ["customers", "how many", "stated", "held", *(told for told, _ in further.values())]
    return [
        "Intervals learned before the last cutoff, against what came after it: the share of customers whose "
        "spend lay inside, with 95 % intervals. Tenth 1 are those with the highest predictions.",
        Table(head, rows),
        *_failures(own),
        *_if_bought(known),
        *_worth(known),
    ]


_NEEDED: Final = ("by", "group", "n", "stated", "share_inside", "share_lower", "share_upper", "mean_score")


def _group(one: Mapping[Any, Any]) -> str:
    """Name a group of customers."""
    by = one["by"]
    return str(one["group"]) if by is None or by != by or by == "everybody" else f"{by} {one['group']}"


def _failures(rows: Sequence[Mapping[Any, Any]]) -> list[Block]:
    """Name the groups in which intervals hold less or more often than chance allows of the stated share."""
    less = [_group(one) for one in rows if one["share_upper"] < one["stated"]]
    more = [_group(one) for one in rows if one["share_lower"] > one["stated"]]
    told = [f"**Less often than stated**, beyond chance: {listing(less)}."] if less else []
    told += [f"More often than stated, so wider than need be: {listing(more)}."] if more else []
    return [Bullets(told)]


def _if_bought(table: pd.DataFrame) -> list[Block]:
    """Say how often intervals held for those who bought, which nobody promised."""
    found = table.loc[(table["by"] == _OUTCOME) & (table["group"] == "spent something")].to_dict("records")
    return [
        f"Of the {count(one['n'])} who spent anything it held for {percent(one['share_inside'])}. Nobody "
        "knows beforehand who they are: an interval is no answer to how much somebody spends who buys."
        for one in found
    ]


def _worth(table: pd.DataFrame) -> list[Block]:
    """Compare the interval score with that of one and the same interval for everybody."""
    found = {
        by: table.loc[table["by"] == by, "mean_score"].to_numpy(dtype=np.float64)
        for by in ("everybody", _ONE_FOR_ALL)
    }
    if any(not one.size or not np.isfinite(one[0]) for one in found.values()):
        return []
    mine, theirs = (float(one[0]) for one in found.values())
    return [
        "Interval score (the width, and what lies outside times a penalty; less is better): "
        f"{say(mine)}, against {say(theirs)} of one interval for all, learned from the same days: "
        f"{percent(abs(1.0 - mine / theirs))} {'less' if mine < theirs else 'more'}."
    ]


def reasons(facts: CardFacts) -> list[Block]:
    """Tell what moves predictions, and whether reasons stay when the model is refitted.

    Parameters
    ----------
    facts : CardFacts
        What is known.
    """
    told: list[Block] = [NOT_DONE]
    if facts.importance is not None:
        rows = [
            [str(one["pillar"]).replace("_", " "), count(one["n_features"]),
             _between(one["share"], one["share_lower"], one["share_upper"], percent)]
            for one in facts.importance.to_dict("records")
        ]  # fmt: skip
        told = [Table(["pillar", "features", "share of what moves predictions"], rows)]
    if facts.pictures:
        told.append(
            f"What their values do to predictions is drawn in the run, of those that move them most: "
            f"{listing(list(facts.pictures))}."
        )
    if facts.stability is None:
        note = f" {facts.stability_note}" if facts.stability_note else ""
        return [*told, f"Whether reasons stay when the model is refitted was not measured.{note}"]
    rows = [
        [str(one["level"]), str(one["top"]), percent(one["shared"]),
         _between(one["jaccard"], one["lower"], one["upper"]), say(one["of_another"])]
        for one in facts.stability.to_dict("records")
    ]  # fmt: skip
    head = ["level", "top", "given again", "overlap (Jaccard)", "overlap with another customer's"]
    told += ["Whether reasons stay when the model is refitted to resamples:", Table(head, rows)]
    return [*told, facts.stability_note]


def leakage(facts: CardFacts) -> list[Block]:
    """Tell what the leakage probe found.

    Parameters
    ----------
    facts : CardFacts
        What is known.
    """
    if facts.leakage is None:
        return ["The leakage probe was not run for this version."]
    return [Bullets(list(facts.leakage) or ["The leakage probe ran and found nothing."])]


def fairness(facts: CardFacts) -> list[Block]:
    """Tell how groups of customers are treated.

    Parameters
    ----------
    facts : CardFacts
        What is known.
    """
    if not facts.fairness:
        return [
            "No audit: no attribute was declared. How groups of customers are treated is not known, and "
            "features may stand in for attributes that the model does not read."
        ]
    told: list[Block] = [Bullets(facts.fairness)]
    if facts.groups is None or not facts.groups["judged"].to_numpy(dtype=bool).any():
        return told
    judged = facts.groups.loc[facts.groups["judged"]]
    measures = list(dict.fromkeys(judged["measure"]))
    rows: list[list[str]] = []
    for _, some in judged.groupby(["attribute", "group"], sort=False, observed=True):
        own = some.set_index("measure")
        cells = [_between(*(own.loc[name, end] for end in ("value", "lower", "upper"))) for name in measures]
        first = some.iloc[0]
        rows.append([str(first["attribute"]), str(first["group"]), count(first["n_customers"]), *cells])
    head = ["attribute", "group", "customers", *(name.replace("_", " ") for name in measures)]
    return [*told, Table(head, rows)]


def _between(value: Any, lower: Any, upper: Any, write: Callable[[Any], str] = say) -> str:
    if write(value) == DASH or write(lower) == DASH:
        return write(value)
    return f"{write(value)} ({write(lower)} to {write(upper)})"


def _signed(value: float) -> str:
    """Write a difference with its sign, and with digits that a small one needs."""
    if not np.isfinite(value):
        return DASH
    size = abs(value)
    told = f"{size:,.0f}" if size >= 100.0 else f"{size:.2f}" if size >= 1.5 else f"{size:.4f}"
    return told if not told.strip("0.,") else f"{'+' if value > 0.0 else '−'}{told}"
