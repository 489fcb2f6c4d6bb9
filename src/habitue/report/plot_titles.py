"""What the pictures of a purchase model's fit say in their titles: the finding, from the facts alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from habitue.report.wording import percent
from habitue.vocabulary import one_or_many

__all__ = ["expects", "fits", "most_expected", "speaks_for_leaving", "tracked"]


def tracked(facts: pd.DataFrame) -> str:
    """Say how the total after the cutoff compares; of the days before it where nothing is known after.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.fit_curves.tracking` returned.

    Returns
    -------
    str
        A title.
    """
    known = facts.loc[facts["actual"].notna()]
    ahead = known.loc[known["is_holdout"]]
    some, when = (known, "up to the cutoff") if ahead.empty else (ahead, "after the cutoff")
    actual, expected = some["actual"].sum(), some["expected"].sum()
    verb = "counts" if ahead.empty else "foretells"
    if actual == 0.0:
        return f"The model {verb} {one_or_many(round(expected), 'purchase')} {when}; none came"
    gap = expected / actual - 1.0
    if abs(gap) < 0.005:
        return f"The model {verb} as many purchases {when} as came"
    return (
        f"The model {verb} {percent(abs(gap))} {'more' if gap > 0.0 else 'fewer'} purchases {when} than came"
    )


def fits(outside: Sequence[str]) -> str:
    """Say which counts of customers chance does not explain.

    Parameters
    ----------
    outside : sequence of str
        Labels of the counts outside of their range.

    Returns
    -------
    str
        A title.

    Examples
    --------
    >>> fits(["0", "1"])
    'Off by more than chance: customers with 0 and 1 repeat purchases'
    """
    if not outside:
        return "No count of customers is off by more than chance"
    return f"Off by more than chance: customers with {_listed(outside)} repeat purchases"


def expects(facts: pd.DataFrame) -> str:
    """Name the groups whose interval leaves the model's mean out.

    Parameters
    ----------
    facts : DataFrame
        What `habitue.evaluation.fit_curves.conditional_expectations` returned.

    Returns
    -------
    str
        A title.
    """
    much = list(facts.loc[facts["mean_expected"] > facts["upper"], "label"])
    little = list(facts.loc[facts["mean_expected"] < facts["lower"], "label"])
    if not much and not little:
        return "In every group the model's mean is within the noise"
    sides = (("much", much), ("little", little))
    by = facts["by"].iloc[0]
    told = [f"too {size} of {by} {_listed(labels)}" for size, labels in sides if labels]
    if len(told) == 1:
        told = [told[0].replace(" of ", " is expected of customers with ", 1)]
    sentence = ", ".join(told) if len(told) == 1 else f"expected is {told[0]}, {told[1]}"
    return sentence[0].upper() + sentence[1:]


def speaks_for_leaving(grid: pd.DataFrame, T: float) -> str:
    """Say after how much silence a customer in the middle of the map is likelier gone than not.

    Parameters
    ----------
    grid : DataFrame
        p_alive, indexed by frequency, one column a recency.
    T : float
        Days since the first purchase.

    Returns
    -------
    str
        A title.
    """
    frequency = float(grid.index[len(grid) // 2])
    row = grid.loc[frequency].dropna()
    there = row[row >= 0.5]
    if there.empty or len(there) == len(row):
        return f"After {frequency:g} repeat purchases silence hardly changes the verdict"
    silence = T - float(there.index[0])
    return f"After {frequency:g} repeat purchases, more than {silence:.0f} silent days speak for leaving"


def most_expected(grid: pd.DataFrame, horizon: float) -> str:
    """Say where most is expected.

    Parameters
    ----------
    grid : DataFrame
        Expected purchases, indexed by frequency, one column a recency.
    horizon : float
        Days ahead.

    Returns
    -------
    str
        A title.
    """
    values = grid.to_numpy()
    at = np.unravel_index(np.nanargmax(values), values.shape)
    return (
        f"Up to {values[at]:.1f} purchases in {one_or_many(horizon, 'day')}, at frequency "
        f"{grid.index[at[0]]:g} and recency {grid.columns[at[1]]:g}"
    )


def _listed(labels: Sequence[str]) -> str:
    """Join labels; many are only counted."""
    if len(labels) > 4:
        return f"{', '.join(labels[:3])} and {len(labels) - 3} more"
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
