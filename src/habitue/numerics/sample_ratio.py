"""Whether as many customers came out in each arm as were meant to: where not, something lost some of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy
from scipy.stats import chi2

__all__ = ["sample_ratio_p", "sequential_sample_ratio_p"]


def sample_ratio_p(counts: npt.ArrayLike, shares: npt.ArrayLike) -> float:
    """Return the p-value of the chi-square test that arms are as large as was meant.

    Parameters
    ----------
    counts : array_like of shape (k,)
        Customers in each arm.
    shares : array_like of shape (k,)
        What was meant, above 0, with sum 1.

    Returns
    -------
    float
        In [0, 1]; below 0.001 something is broken, and no effect is to be believed.

    References
    ----------
    Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    Examples
    --------
    >>> round(sample_ratio_p([821_588, 815_482], [0.5, 0.5]), 8)
    1.82e-06
    """
    found, meant = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    expected = found.sum() * meant
    return float(chi2.sf(((found - expected) ** 2 / expected).sum(), found.size - 1))


def sequential_sample_ratio_p(
    counts: npt.ArrayLike, shares: npt.ArrayLike, *, concentration: float = 1000.0
) -> float:
    """Return a p-value of the same that may be looked at after every customer.

    Parameters
    ----------
    counts : array_like of shape (k,)
        Customers in each arm so far.
    shares : array_like of shape (k,)
        What was meant, above 0, with sum 1.
    concentration : float
        How near to what was meant a fault is looked for: the larger, the nearer.

    Returns
    -------
    float
        In (0, 1]. If nothing is broken, the chance that it ever falls to a rate is at most that rate.

    Notes
    -----
    One over the Bayes factor of shares drawn from a Dirichlet distribution around those meant, with alpha =
    concentration times shares, against the shares themselves.

    References
    ----------
    Lindon and Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS.

    Examples
    --------
    >>> sequential_sample_ratio_p([821_588, 815_482], [0.5, 0.5]) < 0.001
    True
    """
    found, meant = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    alpha = concentration * meant
    log_factor = (
        gammaln(alpha.sum())
        - gammaln(alpha.sum() + found.sum())
        + (gammaln(alpha + found) - gammaln(alpha) - xlogy(found, meant)).sum()
    )
    return float(np.exp(min(0.0, -log_factor)))
