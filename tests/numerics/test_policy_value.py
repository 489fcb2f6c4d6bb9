"""The value of a policy: unbiased over every assignment, right where either half is, sure as it says."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from statsmodels.regression.linear_model import OLS

from habitue.numerics.policy_value import (
    doubly_robust_scores,
    effective_size,
    horvitz_thompson_scores,
    mean_of_scores,
    self_normalised_scores,
)

# Six customers, three arms: what each would do under each, the chances of the draw, and a policy.
OUTCOMES = np.array(
    [[1.0, 4.0, 2.0], [0.0, 3.0, 9.0], [5.0, 5.0, 5.0], [2.0, -1.0, 0.0], [7.0, 8.0, 6.0], [3.0, 3.0, 4.0]]
)
CHANCES = np.array(
    [[0.5, 0.3, 0.2], [0.2, 0.2, 0.6], [0.4, 0.4, 0.2], [0.1, 0.6, 0.3], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]]
)
POLICY = np.array(
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.0, 0.9, 0.1]]
)
ROWS = np.arange(6)
TRUTH = float((POLICY * OUTCOMES).sum(axis=1).mean())


def every_draw() -> list[tuple[float, np.ndarray]]:
    """All 729 assignments with their probabilities."""
    draws = [np.array(one) for one in product(range(3), repeat=6)]
    return [(float(CHANCES[ROWS, one].prod()), one) for one in draws]


def weighed(drawn: np.ndarray, chances: np.ndarray = CHANCES) -> np.ndarray:
    return POLICY[ROWS, drawn] / chances[ROWS, drawn]


def expected(scores: object) -> float:
    return sum(chance * float(np.mean(scores(drawn))) for chance, drawn in every_draw())


def test_horvitz_thompson_is_unbiased_over_every_assignment() -> None:
    assert expected(
        lambda drawn: horvitz_thompson_scores(OUTCOMES[ROWS, drawn], weighed(drawn))
    ) == pytest.approx(TRUTH)


@pytest.mark.parametrize("seed", range(3))
def test_doubly_robust_is_unbiased_whatever_was_predicted_where_the_chances_are_right(seed: int) -> None:
    wrong = np.random.default_rng(seed).normal(scale=20.0, size=(6, 3))
    assert expected(
        lambda drawn: doubly_robust_scores(OUTCOMES[ROWS, drawn], weighed(drawn), drawn, POLICY, wrong)
    ) == pytest.approx(TRUTH)


def test_doubly_robust_is_exact_whatever_the_chances_where_the_predictions_are_right() -> None:
    wrong = np.random.default_rng(0).dirichlet(np.ones(3), 6)
    for _, drawn in every_draw()[::37]:
        scores = doubly_robust_scores(OUTCOMES[ROWS, drawn], weighed(drawn, wrong), drawn, POLICY, OUTCOMES)
        assert scores.mean() == pytest.approx(TRUTH)


def test_both_wrong_is_wrong() -> None:
    chances = np.full((6, 3), 1.0 / 3.0)
    found = expected(
        lambda drawn: doubly_robust_scores(
            OUTCOMES[ROWS, drawn], weighed(drawn, chances), drawn, POLICY, OUTCOMES + 5.0
        )
    )
    assert abs(found - TRUTH) > 0.1


def test_self_normalised_moves_with_a_shift_of_the_outcome_exactly() -> None:
    rng = np.random.default_rng(0)
    y, weight = rng.normal(size=50), rng.exponential(size=50)
    plain, shifted = self_normalised_scores(y, weight), self_normalised_scores(y + 1000.0, weight)
    assert plain.mean() == pytest.approx(np.average(y, weights=weight))
    assert shifted.mean() == pytest.approx(1000.0 + plain.mean())
    assert np.std(shifted) == pytest.approx(np.std(plain))


def test_clustered_errors_are_those_of_a_regression_on_a_constant() -> None:
    rng = np.random.default_rng(0)
    groups = np.sort(rng.integers(0, 40, 200))
    groups = np.unique(groups, return_inverse=True)[1]
    scores = rng.normal(size=40)[groups % 40] + rng.normal(size=200)
    n_groups = groups.max() + 1
    fitted = OLS(scores, np.ones(200)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    told = mean_of_scores(scores, groups=groups)
    assert told.standard_error == pytest.approx(fitted.bse[0] * np.sqrt(n_groups / (n_groups - 1)))
    assert told.standard_error > 1.3 * mean_of_scores(scores).standard_error


def test_one_row_a_group_is_no_groups() -> None:
    scores = np.random.default_rng(0).normal(size=30)
    np.testing.assert_allclose(mean_of_scores(scores), mean_of_scores(scores, groups=np.arange(30)))
    assert mean_of_scores(scores).standard_error == pytest.approx(scores.std(ddof=1) / np.sqrt(30))


def test_one_customer_has_no_interval() -> None:
    told = mean_of_scores(np.array([1.0, 3.0]), groups=np.array([0, 0]))
    assert told.value == 2.0
    assert np.isnan([told.standard_error, told.lower, told.upper]).all()


def test_effective_size_is_the_number_of_equal_weights() -> None:
    assert effective_size(np.full(7, 0.3)) == pytest.approx(7.0)
    assert effective_size(np.array([1.0, 1e-9])) == pytest.approx(1.0)
    assert effective_size(np.zeros(3)) == 0.0


@pytest.mark.parametrize("method", ["ipw", "snipw", "dr"])
def test_intervals_hold_what_they_promise(method: str) -> None:
    """1,000 experiments on 300 customers with unequal chances; a band of 3 standard errors around 95 %."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        x = rng.uniform(size=300)
        chance = 0.2 + 0.5 * x
        drawn = (rng.uniform(size=300) < chance).astype(int)
        y = 1.0 + x + drawn * (x - 0.3) + rng.normal(size=300)
        policy = np.column_stack([x <= 0.4, x > 0.4]).astype(float)
        weight = policy[np.arange(300), drawn] / np.where(drawn == 1, chance, 1.0 - chance)
        if method == "dr":
            predicted = np.column_stack([1.0 + x, 1.2 + 1.5 * x])  # the second is wrong
            scores = doubly_robust_scores(y, weight, drawn, policy, predicted)
        else:
            scores = (horvitz_thompson_scores if method == "ipw" else self_normalised_scores)(y, weight)
        told = mean_of_scores(scores)
        # E[1 + x] + integral from 0.4 to 1 of (x - 0.3)
        held += told.lower <= 1.5 + (0.7**2 - 0.1**2) / 2.0 <= told.upper
    assert 0.95 - 0.021 <= held / 1000 <= 0.95 + 0.021
