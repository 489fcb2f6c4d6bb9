"""Why: the features that moved a prediction most, told in words with the number behind them.

Contributions come from the model (exact SHAP or Shapley values); here they are only put in order and told.
Two features that say nearly the same (purchases in the last 90 and 180 days) are told once: the one that
weighs more stands for its family.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.vocabulary import Term, term_of

__all__ = ["N_REASONS", "by_pillar", "reasons_in_words"]

N_REASONS = 3
"""Reasons told per prediction."""

FloatArray = npt.NDArray[np.float64]
TextArray = npt.NDArray[np.object_]

_MEMBER = re.compile(r"(?<=_is_).+|_\d+d$|_last_period$|_(total|mean|max|first|last|ratio)$")
"""What tells the members of a family apart: the level, the window or the aggregate."""

_COUNTED = re.compile(r"(\{value\} (?:(?:repeat|active|community|different) )?[a-z]+?)(ies|s)\b")
"""The noun that is counted, and so has a singular."""


def reasons_in_words(contributions: pd.DataFrame, X: pd.DataFrame) -> pd.DataFrame:
    """Tell each customer's main reasons.

    Parameters
    ----------
    contributions : DataFrame of shape (n_customers, n_features)
        What each feature adds to the prediction, on any additive scale.
    X : DataFrame
        The features' values; same index.

    Returns
    -------
    DataFrame of str, columns reason_1, reason_2, reason_3
        For example ``"last bought 94 days ago (raises it)"``; empty where fewer things moved the prediction.
        "Raises" and "lowers" speak of what was predicted: the chance of leaving, or the expected spend.

    Raises
    ------
    DataError
        Where the two do not describe the same customers.
    SchemaError
        Where X lacks a feature that contributes.

    Examples
    --------
    >>> moved = pd.DataFrame({"inactivity": [1.2], "frequency": [-0.3]}, index=["ann"])
    >>> X = pd.DataFrame({"inactivity": [94.0], "frequency": [1.0]}, index=["ann"])
    >>> list(reasons_in_words(moved, X).loc["ann"])
    ['last bought 94 days ago (raises it)', '1 repeat purchase so far (lowers it)', '']
    """
    _check_same_customers(contributions, X)
    weights, names = _families(contributions)
    said = np.full((len(X), N_REASONS), "", dtype=object)
    ways = said.copy()
    n_said = np.zeros(len(X), dtype=np.intp)
    for chosen in np.argsort(-np.abs(weights), axis=1, kind="stable").T:
        if (n_said == N_REASONS).all():
            break
        sentence, way = _told(weights, names, chosen, X)
        # Several families may say one thing, such as that somebody bought only once: it is told once.
        heard = (said == sentence[:, None]).any(axis=1)
        new = np.flatnonzero((sentence != "") & ~heard & (n_said < N_REASONS))
        said[new, n_said[new]], ways[new, n_said[new]] = sentence[new], way[new]
        n_said[new] += 1
    columns = [f"reason_{place + 1}" for place in range(N_REASONS)]
    return pd.DataFrame(said + ways, index=X.index, columns=columns)


def _check_same_customers(contributions: pd.DataFrame, X: pd.DataFrame) -> None:
    if not contributions.index.equals(X.index):
        raise DataError("Contributions and X must describe the same customers in the same order.")
    if missing := [str(name) for name in contributions if name not in X.columns]:
        raise SchemaError(
            f"X must have the value of every feature that contributes; missing: {', '.join(missing)}; there "
            f"are: {', '.join(map(str, X.columns)) or 'none'}. Hand in the X that they came from."
        )


def _families(contributions: pd.DataFrame) -> tuple[FloatArray, TextArray]:
    """Add up features of one family; name each sum after the member that weighs most its way."""
    family = [_MEMBER.sub("", str(name)) for name in contributions]
    values = contributions.to_numpy(dtype=np.float64)
    columns = np.array(contributions.columns, dtype=object)
    sums = np.zeros((len(values), len(set(family))))
    leaders = np.empty(sums.shape, dtype=object)
    for place, name in enumerate(dict.fromkeys(family)):
        members = np.flatnonzero([one == name for one in family])
        sums[:, place] = values[:, members].sum(axis=1)
        along = values[:, members] * np.sign(sums[:, [place]])
        leaders[:, place] = columns[members[np.argmax(along, axis=1)]]
    return sums, leaders


def _told(
    weights: FloatArray, names: TextArray, chosen: npt.NDArray[np.intp], X: pd.DataFrame
) -> tuple[TextArray, TextArray]:
    """Return one sentence a customer and which way it points; empty where nothing was moved."""
    rows = np.arange(len(chosen))
    weight, leader = weights[rows, chosen], names[rows, chosen]
    sentences = np.full(len(chosen), "", dtype=object)
    for name in pd.unique(leader):
        here = (leader == name) & (weight != 0.0)
        if here.any():
            sentences[here] = _phrases(str(name), X[name].to_numpy(dtype=np.float64)[here])
    ways = np.where(weight > 0, " (raises it)", " (lowers it)").astype(object)
    return sentences, np.where(weight == 0.0, "", ways)


def _phrases(name: str, values: FloatArray) -> TextArray:
    """Tell the values of one feature; distinct values are written once."""
    term = term_of(name)
    distinct, place = np.unique(values, return_inverse=True)
    told = np.array([_phrase(name, term, float(value)) for value in distinct], dtype=object)
    return told[place.reshape(-1)]


def _phrase(name: str, term: Term, value: float) -> str:
    write = _WRITERS.get(term.unit, _number)
    if np.isnan(value):
        return term.missing or f"{name.replace('_', ' ')} is unknown"
    if term.zero and write(value) == write(0.0):
        return term.zero
    is_below = value < 0 and term.negative
    written = write(-value if is_below else value)
    phrase = (term.negative if is_below else term.phrase) or f"{name} {{value}}"
    if written == "1" and term.unit == "count":
        phrase = _COUNTED.sub(lambda found: found[1] + ("y" if found[2] == "ies" else ""), phrase)
    # No str.format: a feature may have braces in its name.
    return phrase.replace("{value}", written)


def _number(value: float) -> str:
    return f"{value:z,.0f}" if value.is_integer() else f"{value:z,.1f}"


def _days(value: float) -> str:
    told = f"{value:z,.0f}"
    return "1 day" if told == "1" else f"{told} days"


def _money(value: float) -> str:
    return f"{value:z,.2f}"


def _share(value: float) -> str:
    return "less than 1%" if 0.0 < abs(value) < 0.01 else f"{value:z.0%}"


def _flag(value: float) -> str:
    return "yes" if value else "no"


_WRITERS: Mapping[str, Callable[[float], str]] = MappingProxyType(
    {"day": _days, "money": _money, "share": _share, "probability": _share, "flag": _flag}
)


def by_pillar(contributions: pd.DataFrame) -> pd.DataFrame:
    """Add up contributions per pillar of loyalty.

    Parameters
    ----------
    contributions : DataFrame of shape (n_customers, n_features)
        Named after features of the vocabulary.

    Returns
    -------
    DataFrame of shape (n_customers, n_pillars)
        Sums; the pillars that the features speak of, "other" for names of which none is known.

    Examples
    --------
    >>> by_pillar(pd.DataFrame({"inactivity": [1.0], "frequency": [0.5], "gap_mean": [-0.25]}))
       activity  habit
    0       1.5  -0.25
    """
    pillars = [_pillar(str(name)) for name in contributions]
    values = contributions.to_numpy(dtype=np.float64)
    sums = {
        pillar: values[:, [one == pillar for one in pillars]].sum(axis=1) for pillar in dict.fromkeys(pillars)
    }
    return pd.DataFrame(sums, index=contributions.index)


def _pillar(name: str) -> str:
    pillar = term_of(name).pillar
    return pillar.value if pillar else "other"
