"""Why: the features that moved a prediction most, told in words with the number behind them.

Contributions come from the model (exact SHAP or Shapley values); here they are only put in order and told.
Two features that say nearly the same (purchases in the last 90 and 180 days) are told once: the one that
weighs more stands for its family. Reasons cost more than answers do, so they can be had for some customers
alone: `whom_to_tell` picks those whose answer calls for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.numerics.many_rows import blocks
from habitue.vocabulary import term_of

__all__ = ["N_REASONS", "Explained", "by_pillar", "reasons_for", "reasons_in_words", "whom_to_tell"]

N_REASONS = 3
"""Reasons told per prediction."""

_COLUMNS = [f"reason_{place + 1}" for place in range(N_REASONS)]

_WAYS = (" (raises it)", " (lowers it)")

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_AT_ONCE = 32_768
"""Customers put into words at a time: what is worked with stays small."""

_ASKED_AT_ONCE = 131_072
"""Customers whose contributions a model is asked for at a time: memory does not grow with the base."""

_MEMBER = re.compile(r"(?<=_is_).+|_\d+d$|_last_period$|_(total|mean|max|first|last|ratio)$")
"""What tells the members of a family apart: the level, the window or the aggregate."""

_COUNTED = re.compile(r"(\{value\} (?:(?:repeat|active|community|different) )?[a-z]+?)(ies|s)\b")
"""The noun that is counted, and so has a singular."""


class Explained(Protocol):
    """A fitted model that says what each feature adds to its answer.

    Where contributions speak of more than X holds, it has ``reason_values(X)``, too: the values to name.
    """

    @property
    def contributions(self) -> Callable[..., pd.DataFrame]:
        """What returns of X, and of a horizon where it takes one, what each feature adds."""
        ...


def whom_to_tell(
    answer: npt.ArrayLike, *, at_least: float | None = None, top_share: float | None = None
) -> BoolArray:
    """Pick the customers whose answer is high enough that its reasons are worth having.

    Parameters
    ----------
    answer : array_like of shape (n_customers,)
        What was predicted: the chance of leaving, or money. Who has none (NaN) is not picked.
    at_least : float, optional
        The answer from which on reasons are told; it looks at each customer alone.
    top_share : float, optional
        The share of customers, in (0, 1], whose answers are the highest; of equal answers the first count.
        It looks at all customers together. Where both are given, both must hold.

    Returns
    -------
    ndarray of bool, shape (n_customers,)
        Everybody with an answer where neither is given.

    Raises
    ------
    SettingsError
        Where the share is not in (0, 1], or the answer to begin with is no number.

    Examples
    --------
    >>> whom_to_tell([0.9, 0.2, 0.7], at_least=0.7).tolist()
    [True, False, True]
    >>> whom_to_tell([0.9, 0.2, 0.7], top_share=0.3).tolist()
    [True, False, False]
    """
    values = np.asarray(answer, dtype=np.float64)
    picked = ~np.isnan(values)
    if top_share is not None:
        if not 0.0 < top_share <= 1.0:
            raise SettingsError(f"top_share must be above 0 and at most 1; got {top_share!r}.")
        n_top = int(np.ceil(round(top_share * picked.sum(), 9)))
        highest = np.argsort(-values, kind="stable")  # NaN comes last
        picked[highest[n_top:]] = False
    if at_least is not None:
        if np.isnan(at_least):
            raise SettingsError("at_least must be a number; got nan.")
        picked &= values >= at_least
    return picked


def reasons_for(
    model: Explained, X: pd.DataFrame, who: BoolArray | None = None, *, horizon: int | None = None
) -> pd.DataFrame:
    """Tell the main reasons of some customers, asking the model about nobody else.

    Parameters
    ----------
    model : Explained
        Fitted.
    X : DataFrame of shape (n_customers, n_features)
        What is known.
    who : ndarray of bool, shape (n_customers,), optional
        Who is told, such as `whom_to_tell` picks them; everybody where None.
    horizon : int, optional
        Days ahead, for a model that can be asked for others than it learned; its own where None.

    Returns
    -------
    DataFrame of str, columns reason_1, reason_2, reason_3
        As `reasons_in_words`, indexed like X; empty for those not picked.

    Raises
    ------
    DataError
        Where ``who`` is not of the rows of X.
    SchemaError
        Where X lacks what the model reads.
    """
    if who is not None and who.shape != (len(X),):
        raise DataError(f"who must say of each of {len(X)} customers whether; got shape {who.shape}.")
    rows = np.arange(len(X)) if who is None else np.flatnonzero(who)
    ahead = {} if horizon is None else {"horizon": horizon}
    told = np.full((len(X), N_REASONS), "", dtype=object)
    for some in blocks(len(rows), _ASKED_AT_ONCE):
        theirs = X.iloc[rows[some]]
        spoken_of = getattr(model, "reason_values", lambda them: them)
        told[rows[some]] = reasons_in_words(model.contributions(theirs, **ahead), spoken_of(theirs))
    return pd.DataFrame(told, index=X.index, columns=_COLUMNS)


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
    moved = contributions.to_numpy(dtype=np.float64)
    said = np.zeros((len(X), N_REASONS), dtype=np.intp)
    spoken = _Spoken({"": 0}, {name: pd.Series(X[name]) for name in contributions})
    families = _families(list(contributions))
    for rows in blocks(len(X), _AT_ONCE):
        said[rows] = _tell(moved[rows], families, rows.start, spoken)
    texts = [text + way for text in spoken.numbers for way in (("", "") if not text else _WAYS)]
    words = np.array(texts, dtype=object)[said]
    return pd.DataFrame(words, index=X.index, columns=_COLUMNS)


def _check_same_customers(contributions: pd.DataFrame, X: pd.DataFrame) -> None:
    if not contributions.index.equals(X.index):
        raise DataError("Contributions and X must describe the same customers in the same order.")
    if missing := [str(name) for name in contributions if name not in X.columns]:
        raise SchemaError(
            f"X must have the value of every feature that contributes; missing: {', '.join(missing)}; there "
            f"are: {', '.join(map(str, X.columns)) or 'none'}. Hand in the X that they came from."
        )


class _Spoken(NamedTuple):
    """What was said so far, each sentence with its number, and the values that sentences are about."""

    numbers: dict[str, int]
    values: Mapping[Any, pd.Series]


class _Family(NamedTuple):
    """Features that say nearly the same: names, and places among contributions."""

    names: list[str]
    places: IntArray


def _families(names: Sequence[str]) -> list[_Family]:
    """Part features into families, in the order of their first members."""
    family = [_MEMBER.sub("", str(name)) for name in names]
    places = {one: [at for at, other in enumerate(family) if other == one] for one in dict.fromkeys(family)}
    return [_Family([names[at] for at in some], np.array(some)) for some in places.values()]


def _tell(moved: FloatArray, families: Sequence[_Family], first: int, spoken: _Spoken) -> IntArray:
    """Return reasons by number: twice that of the sentence, and 1 more where it lowers the prediction."""
    weights = np.empty((len(moved), len(families)))
    for place, family in enumerate(families):
        weights[:, place] = moved[:, family.places].sum(axis=1)
    said = np.zeros((len(moved), N_REASONS), dtype=np.intp)
    n_said = np.zeros(len(moved), dtype=np.intp)
    left = np.abs(weights)
    waiting = np.flatnonzero(left.any(axis=1))
    while len(waiting):
        chosen = left[waiting].argmax(axis=1)
        weight = weights[waiting, chosen]
        sentence = _sentences(moved, families, first, waiting, chosen, weight, spoken)
        # Several families may say one thing, such as that somebody bought only once: it is told once.
        new = ~(said[waiting] // 2 == sentence[:, np.newaxis]).any(axis=1)
        who = waiting[new]
        said[who, n_said[who]] = 2 * sentence[new] + (weight[new] < 0.0)
        n_said[who] += 1
        left[waiting, chosen] = 0.0
        waiting = waiting[(n_said[waiting] < N_REASONS) & left[waiting].any(axis=1)]
    return said


def _sentences(
    moved: FloatArray,
    families: Sequence[_Family],
    first: int,
    rows: IntArray,
    chosen: IntArray,
    weight: FloatArray,
    spoken: _Spoken,
) -> IntArray:
    """Return the number of the sentence in which each row's chosen family is told."""
    sentence = np.zeros(len(rows), dtype=np.intp)
    for place in np.unique(chosen):
        family, here = families[place], np.flatnonzero(chosen == place)
        # It is told by the member that weighs most the way of all.
        along = moved[np.ix_(rows[here], family.places)] * np.sign(weight[here, np.newaxis])
        leader = along.argmax(axis=1)
        for member in np.unique(leader):
            name, mine = family.names[member], here[leader == member]
            sentence[mine] = _numbered(name, spoken.values[name].iloc[first + rows[mine]], spoken.numbers)
    return sentence


def _numbered(name: str, column: pd.Series, numbers: dict[str, int]) -> IntArray:
    """Return the numbers of the sentences that tell the values of one feature; each is written once."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        place, distinct = pd.factorize(column.to_numpy(dtype=object), use_na_sentinel=False)
        phrases = _named(str(name), distinct.tolist())
    else:
        numeric = column.to_numpy(dtype=np.float64, na_value=np.nan)
        place, distinct = pd.factorize(numeric, use_na_sentinel=False)
        phrases = _phrases(str(name), distinct.tolist())
    told = [numbers.setdefault(phrase, len(numbers)) for phrase in phrases]
    return np.array(told, dtype=np.intp)[place]


def _named(name: str, levels: Sequence[object]) -> Iterator[str]:
    """Tell categories of one feature."""
    feature = name.replace("_", " ")
    for level in levels:
        is_missing = level is None or (isinstance(level, float) and np.isnan(level))
        yield f"{feature} is unknown" if is_missing else f"{feature} is {level}"


def _phrases(name: str, values: Sequence[float]) -> Iterator[str]:
    """Tell values of one feature."""
    term = term_of(name)
    write = _WRITERS.get(term.unit, _number)
    nothing = write(0.0) if term.zero else None
    told: dict[tuple[str, bool], str] = {}
    for value in values:
        if np.isnan(value):
            yield term.missing or f"{name.replace('_', ' ')} is unknown"
            continue
        is_below = value < 0 and bool(term.negative)
        written = write(-value if is_below else value)
        if (written, is_below) not in told:
            rule = (term.negative if is_below else term.phrase) or f"{name} {{value}}"
            said = term.zero if written == nothing else _phrase(rule, written, counts=term.unit == "count")
            told[written, is_below] = said
        yield told[written, is_below]


def _phrase(phrase: str, written: str, *, counts: bool) -> str:
    if counts and written == "1":
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
