"""Segments: what kind of customer each was at the cutoff, and how good a model is for each kind.

A segment is told from what was known at the cutoff and from nothing else, so that scores by segment say where
a model may be trusted before it is used. These are deliberately few and the same for every business; whatever
else customers are to be told apart by can be handed to `scores_by_segment` as it is.
"""

from __future__ import annotations

from itertools import product
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.evaluation.bootstrap import evaluate
from habitue.evaluation.scores import SCORES
from habitue.vocabulary import one_or_many

__all__ = [
    "CONTRACT_SEGMENTS",
    "PURCHASE_SEGMENTS",
    "SURPRISE",
    "p_silence",
    "scores_by_segment",
    "segment_of",
]

PURCHASE_SEGMENTS: Final = ("new", "one-time", "regular", "heavy", "lapsed")
"""Kinds of customers who buy; each is of exactly one."""

CONTRACT_SEGMENTS: Final = ("new", "first year", "established")
"""Kinds of customers where some have a contract and no purchase is known of them."""

SURPRISE: Final = 0.05
"""A customer has lapsed whose silence would be as long in fewer cases than this, had nothing changed."""

_HEAVY: Final = 0.9  # of the repeat buyers, so many spend no more than this quantile
_YEAR: Final = 365
_KEYS: Final = ("cutoff", "customer_id")
_COLUMNS: Final = (
    "target", "segment", "model", "score", "n_rows", "n_customers", "value", "lower", "upper", "note",
)  # fmt: skip


def segment_of(X: pd.DataFrame, *, horizon: int) -> pd.Series:
    """Say of each customer what kind of customer it was at the cutoff.

    Parameters
    ----------
    X : DataFrame of shape (n_customers, n_features)
        A snapshot with frequency, recency, T and monetary_value or, where somebody has a contract and never
        bought, with contract_tenure. Rows of several cutoffs are told apart by the index's level ``cutoff``.
    horizon : int
        Days ahead that are predicted.

    Returns
    -------
    Series of category, shape (n_customers,)
        Named ``segment``, with the index of X. Of those who buy: *new*, one purchase, within one horizon
        before the cutoff; *one-time*, one purchase, longer ago; *lapsed*, repeat buyers silent for longer
        than their own gaps let expect; *heavy*, of the other repeat buyers those whose repeat purchases
        amount to more than those of nine in ten repeat buyers; *regular*, the rest. Of those under contract:
        *new*, within one horizon, *first year* and *established*.

    Raises
    ------
    SchemaError
        Where X has neither these columns nor contract_tenure.
    DataError
        Where one of them has gaps.
    SettingsError
        Where the horizon is below 1.

    Notes
    -----
    If the gaps of a customer are exponential with a rate of their own, whatever it is, the silence s since
    the last of x repeat purchases, as a multiple of their mean gap t_x / x, follows F with 2 and 2x degrees
    of freedom [1]_: it exceeds s with probability (1 + s / t_x)^(-x). Below 5 % a customer has lapsed. After
    many gaps that is three times the usual one, after two seven times, after a single one nineteen times: one
    gap says little. Customers whose gaps are more regular than chance lapse earlier than this says.

    What is heavy depends on the others of the same cutoff. Amounts are frequency times monetary_value; where
    nobody's is above 0, purchases are counted.

    References
    ----------
    .. [1] Lawless, J. F. (1971). A prediction problem concerning samples from the exponential distribution,
       with application in life testing. Technometrics 13, 725-730.

    Examples
    --------
    >>> X = pd.DataFrame(
    ...     {"frequency": [0.0, 0, 9, 9], "recency": [0.0, 0, 90, 90], "T": [20.0, 200, 100, 200],
    ...      "monetary_value": [0.0, 0, 5, 5]}, index=["ann", "bob", "cy", "di"])
    >>> dict(segment_of(X, horizon=91))
    {'ann': 'new', 'bob': 'one-time', 'cy': 'regular', 'di': 'lapsed'}
    """
    if horizon < 1:
        raise SettingsError(f"horizon must be 1 or more days; got {horizon}.")
    if "contract_tenure" in X.columns and not _bought(X):
        tenure = _known(X, "contract_tenure")
        told = np.select([tenure <= horizon, tenure <= _YEAR], CONTRACT_SEGMENTS[:2], CONTRACT_SEGMENTS[2])
        return _categories(told, X.index, CONTRACT_SEGMENTS)
    frequency, recency, T, money = (
        _known(X, name) for name in ("frequency", "recency", "T", "monetary_value")
    )
    repeats = frequency > 0
    told = np.select(
        [
            ~repeats & (horizon >= T),
            ~repeats,
            p_silence(frequency, recency, T) < SURPRISE,
            repeats & _is_heavy(frequency, money, X.index),
        ],
        ["new", "one-time", "lapsed", "heavy"],
        "regular",
    )
    return _categories(told, X.index, PURCHASE_SEGMENTS)


def _bought(X: pd.DataFrame) -> bool:
    """Tell whether purchases are known of everybody; some who hold a contract may never have made one."""
    return "frequency" in X.columns and not np.isnan(X["frequency"].to_numpy(dtype=np.float64)).any()


def p_silence(
    frequency: npt.NDArray[np.float64], recency: npt.NDArray[np.float64], T: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return how often a customer with such gaps is silent for so long or longer; 1 without a gap.

    Parameters
    ----------
    frequency, recency, T : ndarray of shape (n_customers,)
        Repeat purchases, days from first to last, days from first to cutoff.

    Examples
    --------
    >>> p_silence(np.array([0.0, 1.0, 2.0]), np.array([0.0, 10.0, 10.0]), np.array([99.0, 20.0, 30.0]))
    array([1.        , 0.5       , 0.11111111])
    """
    # t_x / (t_x + s) is recency / T; both are 0 only for those who bought once, on the cutoff's day.
    share = np.divide(recency, T, out=np.ones_like(T), where=T > 0)
    return np.where(frequency > 0, share**frequency, 1.0)


def _is_heavy(
    frequency: npt.NDArray[np.float64], money: npt.NDArray[np.float64], index: pd.Index
) -> npt.NDArray[np.bool_]:
    """Tell who is above nine in ten repeat buyers of the same cutoff."""
    size = frequency * money
    size = pd.Series(size if (size > 0).any() else frequency)
    cutoff = index.get_level_values("cutoff") if "cutoff" in index.names else np.zeros(len(index))
    repeats = size.where(frequency > 0)
    return (size > repeats.groupby(np.asarray(cutoff)).transform("quantile", _HEAVY)).to_numpy()


def _known(X: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    if name not in X.columns:
        raise SchemaError(
            f"Segments need the columns frequency, recency, T and monetary_value, or contract_tenure; X "
            f"lacks {name}. There are: {', '.join(map(str, X.columns)) or 'none'}."
        )
    values = X[name].to_numpy(dtype=np.float64)
    if n_missing := int(np.isnan(values).sum()):
        raise DataError(
            f"{name} is missing for {one_or_many(n_missing, 'customer')}: no segment can be told."
        )
    return values


def _categories(told: Any, index: pd.Index, names: tuple[str, ...]) -> pd.Series:
    return pd.Series(pd.Categorical(told, categories=list(names)), index=index, name="segment")


def scores_by_segment(
    frame: pd.DataFrame,
    segments: pd.Series,
    *,
    target: str | None = None,
    at_least: int = 50,
    confidence: float = 0.95,
    n_replicates: int = 200,
    random_state: int = 0,
) -> pd.DataFrame:
    """Score every model for each kind of customer.

    Parameters
    ----------
    frame : DataFrame
        `Backtest.frame`: cutoff, customer_id, target, model, prediction, outcome.
    segments : Series
        The segment of each customer at each cutoff, indexed by (cutoff, customer_id), or by customer_id where
        it is the same at all; those of `segment_of`, or any others.
    target : str, optional
        Only this one; all of the frame where None.
    at_least : int
        Customers that a segment must have for its scores to be told.
    confidence : float
        Of the bootstrap intervals, in (0, 1); customers are drawn, with all their cutoffs.
    n_replicates : int
        Draws.
    random_state : int
        Seed.

    Returns
    -------
    DataFrame
        target, segment, model, score, n_rows, n_customers, value, lower, upper, note: every score of
        `habitue.evaluation.SCORES` for each segment that somebody is in, in the order of the categories. The
        value is nan where there are too few customers or the score is not defined (nobody of them left); the
        note says which, and is empty otherwise. `n_rows` counts a customer once for each cutoff.

    Raises
    ------
    SchemaError
        Where the frame lacks a column.
    DataError
        Where a customer of the frame has no segment.
    SettingsError
        Where the frame has no such target, or `at_least` is below 1.

    Notes
    -----
    Lift and deciles are those within the segment. A model may be better than another in every segment and
    worse over all, or the other way round: ranking across segments is a part of ranking.

    Examples
    --------
    >>> frame = pd.DataFrame({"cutoff": 1, "customer_id": range(200), "target": "churned", "model": "mine",
    ...                       "prediction": [0.2, 0.8] * 100, "outcome": [0.0, 1.0] * 100})
    >>> kinds = pd.Series(["new"] * 180 + ["heavy"] * 20, index=frame["customer_id"])
    >>> table = scores_by_segment(frame, kinds, n_replicates=20)
    >>> auc = table[table["score"] == "auc"].set_index("segment")
    >>> auc.loc["heavy", "note"], float(auc.loc["new", "value"])
    ('20 customers, too few (50)', 1.0)
    """
    if at_least < 1:
        raise SettingsError(f"at_least must be 1 or more customers; got {at_least}.")
    rows = _with_segments(frame, segments, target)
    parts: list[pd.DataFrame] = []
    for name in dict.fromkeys(rows["target"]):
        of_target = rows.loc[rows["target"] == name]
        for segment, model in product(_in_order(of_target["segment"]), dict.fromkeys(of_target["model"])):
            chosen = (of_target["segment"] == segment) & (of_target["model"] == model)
            table = _score(of_target.loc[chosen], name, at_least, confidence, n_replicates, random_state)
            parts.append(table.assign(target=name, segment=segment, model=model))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(_COLUMNS))


def _in_order(segments: pd.Series) -> list[Any]:
    """Return the segments that somebody is in, in the order of the categories where there is one."""
    there = set(segments)
    ordered = segments.cat.categories if isinstance(segments.dtype, pd.CategoricalDtype) else sorted(there)
    return [one for one in ordered if one in there]


def _with_segments(frame: pd.DataFrame, segments: pd.Series, target: str | None) -> pd.DataFrame:
    """Return the rows of the target, each with its segment, in the order of tables."""
    needed = [*_KEYS, "target", "model", "prediction", "outcome"]
    if missing := [name for name in needed if name not in frame.columns]:
        raise SchemaError(
            f"The frame of a backtest has the columns {', '.join(needed)}; missing: {', '.join(missing)}."
        )
    there = list(frame["target"].unique())
    if target is not None and target not in there:
        raise SettingsError(f"There is no target {target!r}; there are {', '.join(there)}.")
    rows = frame if target is None else frame.loc[frame["target"] == target]
    keys = list(_KEYS) if segments.index.nlevels > 1 else ["customer_id"]
    found = segments.rename_axis(keys).rename("segment")
    if not found.index.is_unique:
        raise DataError("A customer may be in one segment at each cutoff; segments name some more than once.")
    joined = rows.join(found, on=keys)
    if n_missing := int(np.count_nonzero(joined["segment"].isna())):
        raise DataError(
            f"{one_or_many(n_missing, 'row')} of the frame {'has' if n_missing == 1 else 'have'} no segment: "
            "give one for every customer at every cutoff, in an index of (cutoff, customer_id)."
        )
    return joined


def _score(
    rows: pd.DataFrame,
    target: str,
    at_least: int,
    confidence: float,
    n_replicates: int,
    random_state: int,
) -> pd.DataFrame:
    """Score one model for one segment."""
    customers, outcome = rows["customer_id"].to_numpy(), rows["outcome"].to_numpy(dtype=np.float64)
    n_customers = len(pd.unique(customers))
    if n_customers < at_least:
        names = [score.name for score in SCORES[target]]
        table = pd.DataFrame({"score": names, "value": np.nan, "lower": np.nan, "upper": np.nan})
        note: Any = f"{one_or_many(n_customers, 'customer')}, too few ({at_least})"
    else:
        table = evaluate(
            outcome,
            rows["prediction"].to_numpy(),
            SCORES[target],
            groups=None if n_customers == len(customers) else customers,
            confidence=confidence,
            n_replicates=n_replicates,
            random_state=random_state,
        )
        note = np.where(table["value"].isna(), _undefined(outcome, target), "")
    return table.assign(n_rows=len(customers), n_customers=n_customers, note=note)


def _undefined(outcome: npt.NDArray[np.float64], target: str) -> str:
    """Say why a score has no value."""
    if outcome.min() < outcome.max():
        return "not defined: predictions do not tell these customers apart"
    if target == "churned":
        return f"not defined: {'all' if outcome[0] else 'none'} of them left"
    return f"not defined: all of them spent {'the same' if outcome[0] else 'nothing'}"
