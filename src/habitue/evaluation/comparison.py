"""Which purchase model for these customers: all families side by side, in sample and on the holdout.

`compare` fits every family to the same customers and sets likelihood, information criteria, log scores of the
future and their intervals next to each other; where one family cannot be fitted it says why and goes on. It
says plainly where differences are within noise. What a business should do with a model is another question:
:func:`habitue.evaluation.backtest` tests models at several cutoffs, against baselines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone

from habitue.errors import FitError, SettingsError
from habitue.evaluation.comparison_words import as_html, as_text, findings
from habitue.evaluation.holdout import HOLDOUT_COLUMNS, judge_holdout, purchase_log_scores
from habitue.evaluation.likelihood_tests import likelihood_ratio_tests, n_parameters, vuong_tests
from habitue.models.bgcnbdk import BGCNBDk
from habitue.models.bgnbd import BGNBD
from habitue.models.ggompertz_nbd import GGompertzNBD
from habitue.models.mbgcnbdk import MBGCNBDk
from habitue.models.mbgnbd import MBGNBD
from habitue.models.nbd import NBD
from habitue.models.pareto_nbd import ParetoNBD
from habitue.models.regular_purchases import GAPS
from habitue.snapshots import Snapshot
from habitue.vocabulary import one_or_many

__all__ = ["PURCHASE_FAMILIES", "Comparison", "compare"]

FloatArray = npt.NDArray[np.float64]

PURCHASE_FAMILIES: Mapping[str, BaseEstimator] = MappingProxyType(
    {model.__name__: model() for model in (NBD, BGNBD, MBGNBD, BGCNBDk, MBGCNBDk, ParetoNBD, GGompertzNBD)}
)
"""What `compare` fits where no models are named."""

_AS_WITHOUT_K = ", chance: the same model as the family without k"
_SAME_SUM = 1e-6  # relative; whether customers' log-likelihoods are those that loglik_ sums


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Models side by side; shows itself as tables and sentences.

    Attributes
    ----------
    table : DataFrame
        One row a model, lowest AIC first, those that could not be fitted last. In sample: n_params, loglik
        (with time in days), aic, bic, delta_aic (over the lowest), akaike_weight, condition_number. Ahead:
        expected_purchases (sum within the horizon). On the holdout: log_score (mean log probability of a
        customer's actual number of purchases), behind_best (that less the best model's), bias (purchases
        expected over made, less 1), each with ``_lower`` and ``_upper``; mae, mae_over_zero (over that of
        predicting zero for all), rmse. NaN where unknown. note: what to know, or why there is no fit.
    tests : DataFrame
        Likelihood-ratio tests of nested pairs, and Vuong's test of the model with the lowest AIC against each
        that is not: test, model, against, statistic, df, p_value, meaning.
    models : Mapping of str to estimator
        The fitted ones.
    left_out : Mapping of str to str
        Default families that were not tried, and why.
    n_customers : float
        Customers, weights counted.
    horizon : float or None
        Days ahead, None where no horizon was given.
    confidence : float
        Of the intervals.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    models: Mapping[str, Any]
    left_out: Mapping[str, str]
    n_customers: float
    horizon: float | None
    confidence: float

    @property
    def findings(self) -> tuple[str, ...]:
        """What the tables say, in sentences."""
        return findings(self.table, confidence=self.confidence)

    def __str__(self) -> str:
        """Write sentences, tables and notes as plain text."""
        return as_text(self._heading, self.findings, self.table, self.tests, self.left_out)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return as_html(self._heading, self.findings, self.table, self.tests, self.left_out)

    @property
    def _heading(self) -> str:
        ahead = "" if self.horizon is None else f", {one_or_many(self.horizon, 'day')} ahead"
        models, customers = one_or_many(len(self.table), "model"), one_or_many(self.n_customers, "customer")
        return f"{models}, {customers}{ahead}"


def compare(
    data: Snapshot | pd.DataFrame | npt.ArrayLike,
    models: Mapping[str, BaseEstimator] | Sequence[BaseEstimator] | None = None,
    *,
    horizon: float | None = None,
    sample_weight: npt.ArrayLike | None = None,
    n_replicates: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.Generator = 0,
) -> Comparison:
    """Fit several models to the same customers and set them side by side.

    Parameters
    ----------
    data : Snapshot, or DataFrame or ndarray of shape (n_customers, n_features)
        Customers of one cutoff. A snapshot whose future is known is also judged by it.
    models : mapping from name, or sequence, of unfitted estimators, optional
        Purchase models; `PURCHASE_FAMILIES` where left out.
    horizon : float, optional
        Days ahead. A snapshot has its own; a table has no known future, but expected purchases are told.
    sample_weight : array_like of shape (n_customers,), optional
        Customers that each row stands for.
    n_replicates : int, default 1000
        Bootstrap draws of the customers.
    confidence : float, default 0.95
        Of the intervals, in (0, 1).
    random_state : int or numpy.random.Generator, default 0
        Seed.

    Returns
    -------
    Comparison
        Tables, tests, fitted models and sentences.

    Raises
    ------
    DataError
        If the customers' histories are impossible, or columns are missing that a named model reads.
    SettingsError
        If there is no model, names are not unique, or a number is out of range.

    Notes
    -----
    Log-likelihoods of all purchase families are densities of the same thing, the days of the purchases, so
    they and AIC can be compared: AIC = 2 n_params - 2 loglik, BIC with log(n_customers) for the 2. k of the
    families of regular buyers counts as a parameter where it is chosen. Penalised fits have a lower
    likelihood by design. A family of regular buyers with k = 1 is the family without k: it adds no choice,
    and its Akaike weight is that model's, counted twice.

    A model that has no inner maximum on these customers stays in the table with the reason.

    References
    ----------
    Burnham, K. P. and Anderson, D. R. (2004). Multimodel inference: understanding AIC and BIC in model
    selection. Sociological Methods & Research 33, 261-304.

    Gneiting, T. and Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. Journal
    of the American Statistical Association 102, 359-378.

    Examples
    --------
    >>> import habitue as hb
    >>> snapshot = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273))
    >>> compared = compare(snapshot, [BGNBD(), NBD()], n_replicates=100)
    >>> compared.table[["n_params", "delta_aic", "log_score"]].round(3).rename_axis(None)
           n_params  delta_aic  log_score
    BGNBD         4      0.000     -0.984
    NBD           2    358.457     -1.064
    """
    _check_numbers(horizon, n_replicates, confidence)
    snapshot = data if isinstance(data, Snapshot) else None
    X: Any = data if snapshot is None else snapshot.X
    days = _days(data, horizon)
    named, left_out = _chosen(models, X)
    fitted, failed = _fit_all(named, X, sample_weight)
    weights = _weights(sample_weight, X)
    table = _in_sample(fitted, float(weights.sum()))
    expected = {} if days is None else {name: _expected(one, X, days) for name, one in fitted.items()}
    table["expected_purchases"] = pd.Series({name: values @ weights for name, values in expected.items()})
    ahead = pd.DataFrame(index=table.index, columns=list(HOLDOUT_COLUMNS), dtype="float64")
    if snapshot is not None and snapshot.y is not None and days is not None:
        able = {name: fitted[name] for name in table.index if hasattr(fitted[name], "purchase_pmf")}
        counts = snapshot.y["n_purchases"].to_numpy()
        ahead = judge_holdout(
            {name: purchase_log_scores(one, X, counts, horizon=days) for name, one in able.items()},
            {name: expected[name] for name in able},
            counts,
            weights=weights,
            n_replicates=n_replicates,
            confidence=confidence,
            random_state=random_state,
        )
    return Comparison(
        _finished(table.join(ahead), fitted, failed),
        _tests(fitted, X, weights, table),
        MappingProxyType(fitted),
        MappingProxyType(left_out),
        float(weights.sum()),
        days,
        confidence,
    )


def _check_numbers(horizon: float | None, n_replicates: int, confidence: float) -> None:
    if horizon is not None and not horizon > 0:
        raise SettingsError(f"horizon must be a number of days above 0; got {horizon!r}.")
    if n_replicates < 1:
        raise SettingsError(f"n_replicates must be at least 1; got {n_replicates!r}.")
    if not 0.0 < confidence < 1.0:
        raise SettingsError(f"confidence must lie between 0 and 1, e.g. 0.95; got {confidence!r}.")


def _days(data: object, horizon: float | None) -> float | None:
    """Return the days ahead: a snapshot's own, which no other may contradict."""
    if not isinstance(data, Snapshot):
        return None if horizon is None else float(horizon)
    if horizon is not None and horizon != data.window.horizon:
        raise SettingsError(
            f"The snapshot knows what happened within {one_or_many(data.window.horizon, 'day')}, not within "
            f"{horizon:g}: leave horizon out, or take a snapshot with that horizon."
        )
    return float(data.window.horizon)


def _chosen(
    models: Mapping[str, BaseEstimator] | Sequence[BaseEstimator] | None, X: Any
) -> tuple[dict[str, BaseEstimator], dict[str, str]]:
    """Return the models to fit by name, and the default ones that the customers' columns do not allow."""
    if models is None:
        has_gaps = isinstance(X, pd.DataFrame) and GAPS in X.columns
        without = [] if has_gaps else [name for name in PURCHASE_FAMILIES if name.endswith("CNBDk")]
        why = f"needs the column {GAPS}, which a snapshot has"
        kept = {name: model for name, model in PURCHASE_FAMILIES.items() if name not in without}
        return kept, dict.fromkeys(without, why)
    if isinstance(models, str | BaseEstimator):
        raise SettingsError(f"Models come as a list, or a mapping from name to model; got {models!r}.")
    named = dict(models) if isinstance(models, Mapping) else {type(model).__name__: model for model in models}
    if not named:
        raise SettingsError("There is no model to compare: name at least one.")
    if len(named) < len(models):
        raise SettingsError("Two models are of one class: give them as a mapping from name to model.")
    return named, {}


def _fit_all(
    named: Mapping[str, BaseEstimator], X: Any, sample_weight: npt.ArrayLike | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return copies fitted to the customers, and why others could not be."""
    weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
    fitted: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for name, model in named.items():
        ready: Any = clone(model)
        try:
            fitted[name] = ready.fit(X, **weighted)
        except FitError as error:
            failed[name] = str(error)
    return fitted, failed


def _weights(sample_weight: npt.ArrayLike | None, X: Any) -> FloatArray:
    return np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)


def _expected(model: Any, X: Any, days: float) -> FloatArray:
    """Return expected purchases, customer by customer; NaN where the model tells of none."""
    if not hasattr(model, "expected_purchases"):
        return np.full(len(X), np.nan)
    return np.asarray(model.expected_purchases(X, horizon=days), dtype=np.float64)


def _in_sample(fitted: Mapping[str, Any], n_customers: float) -> pd.DataFrame:
    """Return likelihoods and criteria, lowest AIC first."""
    rows = {
        name: {
            "n_params": n_parameters(model),
            "loglik": float(model.loglik_),
            "condition_number": float(getattr(model, "condition_number_", np.nan)),
        }
        for name, model in fitted.items()
    }
    columns = ["n_params", "loglik", "condition_number"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index.name = "model"
    aic = 2.0 * table["n_params"] - 2.0 * table["loglik"]
    delta = aic - aic.min()
    weight = np.exp(-delta / 2.0)
    table.insert(2, "aic", aic)
    table.insert(3, "bic", np.log(n_customers) * table["n_params"] - 2.0 * table["loglik"])
    table.insert(4, "delta_aic", delta)
    table.insert(5, "akaike_weight", weight / weight.sum())
    return table.sort_values("aic", kind="stable")


def _finished(table: pd.DataFrame, fitted: Mapping[str, Any], failed: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with notes, and with a row for each model that could not be fitted."""
    notes = {**{name: _note(model) for name, model in fitted.items()}, **failed}
    whole = table.reindex([*table.index, *failed]).rename_axis("model")
    whole["n_params"] = whole["n_params"].astype("Int64")
    return whole.assign(note=pd.Series(notes, dtype="str"))


def _note(model: Any) -> str:
    """Return what there is to know of a fit."""
    told = [f"k = {model.k_}" + _AS_WITHOUT_K * (model.k_ == 1)] if hasattr(model, "k_") else []
    if advice := getattr(model, "advice_", ""):
        told.append(advice)
    return "; ".join(told)


def _tests(fitted: Mapping[str, Any], X: Any, weights: FloatArray, table: pd.DataFrame) -> pd.DataFrame:
    """Return tests of nested pairs, then of the best against those that are not nested with it."""
    usable = {name: model for name, model in fitted.items() if np.isfinite(model.loglik_)}
    nested = likelihood_ratio_tests(usable)
    if not usable:
        return nested
    densities = {name: values for name, model in usable.items() for values in _densities(model, X, weights)}
    apart = vuong_tests(usable, densities, str(table["aic"].idxmin()), weights=weights)
    parts = [part for part in (nested, apart) if not part.empty]
    return pd.concat(parts, ignore_index=True) if parts else nested


def _densities(model: Any, X: Any, weights: FloatArray) -> list[FloatArray]:
    """Return the customers' log-likelihoods, or nothing where a model does not tell those it summed."""
    if not hasattr(model, "log_likelihood"):
        return []
    values = np.asarray(model.log_likelihood(X), dtype=np.float64)
    return [values] if np.isclose(values @ weights, model.loglik_, rtol=_SAME_SUM, atol=0.0) else []
