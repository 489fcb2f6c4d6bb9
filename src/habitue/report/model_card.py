"""The model card: what a registered model is for, what it learned from, how good it is, and its limits.

:func:`model_card` writes one page of Markdown from plain data, after [1]_. What was not measured is said to
be so, never left out in silence. It deliberately measures nothing itself and names nobody: who owns a model
is for the registry to say.

References
----------
.. [1] Mitchell, M. et al. (2019). Model cards for model reporting. FAT* 2019, 220-229.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import pandas as pd

from habitue.evaluation import BASELINES
from habitue.report.rivals import Leaderboard, ScoreBoard, read_leaderboard
from habitue.report.wording import DASH, count, day, listing, percent
from habitue.report.wording import score as say
from habitue.vocabulary import one_or_many, term_of

__all__ = ["CardFacts", "model_card"]

_PURPOSE: Final[Mapping[str, str]] = {
    "churned": "the chance that a customer leaves within {horizon} after the cutoff: buys nothing or, where "
    "contracts are what is known, cancels",
    "spend": "the money that a customer is expected to spend within {horizon} after the cutoff",
    "n_purchases": "the purchases that a customer is expected to make within {horizon} after the cutoff",
}
_ARROWS: Final[Mapping[str, str]] = {"highest": "↑", "lowest": "↓"}
_NOT_DONE: Final = "Not measured for this version."
_SAID: Final[Mapping[str, str]] = {
    "clearly better": "clearly ahead of", "better": "ahead, perhaps by chance, of", "level": "level with",
    "worse": "behind", "clearly worse": "clearly behind",
}  # fmt: skip


@dataclass(frozen=True)
class CardFacts:
    """What a model card tells; parts that are None were not done, and the card says so.

    Attributes
    ----------
    name : str
        The registered model.
    label, model : str
        The challenger's name in its recipe, and what it is.
    target : str
        "churned", "spend" or "n_purchases".
    horizon : int
        Days ahead.
    source, fingerprint : str
        The records, as people name them, and the hash of their content.
    cutoff : datetime.date
        The last day that the model knew.
    scores : DataFrame
        target, model, score, value, lower, upper of all models on held-out days.
    version : int or None
        Of the registered model, where it is known.
    first_day, last_day : datetime.date or None
        Of the records.
    n_customers, n_quarantined : int or None
        Customers at the cutoff, and records set aside at the door.
    learned_from, tested_at : sequence of datetime.date
        Cutoffs.
    params, features : Mapping[str, object], sequence of str
        Of the model, and the columns that it reads.
    silent, not_fitted : Mapping[str, str]
        Features that were left out, and what they are for everybody; challengers that could not be fitted,
        and why.
    why, calibration : str; or None
        Why the champion is champion; how probabilities were calibrated.
    by_segment, importance, stability : DataFrame or None
        Of `scores_by_segment`, `importance_by_pillar` and `reason_stability` (its ``overall``).
    coverage : DataFrame or None
        group, n, stated, covered, and as far as known lower, upper: how often intervals held.
    leakage : sequence of str or None
        Findings of the leakage probe; empty where it ran and found nothing.
    fairness, groups : sequence of str, DataFrame; or None
        ``told`` and ``groups`` of `audit_fairness`.
    limits : sequence of str
        Further limits, in sentences.
    """

    name: str
    label: str
    model: str
    target: str
    horizon: int
    source: str
    fingerprint: str
    cutoff: date
    scores: pd.DataFrame = field(repr=False)
    why: str = ""
    version: int | None = None
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    first_day: date | None = None
    last_day: date | None = None
    n_customers: int | None = None
    n_quarantined: int | None = None
    learned_from: Sequence[date] = ()
    tested_at: Sequence[date] = ()
    features: Sequence[str] = ()
    silent: Mapping[str, str] = field(default_factory=dict[str, str])
    not_fitted: Mapping[str, str] = field(default_factory=dict[str, str])
    calibration: str | None = None
    by_segment: pd.DataFrame | None = field(default=None, repr=False)
    coverage: pd.DataFrame | None = field(default=None, repr=False)
    importance: pd.DataFrame | None = field(default=None, repr=False)
    stability: pd.DataFrame | None = field(default=None, repr=False)
    leakage: Sequence[str] | None = None
    fairness: Sequence[str] | None = None
    groups: pd.DataFrame | None = field(default=None, repr=False)
    limits: Sequence[str] = ()


def model_card(facts: CardFacts) -> str:
    """Write a model's card.

    Parameters
    ----------
    facts : CardFacts
        What it tells.

    Returns
    -------
    str
        Markdown; the same facts give the same text.

    Raises
    ------
    SchemaError
        Where the scores lack a column.

    Examples
    --------
    >>> scores = pd.DataFrame({"target": "churned", "model": ["trees", "the mean"], "score": "auc",
    ...                        "value": [0.8, 0.5], "lower": [0.78, 0.5], "upper": [0.82, 0.5]})
    >>> facts = CardFacts("shop-churn", "trees", "BoostedChurnClassifier", "churned", 91, "shop.csv", "0a1b",
    ...                   date(2026, 6, 30), scores)
    >>> [line for line in model_card(facts).splitlines() if line.startswith("- AUC")]
    ['- AUC: clearly ahead of the mean.']
    """
    board, days = _board(facts, facts.scores), one_or_many(facts.horizon, "day")
    parts = [
        ("What it is for", [f"It predicts {_PURPOSE[facts.target].format(horizon=days)}."]),
        ("What it learned from", _data(facts)),
        ("What it reads", _features(facts)),
        ("What it is", _model(facts)),
        ("How good it is", _quality(facts, board)),
        ("For whom: segments", _segments(facts)),
        ("Do its intervals hold", _coverage(facts)),
        ("What it goes by", _reasons(facts)),
        ("Leakage", _leakage(facts)),
        ("Fairness", _fairness(facts)),
        ("Limits", _limits(facts)),
    ]
    lines = [f"# Model card: {facts.name}{f', version {facts.version}' if facts.version else ''}", ""]
    for heading, told in parts:
        lines += [f"## {heading}", "", *told, ""]
    return "\n".join(lines).rstrip() + "\n"


def _data(facts: CardFacts) -> list[str]:
    span = f"{day(facts.first_day)} to {day(facts.last_day)}" if facts.first_day else None
    tested = [day(one) for one in facts.tested_at]
    return _facts(
        {
            "Records": facts.source,
            "Fingerprint": f"`{facts.fingerprint}`",
            "Days": span,
            "Customers at the last cutoff": None if facts.n_customers is None else count(facts.n_customers),
            "Records set aside as unusable": None
            if facts.n_quarantined is None
            else count(facts.n_quarantined),
            "Outcomes learned from, cutoffs": listing([day(one) for one in facts.learned_from]) or "none",
            "Last day known": day(facts.cutoff),
            "Tested at, each time on the days after": listing(tested) if tested else None,
        }
    )


def _features(facts: CardFacts) -> list[str]:
    by_pillar: dict[str, list[str]] = {}
    for name in facts.features:
        pillar = term_of(name).pillar
        by_pillar.setdefault(pillar.value.replace("_", " ") if pillar else "other", []).append(name)
    told = [f"- {pillar} ({len(names)}): {', '.join(names)}" for pillar, names in by_pillar.items()]
    if facts.silent:
        left = ", ".join(f"{name} ({value})" for name, value in facts.silent.items())
        told += ["", f"Left out, as they were the same for everybody: {left}."]
    return told or [_NOT_DONE]


def _model(facts: CardFacts) -> list[str]:
    told = [f"{facts.label}: {facts.model}.", ""]
    told += [f"- {name}: {value}" for name, value in facts.params.items()]
    calibration = facts.calibration or "nothing was done beyond what the model does by itself"
    return [*told, *([""] if facts.params else []), f"Calibration of its answers: {calibration.rstrip('.')}."]


def _board(facts: CardFacts, scores: pd.DataFrame) -> Leaderboard:
    own = scores.loc[scores["target"] == facts.target] if "target" in scores.columns else scores
    question = "churn" if facts.target == "churned" else "value"
    return read_leaderboard(own, question=question, champions=[facts.label])


def _quality(facts: CardFacts, board: Leaderboard) -> list[str]:
    if not board.boards:
        return [_NOT_DONE]
    entries = [
        {each.model: _between(each.value, each.lower, each.upper) for each in one.entries}
        for one in board.boards
    ]
    names = sorted(
        dict.fromkeys(name for one in entries for name in one), key=lambda name: name != facts.label
    )
    told = [
        "On held-out days, with 95 % intervals. ↑: more is better, ↓: less, →: the ideal.",
        "",
        *_table(
            ["model", *map(_heading, board.boards)],
            [[_named(facts, name), *(one.get(name, DASH) for one in entries)] for name in names],
        ),
        "",
        "Against the others (single intervals; *clearly* where they do not overlap):",
        "",
        *_standing(board),
    ]
    told += ["", f"How the champion was chosen: {facts.why}"] if facts.why else []
    return told + [f"- {name} could not be fitted: {why}" for name, why in facts.not_fitted.items()]


def _named(facts: CardFacts, model: str) -> str:
    if model == facts.label:
        return f"**{model}**"
    return f"{model} (baseline)" if model in BASELINES.get(facts.target, ()) else model


def _heading(board: ScoreBoard) -> str:
    if board.best is None:
        return board.label
    best = board.best.removeprefix("the ").removesuffix(" is best").removeprefix("closest to ")
    return f"{board.label} {_ARROWS.get(best, f'→ {best}')}"


def _standing(board: Leaderboard) -> list[str]:
    """Say by each score whom the model beats and whom it does not, and which baselines it never beats."""
    told: list[str] = []
    unbeaten: dict[str, list[str]] = {}
    baselines = {name for names in BASELINES.values() for name in names}
    for one in board.boards:
        own = [each for each in board.comparisons if each.score == one.score]
        rivals = {verdict: [each.rival for each in own if each.verdict == verdict] for verdict in _SAID}
        parts = [f"{said} {listing(rivals[verdict])}" for verdict, said in _SAID.items() if rivals[verdict]]
        told += [f"- {one.label}: {'; '.join(parts)}."] if parts else []
        for name in baselines.intersection(rivals["level"] + rivals["worse"] + rivals["clearly worse"]):
            unbeaten.setdefault(name, []).append(one.label)
    lost = "; ".join(f"{name}, by {listing(scores)}" for name, scores in sorted(unbeaten.items()))
    said = (
        f"**Baselines that it does not beat**: {lost}."
        if lost
        else "Every baseline is behind by every score."
    )
    return [*told, "", said] if told else ["There is nothing to compare it with."]


def _segments(facts: CardFacts) -> list[str]:
    table = facts.by_segment
    if table is None:
        return [_NOT_DONE]
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
    notes = [f"{one['segment']}: {one['note']}." for one in few.to_dict("records")]
    return [*_table(head, rows), *(["", *notes] if notes else [])]


def _coverage(facts: CardFacts) -> list[str]:
    if facts.coverage is None:
        return [
            _NOT_DONE
            if facts.target != "churned"
            else "This model answers with a probability, not an interval."
        ]
    rows = [
        [str(one["group"]), count(one["n"]), percent(one["stated"]),
         _between(one["covered"], one.get("lower"), one.get("upper"), percent)]
        for one in facts.coverage.to_dict("records")
    ]  # fmt: skip
    return _table(["customers", "how many", "stated", "held"], rows)


def _reasons(facts: CardFacts) -> list[str]:
    told = [_NOT_DONE]
    if facts.importance is not None:
        rows = [
            [str(one["pillar"]).replace("_", " "), count(one["n_features"]),
             _between(one["share"], one["share_lower"], one["share_upper"], percent)]
            for one in facts.importance.to_dict("records")
        ]  # fmt: skip
        told = _table(["pillar", "features", "share of what moves predictions"], rows)
    if facts.stability is None:
        return [*told, "", "Whether reasons stay when the model is refitted was not measured."]
    rows = [
        [str(one["level"]), str(one["top"]), percent(one["shared"]),
         _between(one["jaccard"], one["lower"], one["upper"]), say(one["of_another"])]
        for one in facts.stability.to_dict("records")
    ]  # fmt: skip
    head = ["level", "top", "given again", "overlap (Jaccard)", "overlap with another customer's"]
    return [
        *told,
        "",
        "Whether reasons stay when the model is refitted to resamples:",
        "",
        *_table(head, rows),
    ]


def _leakage(facts: CardFacts) -> list[str]:
    if facts.leakage is None:
        return ["The leakage probe was not run for this version."]
    return [f"- {one}" for one in facts.leakage or ["The leakage probe ran and found nothing."]]


def _fairness(facts: CardFacts) -> list[str]:
    if not facts.fairness:
        return [
            "No audit: no attribute was declared. How groups of customers are treated is not known, and "
            "features may stand in for attributes that the model does not read."
        ]
    told = [f"- {one}" for one in facts.fairness]
    if facts.groups is None:
        return told
    judged = facts.groups.loc[facts.groups["judged"]]
    measures = list(dict.fromkeys(judged["measure"]))
    rows: list[list[str]] = []
    for _, some in judged.groupby(["attribute", "group"], sort=False, observed=True):
        own = some.set_index("measure")
        cells = [_between(*(own.loc[name, end] for end in ("value", "lower", "upper"))) for name in measures]
        first = some.iloc[0]
        rows.append([first["attribute"], first["group"], count(first["n_customers"]), *cells])
    head = ["attribute", "group", "customers", *(name.replace("_", " ") for name in measures)]
    return [*told, "", *_table(head, rows)]


def _limits(facts: CardFacts) -> list[str]:
    days, n_tested = one_or_many(facts.horizon, "day"), one_or_many(len(facts.tested_at), "cutoff")
    told = [
        f"It answers for {days} and for no other span.",
        f"It was tested at {n_tested}; of other times of the year nothing is known.",
        f"It knows nothing after {day(facts.cutoff)}. Where customers, prices or records change, it drifts: "
        "monitor it, and train it again.",
        "Of customers with a single purchase it knows little: see the table of segments.",
        "Reasons say what moved the prediction, not what would keep a customer: that takes an experiment.",
        "It must not decide on credit, insurance, housing, work or any right of a person, nor set prices for "
        "persons, and it is no ground for refusing service.",
        *facts.limits,
    ]
    return [f"- {one}" for one in told]


def _facts(told: Mapping[str, str | None]) -> list[str]:
    return [f"- {name}: {value or 'not told'}" for name, value in told.items()]


def _between(value: Any, lower: Any, upper: Any, write: Any = say) -> str:
    if write(value) == DASH or write(lower) == DASH:
        return write(value)
    return f"{write(value)} ({write(lower)} to {write(upper)})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return [f"| {' | '.join(_cell(one) for one in line)} |" for line in lines]


def _cell(text: str) -> str:
    """Make text fit into one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
