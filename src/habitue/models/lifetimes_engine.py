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

import numpy as np
import pandas as pd

from habitue.errors import ConvergenceError
from habitue.models.distinct_rows import Distinct
from habitue.models.fitting import Fitted, fitted_at
from habitue.models.likelihood import Family

__all__ = ["fit_bgnbd_by_lifetimes"]


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
