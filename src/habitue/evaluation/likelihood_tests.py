"""Tests of whether a model's likelihood is higher than another's by more than chance.

Where one fitted model is another with something held fixed, their likelihood ratio has a known distribution
(`likelihood_ratio_tests`); where neither contains the other, Vuong's test compares them customer by customer
(`vuong_tests`). Which is which is decided here, from the families' names and their covariates. It
deliberately chooses no model: a test says whether a difference is there, not whether it matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2, norm

__all__ = ["TEST_COLUMNS", "likelihood_ratio_tests", "n_parameters", "vuong_tests"]

FloatArray = npt.NDArray[np.float64]

TEST_COLUMNS = ("test", "model", "against", "statistic", "df", "p_value", "meaning")
"""Columns of both tables."""

_CHANCE: Final = 0.05
_SAME: Final = 1e-12  # spread of differences, relative to that of likelihoods, below which two fits are one


class _Restriction(NamedTuple):
    """A family that is another with one parameter held fixed, and whether that is at its edge."""

    smaller: str
    larger: str
    what: str
    at_boundary: bool


_RESTRICTIONS: Final = (
    _Restriction("SBG", "BDW", "c = 1", False),
    _Restriction("NBD", "ParetoNBD", "s -> 0, where beta means nothing", True),
    _Restriction("ParetoNBD", "GGompertzNBD", "b -> 0 with beta / b as it is", True),
)

# Here one family is a limit of the other along a path, or the other at a whole number k: no test applies.
_LIMITS: Final = frozenset(
    [
        *(("NBD", other) for other in ("BGNBD", "MBGNBD", "GGompertzNBD", "BGCNBDk", "MBGCNBDk")),
        ("BGNBD", "BGCNBDk"),
        ("MBGNBD", "MBGCNBDk"),
    ]
)


def likelihood_ratio_tests(models: Mapping[str, Any]) -> pd.DataFrame:
    """Test every model against those in the mapping that contain it.

    Parameters
    ----------
    models : Mapping of str to estimator
        Fitted to the same customers, by maximum likelihood.

    Returns
    -------
    DataFrame
        test, model (the smaller), against (the larger), statistic (twice the difference of log-likelihoods),
        df, p_value (of a statistic as large if the smaller one were true), meaning (a sentence). One row a
        nested pair; p_value is NaN where a fit was penalised, to which the theory does not apply.

    Notes
    -----
    Nested are: a family without some of the covariates of the same family with them, one degree of freedom
    for each covariate left out; SBG in BDW (c = 1). At the edge of the larger family lie NBD in Pareto/NBD
    (s -> 0) and Pareto/NBD in Gamma-Gompertz/NBD (b -> 0): the statistic is then 0 half of the time, and p is
    half the tail of chi-squared with one degree of freedom. For NBD it is a lower bound, since beta is
    determined by nothing at s = 0. NBD is a limit of (M)BG/NBD too, along which two parameters run away:
    there is no test of that, compare AIC.

    References
    ----------
    Self, S. G. and Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood estimators and likelihood
    ratio tests under nonstandard conditions. Journal of the American Statistical Association 82, 605-610.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> models = {"plain": hb.BGNBD().fit(X), "moved": hb.BGNBD(rate_covariates=["spend_first"]).fit(X)}
    >>> test = likelihood_ratio_tests(models).iloc[0]
    >>> test["model"], test["against"], int(test["df"])
    ('plain', 'moved', 1)
    """
    rows = [
        _ratio_test(smaller, larger, models[smaller], models[larger])
        for smaller, larger in permutations(models, 2)
        if _df(models[smaller], models[larger]) > 0
    ]
    return pd.DataFrame(rows, columns=list(TEST_COLUMNS))


def vuong_tests(
    models: Mapping[str, Any],
    log_likelihoods: Mapping[str, FloatArray],
    best: str,
    *,
    weights: FloatArray | None = None,
) -> pd.DataFrame:
    """Test the best model against each other that neither contains it nor is contained in it.

    Parameters
    ----------
    models : Mapping of str to estimator
        Fitted to the same customers.
    log_likelihoods : Mapping of str to ndarray of shape (n_customers,)
        For each model, or those that tell it, its log-likelihood customer by customer.
    best : str
        Name of the model to test.
    weights : ndarray of shape (n_customers,), optional
        Customers that each row stands for; one each where left out.

    Returns
    -------
    DataFrame
        test, model (the best), against, statistic (standard normal if both are equally near the truth;
        positive speaks for the best), df (NaN), p_value (two-sided), meaning (a sentence).

    Notes
    -----
    The difference of log-likelihoods, less that of the numbers of parameters as in AIC, over the square root
    of n times the standard deviation of the customers' differences. Pairs of which one is a limit of the
    other (NBD and (M)BG/NBD), or the other at k = 1, are left out: the theory does not hold for them.

    References
    ----------
    Vuong, Q. H. (1989). Likelihood ratio tests for model selection and non-nested hypotheses. Econometrica
    57, 307-333.

    Examples
    --------
    >>> vuong_tests({}, {}, "BGNBD").empty
    True
    """
    rows = [
        row
        for other in log_likelihoods
        if best in log_likelihoods and _apart(models[best], models[other])
        for row in [_vuong(best, other, models, log_likelihoods, weights)]
        if row is not None
    ]
    return pd.DataFrame(rows, columns=list(TEST_COLUMNS))


def n_parameters(model: Any) -> int:
    """Return how many numbers a fit chose; k counts where it was chosen.

    Parameters
    ----------
    model : estimator
        Fitted.
    """
    return len(model.covariance_) + int(hasattr(model, "k_") and model.k is None)


def _ratio_test(smaller: str, larger: str, small: Any, large: Any) -> dict[str, object]:
    df = _df(small, large)
    statistic = max(2.0 * (float(large.loglik_) - float(small.loglik_)), 0.0)
    boundary = _at_boundary(small, large)
    p_value = float(chi2.sf(statistic, df))
    if boundary is not None:
        p_value = p_value / 2.0 if statistic > 0.0 else 1.0
    if _is_penalised(small) or _is_penalised(large):
        p_value, meaning = np.nan, "No test: a penalised fit is not the likelihood's maximum."
    elif p_value < _CHANCE:
        meaning = f"{larger} fits better than chance explains."
    else:
        meaning = f"What {larger} adds to {smaller} may be chance."
    if boundary is not None:
        meaning += f" At the boundary ({boundary.what})."
    return dict(
        zip(TEST_COLUMNS, ("likelihood ratio", smaller, larger, statistic, df, p_value, meaning), strict=True)
    )


def _vuong(
    best: str,
    other: str,
    models: Mapping[str, Any],
    log_likelihoods: Mapping[str, FloatArray],
    weights: FloatArray | None,
) -> dict[str, object] | None:
    """Return one test; None where both fits are the same, so that there is nothing to test."""
    one, another = log_likelihoods[best], log_likelihoods[other]
    w = np.ones(one.size) if weights is None else weights
    n, difference = w.sum(), one - another
    mean = w @ difference / n
    spread = np.sqrt(w @ (difference - mean) ** 2 / n)
    if spread <= _SAME * max(1.0, float(np.abs(one).max())):
        return None
    extra = n_parameters(models[best]) - n_parameters(models[other])
    z = float((n * mean - extra) / (np.sqrt(n) * spread))
    p_value = float(2.0 * norm.sf(abs(z)))
    nearer = best if z > 0.0 else other
    meaning = (
        f"{nearer} is nearer to the data than chance explains."
        if p_value < _CHANCE
        else f"{best} and {other} are equally near to the data, as far as these customers tell."
    )
    return dict(zip(TEST_COLUMNS, ("Vuong", best, other, z, np.nan, p_value, meaning), strict=True))


def _df(small: Any, large: Any) -> int:
    """Return how many parameters a model holds fixed of a larger one; 0 where it is not contained in it."""
    if type(small) is type(large):
        if getattr(small, "k", None) != getattr(large, "k", None):
            return 0
        fewer, more = _covariates(small), _covariates(large)
        return len(more - fewer) if fewer < more else 0
    return int(_restriction(small, large) is not None and not _covariates(small) | _covariates(large))


def _restriction(small: Any, large: Any) -> _Restriction | None:
    families = (_name(small), _name(large))
    return next((one for one in _RESTRICTIONS if (one.smaller, one.larger) == families), None)


def _at_boundary(small: Any, large: Any) -> _Restriction | None:
    found = _restriction(small, large)
    return found if found is not None and found.at_boundary else None


def _apart(one: Any, other: Any) -> bool:
    """Tell whether Vuong's theory holds: neither model is the other, contains it or ends in it."""
    families = (_name(one), _name(other))
    if {families, families[::-1]} & _LIMITS or _restriction(one, other) or _restriction(other, one):
        return False
    if type(one) is not type(other):
        return True
    fewer, more = _covariates(one), _covariates(other)
    return not (fewer <= more or more <= fewer)


def _name(model: Any) -> str:
    return type(model).__name__


def _covariates(model: Any) -> set[tuple[str, str]]:
    """Return the covariates of a model, each with what it moves."""
    kinds = [name for name in model.get_params(deep=False) if name.endswith("_covariates")]
    return {(kind, column) for kind in kinds for column in getattr(model, kind) or ()}


def _is_penalised(model: Any) -> bool:
    return any(getattr(model, name, 0.0) for name in ("penalizer", "covariate_penalizer"))
