r"""What a way of choosing arms would have earned, from an experiment that drew the arms by chance.

A policy gives customer i arm a with chance :math:`\pi_{ia}`. The experiment drew arm :math:`A_i` with the
known chance :math:`e_i` and saw :math:`y_i`. With the weight :math:`w_i = \pi_{i A_i} / e_i` the value of the
policy, the mean outcome had it been followed, is the mean of one score a customer:

.. math::
    \text{Horvitz-Thompson} &: w_i y_i \\
    \text{self-normalised} &: v + (w_i / \bar w) (y_i - v), \quad v = \sum w_i y_i / \sum w_i \\
    \text{doubly robust} &: \textstyle\sum_a \pi_{ia} \mu_{ia} + w_i (y_i - \mu_{i A_i})

The first is unbiased, the second scarcely biased and unmoved by a shift of the outcome, the third unbiased
where either the chances or the predictions :math:`\mu` are right, and the surer the better the predictions.
Scores of two policies on the same customers are subtracted before they are averaged. Nothing is checked here.

References
----------
Horvitz, D. G. and Thompson, D. J. (1952). A generalization of sampling without replacement from a finite
universe. JASA 47, 663-685.
Dudik, M., Erhan, D., Langford, J. and Li, L. (2014). Doubly robust policy evaluation and optimization.
Statistical Science 29, 485-511.
Swaminathan, A. and Joachims, T. (2015). The self-normalized estimator for counterfactual learning.
NeurIPS 28.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from habitue.numerics.arrays import FloatArray, Rows

__all__ = [
    "MeanOfScores",
    "doubly_robust_scores",
    "effective_size",
    "horvitz_thompson_scores",
    "mean_of_scores",
    "self_normalised_scores",
]


class MeanOfScores(NamedTuple):
    """A mean over customers with its standard error and interval."""

    value: float
    """The mean."""
    standard_error: float
    """Of the mean; nan with one customer."""
    lower: float
    """End of the interval below."""
    upper: float
    """End of the interval above."""


def horvitz_thompson_scores(y: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the scores whose mean is unbiased, whatever the sample's size.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes.
    weight : ndarray of shape (n,)
        Chance that the policy gives the arm that was drawn, over the chance it was drawn with.

    Returns
    -------
    ndarray of shape (n,)
        In the unit of the outcome.

    Examples
    --------
    >>> horvitz_thompson_scores(np.array([10.0, 4.0]), np.array([2.0, 0.0]))
    array([20.,  0.])
    """
    return weight * y


def self_normalised_scores(y: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the scores of the mean weighted by what the weights add up to.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes.
    weight : ndarray of shape (n,)
        As above; not all 0.

    Returns
    -------
    ndarray of shape (n,)
        In the unit of the outcome: the value plus its influence function.

    Examples
    --------
    >>> self_normalised_scores(np.array([10.0, 4.0]), np.array([2.0, 0.0]))
    array([10., 10.])
    """
    value = float(weight @ y / weight.sum())
    return value + weight / weight.mean() * (y - value)


def doubly_robust_scores(
    y: FloatArray, weight: FloatArray, drawn: Rows, policy: FloatArray, predicted: FloatArray
) -> FloatArray:
    """Return the scores that correct a prediction of each arm's outcome by what was seen.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Outcomes.
    weight : ndarray of shape (n,)
        As above.
    drawn : ndarray of int of shape (n,)
        Column of the arm that was drawn.
    policy : ndarray of shape (n, a)
        Chance that the policy gives each arm.
    predicted : ndarray of shape (n, a)
        Predicted outcome under each arm, of a model that has not seen the customer.

    Returns
    -------
    ndarray of shape (n,)
        In the unit of the outcome.

    Examples
    --------
    >>> policy, predicted = np.array([[0.0, 1.0], [0.0, 1.0]]), np.array([[3.0, 9.0], [3.0, 5.0]])
    >>> doubly_robust_scores(np.array([10.0, 4.0]), np.array([2.0, 0.0]), np.array([1, 0]), policy, predicted)
    array([11.,  5.])
    """
    seen = predicted[np.arange(y.size), drawn]
    return np.einsum("na,na->n", policy, predicted) + weight * (y - seen)


def effective_size(weight: FloatArray) -> float:
    """Return how many customers of equal weight would say as much.

    Parameters
    ----------
    weight : ndarray of shape (n,)
        Not negative.

    Returns
    -------
    float
        In [0, n]; 0 where all weights are 0.

    References
    ----------
    Kish, L. (1965). Survey Sampling, section 11.7.

    Examples
    --------
    >>> effective_size(np.array([2.0, 2.0, 0.0, 0.0]))
    2.0
    """
    square = float(weight @ weight)
    return float(weight.sum()) ** 2 / square if square > 0.0 else 0.0


def mean_of_scores(
    scores: FloatArray, *, groups: npt.NDArray[np.intp] | None = None, confidence: float = 0.95
) -> MeanOfScores:
    r"""Return the mean of one score a row, with an interval that knows which rows are one customer.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        One number a row.
    groups : ndarray of int of shape (n,), optional
        Number of the customer of each row, from 0 without gaps. Each row is one if left out.
    confidence : float
        In (0, 1).

    Returns
    -------
    MeanOfScores
        The interval is nan where there is but one customer.

    Notes
    -----
    With r_g the sum over a customer's rows of score minus mean, and G customers,

    .. math:: se^2 = \frac{G}{G - 1} \sum_g r_g^2 / n^2

    and Student's distribution with G - 1 degrees of freedom.

    References
    ----------
    Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models.
    Biometrika 73, 13-22.

    Examples
    --------
    >>> told = mean_of_scores(np.array([1.0, 3.0, 5.0, 7.0]))
    >>> told.value, round(told.standard_error, 4)
    (4.0, 1.291)
    """
    value = float(scores.mean())
    rest = scores - value
    sums = rest if groups is None else np.bincount(groups, weights=rest)
    if sums.size < 2:
        return MeanOfScores(value, np.nan, np.nan, np.nan)
    error = float(np.sqrt(sums.size / (sums.size - 1.0) * (sums @ sums))) / scores.size
    half = error * float(student.ppf(0.5 + confidence / 2.0, sums.size - 1))
    return MeanOfScores(value, error, value - half, value + half)
