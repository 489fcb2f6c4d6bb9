"""Shapley values of a leaf: those of the definition, over all orders in which features become known."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from habitue.numerics.leaf_shapley import leaf_shapley, patterns

shares = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=4)


def by_definition(says: list[float], share: list[float]) -> list[float]:
    """Average what each feature adds over all orders."""
    n = len(says)
    added = np.zeros(n)
    for order in permutations(range(n)):
        known = np.array(share)
        for one in order:
            before = known.prod()
            known[one] = says[one]
            added[one] += known.prod() - before
    return list(added / factorial(n))


@settings(max_examples=30, deadline=None)
@given(shares)
def test_they_are_those_of_the_definition(share: list[float]) -> None:
    told = leaf_shapley(np.array([share]))[0]
    wanted = [by_definition(list(says), share) for says in patterns(len(share))]
    np.testing.assert_allclose(told, wanted, atol=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_they_add_up_to_where_the_customer_is(n: int, seed: int) -> None:
    share = np.random.default_rng(seed).uniform(size=(3, n))
    told = leaf_shapley(share).sum(axis=2)
    there = patterns(n).prod(axis=1)
    np.testing.assert_allclose(told, there - share.prod(axis=1)[:, np.newaxis], atol=1e-13)


@pytest.mark.parametrize("n", [2, 5])
def test_features_that_nobody_fails_add_nothing(n: int) -> None:
    share = np.full((1, n), 0.5)
    share[0, 0] = 1.0
    yes = patterns(n)[:, 0] == 1.0
    told = leaf_shapley(share)[0]
    assert (told[yes, 0] == 0.0).all()
    np.testing.assert_allclose(told[yes, 1:], leaf_shapley(share[:, 1:])[0], atol=1e-15)
