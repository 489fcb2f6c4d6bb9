"""What a metric is without an offer: what an experiment is planned with.

It is taken from the log's own past, skewed as it is: zeros and large customers count as they come, since what
is to be found is money, not its logarithm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from habitue.errors import DataError, SettingsError
from habitue.numerics.adjusted_means import adjusted_means

__all__ = ["Baseline"]


@dataclass(frozen=True)
class Baseline:
    """What a metric is without an offer, and how much of it is known beforehand.

    Attributes
    ----------
    name : str
        Such as "spend" or "retained".
    mean, sd : float
        Of one customer within the horizon.
    is_share : bool
        Whether it is 0 or 1.
    explained : float, default 0
        Share of the variance that is known from before, in [0, 1): rho^2 of CUPED.
    cap : float, optional
        Amount at which each customer is cut off; all that they spend counts where None.
    n : int, default 0
        Customers that it was learned from.

    Examples
    --------
    >>> Baseline.of_share("retained", 0.6).sd.__round__(4)
    0.4899
    """

    name: str
    mean: float
    sd: float
    is_share: bool = False
    explained: float = 0.0
    cap: float | None = None
    n: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not (math.isfinite(self.mean) and 0.0 < self.sd < math.inf):
            raise DataError(
                f"{self.name} must vary between customers to be measured; its mean is {self.mean:.6g} and "
                f"its standard deviation {self.sd:.6g}. Choose another metric or a longer horizon."
            )
        if not 0.0 <= self.explained < 1.0:
            raise SettingsError(f"explained must lie between 0 and 1; got {self.explained!r}.")

    @classmethod
    def of_share(cls, name: str, share: float, *, explained: float = 0.0) -> Baseline:
        """Make one of a share that is known, such as a retention rate.

        Parameters
        ----------
        name : str
            Its name.
        share : float
            In (0, 1).
        explained : float, default 0
            As the attribute.

        Raises
        ------
        SettingsError
            Where the share is out of range.
        """
        if not 0.0 < share < 1.0:
            raise SettingsError(
                f"The share of {name} must lie between 0 and 1, such as 0.6 for 60 %; got {share!r}."
            )
        return cls(name, share, math.sqrt(share * (1.0 - share)), is_share=True, explained=explained)

    @classmethod
    def of_history(
        cls,
        name: str,
        values: npt.ArrayLike,
        *,
        before: npt.ArrayLike | None = None,
        cap: float | None = None,
    ) -> Baseline:
        """Learn it from customers to whom nothing was done.

        Parameters
        ----------
        name : str
            Its name.
        values : array_like of shape (n,)
            The metric within a horizon that lies back, one per customer, zeros included.
        before : array_like of shape (n, p), optional
            What was known of them when that horizon began.
        cap : float, optional
            Amount at which each customer is cut off.

        Returns
        -------
        Baseline
            It is a share where all values are 0 or 1. What is explained is the adjusted R^2 of a regression
            on `before`.

        Raises
        ------
        DataError
            Where there are fewer than 10 values, missing ones, or all are the same.

        Examples
        --------
        >>> rng = np.random.default_rng(0)
        >>> last = rng.gamma(0.3, 100.0, 5000)
        >>> spend = rng.poisson(0.5 * last)
        >>> known = Baseline.of_history("spend", spend, before=last[:, None])
        >>> bool(known.explained > 0.9)
        True
        """
        found = np.asarray(values, dtype=np.float64)
        if found.size < 10 or not np.isfinite(found).all():
            raise DataError(
                f"{name} must be known of at least 10 customers, and of all that are given; got "
                f"{found.size}, {int((~np.isfinite(found)).sum())} of them missing. Choose an earlier cutoff."
            )
        found = found if cap is None else np.minimum(found, cap)
        is_share = bool(np.isin(found, (0.0, 1.0)).all())
        explained = 0.0 if before is None else _explained(found, np.asarray(before, dtype=np.float64))
        return cls(name, float(found.mean()), float(found.std(ddof=1)), is_share, explained, cap, found.size)


def _explained(values: npt.NDArray[np.float64], before: npt.NDArray[np.float64]) -> float:
    """Return the share of the variance that is known beforehand."""
    arm = np.zeros(values.size, dtype=np.intp)
    plain = adjusted_means(values, arm, 1)
    known = adjusted_means(values, arm, 1, covariates=before)
    return (
        float(np.clip(1.0 - known.within[0] / plain.within[0], 0.0, 1.0 - 1e-9)) if plain.within[0] else 0.0
    )
