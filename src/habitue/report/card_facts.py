"""What a model card tells, as plain data: gathered in training, kept with the run, told again at any time.

Nothing is measured and nothing is worded here; that is for ``pipelines`` and for ``card_sections``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

import pandas as pd

from habitue.errors import DataError

__all__ = ["CardFacts", "facts_from_json", "facts_to_json"]

_TABLE, _DAY = "table", "day"


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
        Why the champion is champion; how predictions were calibrated.
    comparisons : DataFrame or None
        Of `habitue.evaluation.paired.comparison_table`; intervals of single scores are compared where None.
    by_segment, importance, stability : DataFrame or None
        Of `scores_by_segment`, `importance_by_pillar` and `reason_stability` (its ``overall``).
    stability_note : str
        What is to be known of the latter: how it was measured, or why it was not.
    coverage : DataFrame or None
        by, group, n, stated, and of `habitue.evaluation.coverage_table` as much as is known, share_inside at
        least: how often intervals held. A row by "one interval for all" is what they are measured against.
    leakage : sequence of str or None
        Findings of the leakage probe; empty where it ran and found nothing.
    fairness, groups : sequence of str, DataFrame; or None
        ``told`` and ``groups`` of `audit_fairness`.
    pictures : sequence of str
        Features whose dependence is drawn in the run.
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
    comparisons: pd.DataFrame | None = field(default=None, repr=False)
    by_segment: pd.DataFrame | None = field(default=None, repr=False)
    coverage: pd.DataFrame | None = field(default=None, repr=False)
    importance: pd.DataFrame | None = field(default=None, repr=False)
    stability: pd.DataFrame | None = field(default=None, repr=False)
    stability_note: str = ""
    leakage: Sequence[str] | None = None
    fairness: Sequence[str] | None = None
    groups: pd.DataFrame | None = field(default=None, repr=False)
    pictures: Sequence[str] = ()
    limits: Sequence[str] = ()


def facts_to_json(facts: CardFacts) -> str:
    """Write facts as text that `facts_from_json` reads back.

    Parameters
    ----------
    facts : CardFacts
        What a card tells.

    Returns
    -------
    str
        JSON; the same facts give the same text. Parameters of a model that are no plain values are written as
        they are printed.
    """
    told = {one.name: _plain(getattr(facts, one.name)) for one in fields(facts)}
    return json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False)


def facts_from_json(text: str) -> CardFacts:
    """Read what `facts_to_json` wrote.

    Parameters
    ----------
    text : str
        JSON. Keys of a later version of habitue are passed over.

    Returns
    -------
    CardFacts
        Those that were written, but that what was no plain value is text.

    Raises
    ------
    DataError
        Where the text holds no facts of a card.

    Examples
    --------
    >>> scores = pd.DataFrame({"model": ["trees"], "score": "auc", "value": 0.8, "lower": 0.7, "upper": None})
    >>> facts = CardFacts("shop", "trees", "Trees", "churned", 91, "a.csv", "0a", date(2026, 6, 30), scores)
    >>> again = facts_from_json(facts_to_json(facts))
    >>> again.cutoff, again.scores.loc[0, "value"]
    (datetime.date(2026, 6, 30), np.float64(0.8))
    """
    try:
        told = {name: _read(value) for name, value in json.loads(text).items()}
        known = {one.name for one in fields(CardFacts)}
        return CardFacts(**{name: value for name, value in told.items() if name in known})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"This is no model card as habitue keeps it ({type(error).__name__}: {error}); train again."
        ) from error


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it; tables and days say what they are."""
    if isinstance(value, pd.DataFrame):
        rows = value.astype(object).to_numpy().tolist()
        return {_TABLE: [list(map(str, value.columns)), _plain(rows)]}
    if isinstance(value, date):
        return {_DAY: value.isoformat()}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):  # a number of numpy's
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else " ".join(str(value).split())


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(one) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {_TABLE}:
        columns, rows = value[_TABLE]
        return pd.DataFrame(rows, columns=columns)
    if set(value) == {_DAY}:
        return date.fromisoformat(value[_DAY])
    return {key: _read(one) for key, one in value.items()}
