"""The search done by the package lifetimes: for whoever must show that both find the same.

The only module that imports lifetimes, when it is first asked for. What that package does to the rest of the
program (it silences warnings, prints, and changes an option of pandas) is undone here. Its search stops
early and its covariances are wrong off the diagonal, so only the parameters are its own: how good they are,
how far from the best, and how sure, is computed by our formulas at the point where it stopped.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Generator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import ConvergenceError
from habitue.models.fitting import Fitted
from habitue.models.likelihood import Family, Likelihood, no_design
from habitue.models.maximum_likelihood import Maximum
from habitue.models.purchase_history import Distinct

__all__ = ["fit_bgnbd_by_lifetimes", "fitted_at"]

FloatArray = npt.NDArray[np.float64]

_RIDGE_FROM = 1e5  # condition number; as where we search ourselves
_TAKES_PART = 0.3


def fit_bgnbd_by_lifetimes(family: Family, customers: Distinct, *, max_iter: int) -> Fitted:
    """Return the BG/NBD parameters that lifetimes finds, with what our formulas say of them.

    Parameters
    ----------
    family : Family
        BG/NBD.
    customers : Distinct
        Distinct frequency, recency, T (days), and how many customers have each.
    max_iter : int
        Steps allowed.

    Returns
    -------
    Fitted
        As of a search of our own; its gradient norm says how early lifetimes stopped.

    Raises
    ------
    ConvergenceError
        If lifetimes finds nothing, or where it stopped is no maximum.

    Examples
    --------
    >>> import habitue as hb
    >>> X = hb.take_snapshot(hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)).X
    >>> model = hb.BGNBD(engine="lifetimes").fit(X)
    >>> round(model.params_.r, 3), model.gradient_norm_ < 1e-4, model.gradient_norm_ < 1e-8
    (0.243, True, False)
    """
    with _contained():
        import lifetimes

        try:
            fitter = lifetimes.BetaGeoFitter()
            fitter.fit(*customers.rows.T, weights=customers.counts, maxiter=max_iter)
        except ValueError as error:  # its own ConvergenceError is one
            raise _gave_up(" ".join(str(error).split()), max_iter) from error
    fitted = fitted_at(family, customers, fitter.params_.to_numpy(dtype=np.float64))
    if not np.isfinite(fitted.covariance).all():
        raise _gave_up(
            "where it stopped the likelihood is flat or a saddle",
            max_iter,
            gradient_norm=fitted.maximum.gradient_norm,
            params=fitted.params._asdict(),
        )
    return fitted


def fitted_at(family: Family, customers: Distinct, natural: FloatArray) -> Fitted:
    """Return what a search would tell that ended at given parameters, whoever found them.

    Parameters
    ----------
    family : Family
        Which.
    customers : Distinct
        Distinct rows of the columns of the family's formulas, without covariates.
    natural : ndarray of shape (n_parameters,)
        Parameters, times in days and money in the customers' currency.

    Returns
    -------
    Fitted
        Its gradient norm is that of the likelihood without penalty. Where the likelihood does not bend down
        in every direction, covariance and standard errors are NaN.

    Examples
    --------
    >>> from habitue.models import NBD
    >>> rows = np.array([[0.0, 0.0, 90.0], [3.0, 40.0, 90.0], [1.0, 9.0, 80.0]])
    >>> found = fitted_at(NBD._FAMILY, Distinct(rows, np.array([60.0, 10.0, 30.0])), np.array([0.8, 80.0]))
    >>> found.maximum.gradient_norm > 1e-3  # far from the best
    True
    """
    coordinates, n_customers = family.coordinates, float(customers.counts.sum())
    rows = customers.rows.copy()
    unit = float(customers.counts @ rows[:, family.scaled[-1]]) / n_customers if family.scaled else 1.0
    rows[:, family.scaled] /= unit
    shares, design = customers.counts / n_customers, no_design(len(rows))
    likelihood = Likelihood(family, rows, shares, design, np.zeros(natural.size))
    theta = coordinates.unconstrained(natural, unit)
    here = likelihood(theta)
    end = Maximum(theta, 0, float(np.abs(here.gradient).max()), -here.hessian)
    bends_down = bool(np.linalg.eigvalsh(end.information)[0] > 0.0)
    jacobian = coordinates.jacobian(natural)
    covariance = end.covariance(jacobian, n_customers) if bends_down else np.full_like(jacobian, np.nan)
    as_came = replace(likelihood, rows=customers.rows)
    return Fitted(
        params=family.make(*natural.tolist()),
        standard_errors=family.make(*np.sqrt(np.diag(covariance)).tolist()),
        covariance=covariance,
        effects={kind: {} for kind in family.moved},
        effect_errors={kind: {} for kind in family.moved},
        loglik=n_customers * float(as_came.log_likelihoods(coordinates.unconstrained(natural)[None, :])[0]),
        maximum=end,
        ridge=_ridge(end, coordinates.names),
        likelihood=likelihood,
        unit=unit,
        spreads=np.empty(0),
        n_customers=n_customers,
    )


def _ridge(end: Maximum, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parameters along the flattest direction where it is a ridge."""
    if end.condition_number < _RIDGE_FROM:
        return ()
    flattest = np.linalg.eigh(end.information)[1][:, 0]
    return tuple(name for name, part in zip(names, flattest, strict=True) if abs(part) > _TAKES_PART)


@contextlib.contextmanager
def _contained() -> Generator[None]:
    """Undo what lifetimes does to others, at import and at every evaluation."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        option = "mode.chained_assignment"
        before = pd.get_option(option)
        try:
            yield
        finally:
            pd.set_option(option, before)


def _gave_up(
    reason: str, max_iter: int, *, gradient_norm: float = math.nan, params: dict[str, float] | None = None
) -> ConvergenceError:
    """Return the error of a search that found nothing."""
    return ConvergenceError(
        f"expected the search of lifetimes to end at a best fit within {max_iter} steps; it did not: "
        f"{reason}. Use engine='habitue', whose search follows the exact curvature",
        iterations=max_iter,
        gradient_norm=gradient_norm,
        params=params or {},
    )
