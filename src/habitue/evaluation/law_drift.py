"""Whether customers still buy and leave by the law that a model holds: BG/NBD of frequency, recency and T.

The mean slope of the log-likelihood at the parameters that the model holds is about nothing for customers
like those it was fitted to. Where customers of the same age have another mean slope today, the law has
changed: this is the generalised score test (`habitue.numerics.drift.mean_vector_test`). It holds where BG/NBD
is only nearly true, as it is of every real business, and parameters fitted anew say in which direction.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from habitue.errors import FitError
from habitue.evaluation.drift import Alike, Check
from habitue.evaluation.ranking import FloatArray
from habitue.models import BGNBD
from habitue.numerics import bgnbd
from habitue.numerics.drift import mean_vector_test

__all__ = ["Law", "law_drift", "law_table"]

_HISTORY: Final = ["frequency", "recency", "T"]
_WORTH_TELLING: Final = 0.05
_STEADY: Final = 0.001
"""Pull of the fits by which the direction is told: of few customers a and b may run away."""


class Law(NamedTuple):
    """How customers buy and leave, in two numbers and what comes of them."""

    rate: float
    """Purchases a day of a customer who is there, on average: r / alpha."""
    leaving: float
    """Probability of leaving after a purchase, on average: a / (a + b)."""
    purchases: float
    """Purchases that a new customer makes within the horizon."""


def law_drift(
    model: Any,
    now: pd.DataFrame,
    reference: pd.DataFrame,
    pair: Alike,
    *,
    horizon: int,
    floor: float = 0.1,
    when: str = "at training",
) -> list[Check]:
    """Test whether customers of the same age still follow a law as they did.

    Parameters
    ----------
    model : BGNBD
        As the champion holds it.
    now, reference : DataFrame
        X of either day.
    pair : Alike
        Of `habitue.evaluation.drift.alike`.
    horizon : int
        Days for which a new customer's purchases are told.
    floor : float
        Relative change of the purchase rate, or of a new customer's purchases, from which on it matters.
    when : str
        What the earlier day is called.

    Returns
    -------
    list of Check
        One; none where the model is another family or has covariates, or there is nobody to compare.

    Examples
    --------
    >>> from habitue.evaluation.drift import alike
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=91)).X
    >>> law_drift(BGNBD().fit(X), X, X, alike(X, X), horizon=91)[0].p_value
    1.0
    """
    if not _told_of(model) or not pair.enough:
        return []
    mine, theirs = now.loc[pair.now, _HISTORY], reference.loc[pair.reference, _HISTORY]
    tested = mean_vector_test(_slopes(model, mine), _slopes(model, theirs), pair.weights)
    test = "generalised score"
    here, there = _law_of(mine, None, horizon), _law_of(theirs, pair.weights, horizon)
    if here is None or there is None:
        moved = _ratio(_mean(mine), _mean(theirs, pair.weights))
        told = f"Customers of the same age have bought {_more(moved)} often than {when}."
        return [Check("law", "purchases", test, tested.p_value, abs(moved), "relative", floor, told)]
    moved = _ratio(here.rate, there.rate), _ratio(here.purchases, there.purchases)
    effect = max(map(abs, moved))
    told = _told(here, there, horizon, when)
    return [Check("law", "purchases", test, tested.p_value, effect, "relative", floor, told)]


def law_table(model: Any, now: pd.DataFrame) -> pd.DataFrame:
    """Set the parameters that a model holds beside those fitted to all customers of today.

    Parameters
    ----------
    model : BGNBD
        As the champion holds it.
    now : DataFrame
        X of today.

    Returns
    -------
    DataFrame
        parameter, held, held_error, now, now_error: values and standard errors; empty where the model is
        another family, or cannot be fitted today.

    Notes
    -----
    The customers of today are those of training, grown older, and new ones: the fits share what was known
    then, and their errors do not add up. The test of `law_drift` compares those of the same age.
    """
    columns = ["parameter", "held", "held_error", "now", "now_error"]
    if not _told_of(model):
        return pd.DataFrame(columns=columns)
    try:
        fitted = BGNBD(penalizer=_STEADY).fit(now.loc[:, _HISTORY])
    except FitError:
        return pd.DataFrame(columns=columns)
    numbers = (model.params_, model.standard_errors_, fitted.params_, fitted.standard_errors_)
    rows = [[name, *(float(getattr(one, name)) for one in numbers)] for name in bgnbd.Params._fields]
    return pd.DataFrame(rows, columns=columns)


def _told_of(model: Any) -> bool:
    return isinstance(model, BGNBD) and not (model.rate_covariates or model.dropout_covariates)


def _slopes(model: BGNBD, X: pd.DataFrame) -> FloatArray:
    return bgnbd.gradient(model.params_, *(X[name].to_numpy(dtype=np.float64) for name in _HISTORY))


def _law_of(X: pd.DataFrame, weights: FloatArray | None, horizon: int) -> Law | None:
    try:
        params = BGNBD(penalizer=_STEADY).fit(X, sample_weight=weights).params_
    except FitError:
        return None
    ahead = float(bgnbd.expected_purchases_new(params, float(horizon)))
    return Law(float(params.r / params.alpha), float(params.a / (params.a + params.b)), ahead)


def _mean(X: pd.DataFrame, weights: FloatArray | None = None) -> float:
    return float(np.average(X["frequency"].to_numpy(dtype=np.float64), weights=weights))


def _ratio(now: float, before: float) -> float:
    """Return the relative change, the same in size for a doubling and a halving."""
    if now <= 0.0 or before <= 0.0:
        return 0.0 if now == before else np.inf
    return float(np.expm1(abs(np.log(now / before)))) * (1.0 if now >= before else -1.0)


def _more(moved: float) -> str:
    return "more" if moved > 0.0 else "less"


def _told(here: Law, there: Law, horizon: int, when: str) -> str:
    """Say in words how the law has moved."""
    said: list[str] = []
    if abs(moved := _ratio(here.rate, there.rate)) >= _WORTH_TELLING:
        how = "more often" if moved > 0.0 else "more rarely"
        said.append(f"buy {how} (every {1 / here.rate:,.0f} days, {1 / there.rate:,.0f} {when})")
    if abs(moved := _ratio(here.leaving, there.leaving)) >= _WORTH_TELLING:
        how = "sooner" if moved > 0.0 else "later"
        said.append(f"leave {how} ({here.leaving:.1%} after each purchase, {there.leaving:.1%} {when})")
    words = " and ".join(said) or "buy by another law"
    return (
        f"Customers {words}: a new one is expected to buy {here.purchases:,.2f} times within {horizon} days, "
        f"against {there.purchases:,.2f}."
    )
