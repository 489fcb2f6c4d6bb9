"""Models that were fitted with the package lifetimes, taken over: the same parameters, our answers.

For whoever changes over and has fitters in memory or in files: nothing need be fitted again, and where
lifetimes answers rightly the answers stay as they are. lifetimes is not imported here; a fitter that is
handed in has brought it along.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError
from habitue.models.bgbb import BGBB
from habitue.models.bgnbd import BGNBD
from habitue.models.distinct_rows import Distinct, distinct_rows
from habitue.models.fitting import Fitted, fitted_at
from habitue.models.gamma_gamma import GammaGamma
from habitue.models.likelihood import Family, Likelihood, no_design
from habitue.models.maximum_likelihood import Maximum, check_setting
from habitue.models.mbgnbd import MBGNBD
from habitue.models.parameter_draws import PosteriorRequest
from habitue.models.pareto_nbd import ParetoNBD

__all__ = ["from_lifetimes"]

FloatArray = npt.NDArray[np.float64]

Counterpart: TypeAlias = BGNBD | MBGNBD | ParetoNBD | GammaGamma | BGBB

_COUNTERPARTS: MappingProxyType[str, type[Counterpart]] = MappingProxyType(
    {
        "BetaGeoFitter": BGNBD,
        "ModifiedBetaGeoFitter": MBGNBD,
        "ParetoNBDFitter": ParetoNBD,
        "GammaGammaFitter": GammaGamma,
        "BetaGeoBetaBinomFitter": BGBB,
    }
)
_COLUMNS: MappingProxyType[type, tuple[str, ...]] = MappingProxyType(
    {GammaGamma: ("frequency", "monetary_value"), BGBB: ("frequency", "recency", "n_periods")}
)


def from_lifetimes(fitter: object, *, unit_days: float = 1.0) -> Counterpart:
    """Return the fitted estimator that has the parameters of a fitted model of lifetimes.

    Parameters
    ----------
    fitter : BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, GammaGammaFitter or BetaGeoBetaBinomFitter
        Of the package lifetimes, fitted.
    unit_days : float, default 1.0
        Days in the unit of time that it was fitted with: 1 for ``freq="D"``, 7 for weeks. Not used for
        GammaGammaFitter, which knows no time, and BetaGeoBetaBinomFitter, which counts opportunities.

    Returns
    -------
    BGNBD, MBGNBD, ParetoNBD, GammaGamma or BGBB
        Fitted, with times in days. It answers, is stored and scores like one fitted here.

    Raises
    ------
    DataError
        If this is no fitter of lifetimes that has a counterpart, it was not fitted, or its parameters
        are impossible (q <= 1 of a GammaGammaFitter: its mean amount over customers does not exist).
    SettingsError
        If unit_days is no number above 0.

    Notes
    -----
    A fitter carries its customers along unless they were left out when it was saved. With them, everything
    else that `fit` tells (standard errors, covariance, log-likelihood, gradient norm) is computed by the
    exact formulas at its parameters, without penalty: a large ``gradient_norm_`` says that lifetimes stopped
    early, or was held back by its ``penalizer_coef``. Standard errors are NaN where the likelihood does not
    bend down there.

    Without them, ``standard_errors_`` are those of lifetimes, whose ParetoNBDFitter has none (NaN), and the
    rest of ``covariance_``, ``loglik_`` and ``gradient_norm_`` is NaN, ``condition_number_`` infinite and
    ``n_histories_`` 0. Either way ``n_iter_`` is 0, ``posterior_`` None and ``correlation_`` of a GammaGamma
    NaN: fit again to know them.

    A ParetoNBDFitter that saw customers with frequency 132 or more has parameters found from NaN: fit
    `ParetoNBD` instead.

    Examples
    --------
    >>> from_lifetimes("BetaGeoFitter")
    Traceback (most recent call last):
    habitue.errors.DataError: expected a fitter of lifetimes, one of BetaGeoFitter, ModifiedBetaGeoFitter, ...
    """
    check_setting("unit_days", unit_days, above=0)
    name = _name_of(fitter)
    model = _COUNTERPARTS[name]()
    # One a class, and nowhere else: what the estimator itself hands to its search.
    family: Family = model._FAMILY  # pyright: ignore[reportPrivateUsage]
    unit = 1.0 if isinstance(model, GammaGamma | BGBB) else unit_days
    scales = unit ** np.array(family.coordinates.unit_powers, dtype=np.float64)
    natural = _parameters(fitter, name, family) * scales
    customers = _customers(fitter, model, unit)
    if customers is None:
        fitted = _known_by_lifetimes(family, natural, _own_errors(fitter, family) * scales)
    else:
        fitted = fitted_at(family, customers, natural)
    model._keep(fitted, PosteriorRequest(0, None, None))  # pyright: ignore[reportPrivateUsage]
    if isinstance(model, GammaGamma):
        model.correlation_, model.n_left_out_ = math.nan, 0
    return model


def _name_of(fitter: object) -> str:
    """Return the name of the nearest class of lifetimes that a fitter is of."""
    for cls in type(fitter).__mro__:
        if cls.__module__.split(".")[0] == "lifetimes" and cls.__name__ in _COUNTERPARTS:
            return cls.__name__
    raise DataError(
        f"expected a fitter of lifetimes, one of {', '.join(_COUNTERPARTS)}; got {type(fitter).__module__}."
        f"{type(fitter).__qualname__}"
    )


def _parameters(fitter: Any, name: str, family: Family) -> FloatArray:
    """Return its parameters in our order, in its unit."""
    if not hasattr(fitter, "params_"):
        raise DataError(
            f"expected a fitted {name}; this one has no parameters yet. Call its fit, or fit "
            f"{_COUNTERPARTS[name].__name__} directly"
        )
    there = fitter.params_
    natural = np.array([float(there[field]) for field in family.coordinates.names])
    floors = np.array(family.coordinates.floors or (0.0,) * natural.size)
    if not (np.isfinite(natural) & (natural > floors)).all():
        found = zip(family.coordinates.names, natural, strict=True)
        limits = zip(family.coordinates.names, floors, strict=True)
        raise DataError(
            f"expected {', '.join(f'{field} > {floor:g}' for field, floor in limits)} of the {name}; got "
            f"{', '.join(f'{field}={value:.4g}' for field, value in found)}. Its answers mean nothing: fit "
            f"{_COUNTERPARTS[name].__name__} to the customers"
        )
    return natural


def _customers(fitter: Any, model: Counterpart, unit: float) -> Distinct | None:
    """Return the customers that it was fitted to, None where it has left them out."""
    names = _COLUMNS.get(type(model), ("frequency", "recency", "T"))
    data = getattr(fitter, "data", None)
    if not isinstance(data, pd.DataFrame) or not {*names, "weights"} <= set(data.columns):
        return None
    rows = data[list(names)].to_numpy(dtype=np.float64, copy=True)
    rows[:, 1:] *= unit
    return distinct_rows(rows, data["weights"].to_numpy(dtype=np.float64))


def _own_errors(fitter: Any, family: Family) -> FloatArray:
    """Return the standard errors that it has, NaN where it has none."""
    errors = getattr(fitter, "standard_errors_", {})
    return np.array([float(errors.get(field, math.nan)) for field in family.coordinates.names])


def _known_by_lifetimes(family: Family, natural: FloatArray, errors: FloatArray) -> Fitted:
    """Return what is known where the customers are not: the parameters and their own errors."""
    n = natural.size
    off_diagonal = np.where(np.eye(n, dtype=np.bool_), 0.0, math.nan)
    shape = (0, 2 if family.scaled == (1,) else 3)
    return Fitted(
        params=family.make(*natural.tolist()),
        standard_errors=family.make(*errors.tolist()),
        covariance=np.diag(np.square(errors)) + off_diagonal,
        effects={kind: {} for kind in family.moved},
        effect_errors={kind: {} for kind in family.moved},
        loglik=math.nan,
        maximum=Maximum(family.coordinates.unconstrained(natural), 0, math.nan, np.zeros((n, n))),
        ridge=(),
        likelihood=Likelihood(family, np.empty(shape), np.empty(0), no_design(0), np.zeros(n)),
        unit=1.0,
        spreads=np.empty(0),
        n_customers=0.0,
    )
