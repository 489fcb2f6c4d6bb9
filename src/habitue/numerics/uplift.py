r"""What a customer would have gained by an arm, written as a number that can be learned from.

Of each customer one arm was drawn and one outcome seen. An effect of arm a against the control (arm 0),
:math:`\tau_a(x) = E[Y(a) - Y(0) \mid x]`, is therefore never seen; but there are numbers that are seen, or
made from what is seen, whose mean given x is the effect. Learners differ in which of them they take. The
nuisances are the outcome expected under each arm, :math:`\mu_a(x)`, and the chance of the arm drawn, p. They
must come from other customers than those they are used on, which is for the caller to see to.

With only the drawn arm's chance known, weights 1 / p make every arm equally likely at every x. The R-learner
is used in that population, where the chance within a pair of arms is one half for all.

References
----------
.. [1] Künzel, S. R., Sekhon, J. S., Bickel, P. J. & Yu, B. (2019). Metalearners for estimating heterogeneous
   treatment effects using machine learning. PNAS 116(10), 4156-4165.
.. [2] Kennedy, E. H. (2023). Towards optimal doubly robust estimation of heterogeneous causal effects.
   Electronic Journal of Statistics 17(2), 3008-3049.
.. [3] Nie, X. & Wager, S. (2021). Quasi-oracle estimation of heterogeneous treatment effects. Biometrika
   108(2), 299-319.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from habitue.numerics.arrays import FloatArray

__all__ = [
    "Estimate",
    "Targets",
    "arm_scores",
    "clustered_error",
    "effect_scores",
    "gain_scores",
    "mean_of_scores",
    "r_loss",
    "r_targets",
    "x_targets",
]

IntArray = npt.NDArray[np.intp]


class Targets(NamedTuple):
    """What a learner of effects regresses on the features."""

    values: FloatArray
    """Pseudo-outcomes, in the outcome's unit."""
    weights: FloatArray
    """How much each row counts, 0 or more."""


class Estimate(NamedTuple):
    """A number with its uncertainty."""

    value: float
    standard_error: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the normal interval.

        Parameters
        ----------
        confidence : float
            In (0, 1).

        Examples
        --------
        >>> [round(end, 2) for end in Estimate(1.0, 0.5).interval()]
        [0.02, 1.98]
        """
        half = float(norm.ppf(0.5 + confidence / 2.0)) * self.standard_error
        return self.value - half, self.value + half


def arm_scores(y: FloatArray, drawn: IntArray, chance: FloatArray, expected: FloatArray) -> FloatArray:
    r"""Return a score for each customer and arm, whose mean is the mean outcome were all to get that arm.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes.
    drawn : ndarray of int, shape (n,)
        The arm that was drawn: its column in `expected`.
    chance : ndarray of shape (n,)
        Chance of the arm that was drawn, in (0, 1].
    expected : ndarray of shape (n, n_arms)
        Outcome expected under each arm, by nuisance models that had not seen the row.

    Returns
    -------
    ndarray of shape (n, n_arms)

    Notes
    -----
    The augmented inverse-propensity score

    .. math:: \Gamma_a = \mu_a(x) + \frac{1[A = a]}{p} \, (y - \mu_a(x)) .

    Its mean given x is E[Y(a) | x] where the chance is right whatever the expectation says, and where the
    expectation is right whatever the chance says.

    References
    ----------
    Robins, J. M., Rotnitzky, A. & Zhao, L. P. (1994). Estimation of regression coefficients when some
    regressors are not always observed. JASA 89(427), 846-866.

    Examples
    --------
    >>> y, drawn, half = np.array([1.0, 0.0]), np.array([1, 0]), np.full(2, 0.5)
    >>> arm_scores(y, drawn, half, np.array([[0.2, 0.4], [0.2, 0.4]]))
    array([[ 0.2,  1.6],
           [-0.2,  0.4]])
    """
    scores = expected.copy()
    rows = np.arange(len(y))
    scores[rows, drawn] += (y - expected[rows, drawn]) / chance
    return scores


def effect_scores(y: FloatArray, drawn: IntArray, chance: FloatArray, expected: FloatArray) -> FloatArray:
    r"""Return the doubly robust pseudo-outcome of each arm against the control.

    Parameters
    ----------
    y, drawn, chance, expected : ndarray
        As in `arm_scores`; the control is arm 0.

    Returns
    -------
    ndarray of shape (n, n_arms - 1)
        What the DR-learner regresses on the features. The mean is the AIPW estimate of the average effect.

    Notes
    -----
    :math:`\Gamma_a - \Gamma_0`; with two arms equation 2 of Kennedy (2023).

    Examples
    --------
    >>> y, drawn, half = np.array([1.0, 0.0]), np.array([1, 0]), np.full(2, 0.5)
    >>> effect_scores(y, drawn, half, np.array([[0.2, 0.4], [0.2, 0.4]]))
    array([[1.4],
           [0.6]])
    """
    scores = arm_scores(y, drawn, chance, expected)
    return scores[:, 1:] - scores[:, :1]


def x_targets(y: FloatArray, treated: npt.NDArray[np.bool_], other: FloatArray) -> FloatArray:
    r"""Return the imputed effects of the X-learner.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes of rows that drew the arm or the control.
    treated : ndarray of bool, shape (n,)
        Who drew the arm.
    other : ndarray of shape (n,)
        Outcome expected under what was not drawn.

    Returns
    -------
    ndarray of shape (n,)

    Notes
    -----
    :math:`y - \mu_0(x)` of the treated and :math:`\mu_1(x) - y` of the controls (Künzel et al. 2019,
    equations 8 and 9). Each group's are regressed on the features by themselves.

    Examples
    --------
    >>> x_targets(np.array([1.0, 0.0]), np.array([True, False]), np.array([0.2, 0.4]))
    array([0.8, 0.4])
    """
    return np.where(treated, y - other, other - y)


def r_targets(
    y: FloatArray, treated: npt.NDArray[np.bool_], mean: FloatArray, chance: npt.ArrayLike = 0.5
) -> Targets:
    r"""Return the R-learner's problem as a weighted regression.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes of rows that drew the arm or the control.
    treated : ndarray of bool, shape (n,)
        Who drew the arm.
    mean : ndarray of shape (n,)
        Outcome expected whatever was drawn.
    chance : array_like
        Chance of the arm among the two, in (0, 1); one half where rows are weighted by 1 / p.

    Returns
    -------
    Targets
        Minimising the weighted squared error to `values` minimises `r_loss`.

    Notes
    -----
    Values (y - m) / (w - e) and weights (w - e)^2, with w 1 or 0.

    References
    ----------
    Nie & Wager (2021), as above: equation 4.

    Examples
    --------
    >>> r_targets(np.array([1.0, 0.0]), np.array([True, False]), np.array([0.3, 0.3]))
    Targets(values=array([1.4, 0.6]), weights=array([0.25, 0.25]))
    """
    residual = treated - np.asarray(chance, dtype=np.float64)
    return Targets((y - mean) / residual, residual**2)


def r_loss(
    y: FloatArray,
    treated: npt.NDArray[np.bool_],
    mean: FloatArray,
    effect: FloatArray,
    *,
    chance: npt.ArrayLike = 0.5,
    weights: FloatArray | None = None,
) -> float:
    r"""Return how badly effects explain what outcomes expected without knowing the arm leave open.

    Parameters
    ----------
    y, mean : ndarray of shape (n,)
        As in `r_targets`.
    treated : ndarray of bool, shape (n,)
        Who drew the arm.
    effect : ndarray of shape (n,)
        Predicted effects.
    chance : array_like
        Chance of the arm among the two, in (0, 1).
    weights : ndarray of shape (n,), optional
        How much each row counts.

    Returns
    -------
    float
        Mean of ((y - m) - (w - e) tau)^2; lower is better.

    References
    ----------
    Nie & Wager (2021), as above: equation 3.

    Examples
    --------
    >>> y, treated = np.array([1.0, 0.0]), np.array([True, False])
    >>> round(r_loss(y, treated, np.array([0.5, 0.5]), np.array([1.0, 1.0])), 3)
    0.0
    """
    residual = (y - mean) - (treated - np.asarray(chance, dtype=np.float64)) * effect
    return float(np.average(residual**2, weights=weights))


def mean_of_scores(
    scores: FloatArray, weights: FloatArray | None = None, clusters: IntArray | None = None
) -> Estimate:
    """Return the mean of scores with its standard error: of `effect_scores`, the average effect.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        One a row.
    weights : ndarray of shape (n,), optional
        How much each row counts.
    clusters : ndarray of int, shape (n,), optional
        Whose row it is, from 0; rows of one customer may depend on each other.

    Examples
    --------
    >>> mean_of_scores(np.array([1.0, 2.0, 3.0]))
    Estimate(value=2.0, standard_error=0.577...)
    """
    counts = np.ones(len(scores)) if weights is None else weights
    mean = float(np.average(scores, weights=counts))
    return Estimate(mean, clustered_error(counts * (scores - mean) / counts.sum(), clusters))


def gain_scores(effect: FloatArray, scores: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    r"""Return each customer's part in what a ranking gains over a random one.

    Parameters
    ----------
    effect : ndarray of shape (n,)
        Predicted; the highest is treated first.
    scores : ndarray of shape (n,)
        Doubly robust scores of the effect.
    weights : ndarray of shape (n,), optional
        How much each row counts.

    Returns
    -------
    ndarray of shape (n,)
        Their mean is the area between the curve of gain per customer, when the best share is treated, and the
        straight line from 0 to the average effect.

    Notes
    -----
    :math:`s_i (1/2 - r_i)` with r the share that is treated before the customer, in (0, 1); half of those
    with the same prediction are taken to be before.

    Examples
    --------
    >>> gain_scores(np.array([0.3, 0.1]), np.array([1.0, 0.5]))
    array([ 0.25 , -0.125])
    """
    counts = np.ones(len(effect)) if weights is None else weights
    _, place = np.unique(-effect, return_inverse=True)
    mass = np.bincount(place, counts)
    before = (np.cumsum(mass) - mass / 2.0) / mass.sum()
    return scores * (0.5 - before[place])


def clustered_error(influence: FloatArray, clusters: IntArray | None = None) -> float:
    """Return the standard error of a sum of influences.

    Parameters
    ----------
    influence : ndarray of shape (n,)
        What each row moves the estimate by; sums to 0.
    clusters : ndarray of int, shape (n,), optional
        Whose row it is, from 0.

    Returns
    -------
    float
        With the correction k / (k - 1) for k clusters; infinite where there is but one.

    Examples
    --------
    >>> round(clustered_error(np.array([-0.5, 0.5])), 3)
    1.0
    """
    per_cluster = influence if clusters is None else np.bincount(clusters, influence)
    k = len(per_cluster) if clusters is None else len(np.unique(clusters))
    return float(np.sqrt(k / (k - 1.0) * (per_cluster**2).sum())) if k > 1 else np.inf
