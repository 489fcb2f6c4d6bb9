"""Laws of spend: each learns the truth, tells reasons that add up, and is stored without a word lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pytest
from scipy.stats import rankdata

from habitue.errors import SettingsError
from habitue.models import load_model, save_model
from habitue.models.persistence import persistent
from habitue.models.tree_growing import grow
from habitue.models.value_law import ValueLaw
from habitue.models.value_laws import LAWS, value_law
from habitue.numerics import zero_inflated_lognormal as ziln
from habitue.numerics.spend_losses import balance

SMALL = {"learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 20, "lambda_l2": 1.0, "num_threads": 1}

each = pytest.mark.parametrize("name", LAWS)


@persistent
@dataclass(frozen=True)
class LearnedSpend:
    """A law and its boosters, as a value model keeps them."""

    law: ValueLaw
    boosters: dict[str, Any]

    def raw(self, X: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.asarray(one.predict(X, raw_score=True)) for name, one in self.boosters.items()}

    def expected(self, X: np.ndarray) -> np.ndarray:
        return self.law.expected(self.raw(X))

    def contributions(self, X: np.ndarray) -> np.ndarray:
        told = {name: np.asarray(one.predict(X, pred_contrib=True)) for name, one in self.boosters.items()}
        return self.law.contributions(told)


class Base(NamedTuple):
    """Customers: what is known, the scores they spend by, and what they spent."""

    X: np.ndarray
    scores: np.ndarray
    money: np.ndarray


def customers(n: int, *, seed: int) -> Base:
    """Return zero-inflated log-normal customers; one feature moves the chance, one amount and spread."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.uniform(-1.0, 1.0, (n, 2)), rng.normal(size=n)])
    X[rng.uniform(size=n) < 0.05, 2] = np.nan
    scores = np.column_stack([-0.5 + 2.0 * X[:, 0], 1.2 * X[:, 1], -1.0 + 0.8 * np.sign(X[:, 1])])
    buys = rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-scores[:, 0]))
    amount = np.exp(scores[:, 1] + ziln.sigma(scores[:, 2]) * rng.normal(size=n))
    return Base(X, scores, np.where(buys, amount, 0.0))


def learned(
    name: str, base: Base, weights: np.ndarray | None = None, *, n_trees: int = 60, **changes: Any
) -> LearnedSpend:
    law = value_law(name, base.money, weights)
    boosters = {}
    for booster, task in law.tasks(base.money).items():
        rows = slice(None) if task.rows is None else task.rows
        counted = None if weights is None else weights[rows]
        settings = SMALL | task.settings | changes
        boosters[booster] = grow(
            base.X[rows], task.target, counted, settings, n_estimators=n_trees, feval=task.evaluation
        ).booster
    return LearnedSpend(law, boosters)


@pytest.fixture(scope="module")
def base() -> Base:
    return customers(3_000, seed=0)


@pytest.fixture(scope="module")
def of(base: Base) -> Callable[[str], LearnedSpend]:
    """Each law, learned once."""
    made = {name: learned(name, base) for name in LAWS}
    return made.__getitem__


@each
def test_it_learns_what_is_expected_of_customers(name: str, of: Callable[[str], LearnedSpend]) -> None:
    fresh = customers(4_000, seed=1)
    truth = np.exp(ziln.log_mean(fresh.scores))
    expected = of(name).expected(fresh.X)
    assert (expected > 0).all()
    assert np.mean((expected - truth) ** 2) < 0.4 * truth.var()
    assert np.corrcoef(rankdata(expected), rankdata(truth))[0, 1] > 0.85


@each
def test_contributions_and_the_base_add_up_to_the_log_of_expected_money(
    name: str, base: Base, of: Callable[[str], LearnedSpend]
) -> None:
    parts = of(name).contributions(base.X)
    assert parts.shape == (len(base.X), base.X.shape[1] + 1)
    np.testing.assert_allclose(parts.sum(axis=1), np.log(of(name).expected(base.X)), atol=1e-7)
    assert np.ptp(parts[:, -1]) < 1e-9
    assert np.abs(parts[:, :2]).mean() > 3.0 * np.abs(parts[:, 2]).mean()  # the third says nothing


@each
def test_the_loss_of_what_was_learned_is_below_that_of_knowing_nobody(
    name: str, of: Callable[[str], LearnedSpend]
) -> None:
    fresh, law = customers(4_000, seed=2), of(name).law
    alike = learned(name, fresh, n_trees=1, min_data_in_leaf=10_000)  # one leaf: all customers alike
    told, dumb = (law.loss(fresh.money, one.raw(fresh.X)) for one in (of(name), alike))
    assert told.shape == fresh.money.shape
    assert told.mean() < dumb.mean() - 3.0 * (told - dumb).std() / np.sqrt(len(told))


@each
def test_stored_and_loaded_it_expects_and_tells_the_same(
    name: str, base: Base, of: Callable[[str], LearnedSpend], tmp_path: Path
) -> None:
    save_model(of(name), tmp_path / "model")  # type: ignore[arg-type]
    loaded: Any = load_model(tmp_path / "model")
    assert loaded.law == of(name).law
    np.testing.assert_array_equal(loaded.expected(base.X), of(name).expected(base.X))
    np.testing.assert_array_equal(loaded.contributions(base.X), of(name).contributions(base.X))
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".txt"}


@each
def test_where_everybody_buys_or_all_buyers_spend_the_same_it_still_learns(name: str, base: Base) -> None:
    for money in (np.exp(base.X[:, 1]), (base.X[:, 0] > 0.5).astype(float)):
        expected = learned(name, base._replace(money=money), n_trees=40).expected(base.X)
        assert np.isfinite(expected).all()
        assert balance(expected, money) == pytest.approx(1.0, abs=0.15)
        assert np.corrcoef(expected, money)[0, 1] > 0.9


def test_the_three_scores_are_each_learned(of: Callable[[str], LearnedSpend]) -> None:
    fresh = customers(4_000, seed=3)
    one: Any = of("zero_inflated_lognormal")
    scores = one.raw(fresh.X)["spend"] + one.law.start
    for place in range(3):
        assert np.corrcoef(scores[:, place], fresh.scores[:, place])[0, 1] > 0.8, place
    nothing = np.tile(one.law.start, (len(scores), 1))
    known, learnt, truth = (ziln.loss(at, fresh.money).mean() for at in (nothing, scores, fresh.scores))
    assert learnt - truth < 0.2 * (known - truth)


def test_totals_need_no_balance_where_the_law_is_true_and_do_where_it_is_not(base: Base) -> None:
    """The retransformation: exp(sigma^2 / 2) is right for log-normal spend, far too much for bounded."""
    fresh = customers(20_000, seed=8)
    true = learned("zero_inflated_lognormal", customers(20_000, seed=7), n_trees=40)
    assert balance(true.expected(fresh.X), np.exp(ziln.log_mean(fresh.scores))) == pytest.approx(
        1.0, abs=0.05
    )
    rng = np.random.default_rng(5)
    bounded = np.where(base.money > 0, rng.choice([0.01, 1.0], len(base.money)), 0.0)
    false = learned("zero_inflated_lognormal", base._replace(money=bounded), n_trees=20)
    factor = balance(false.expected(base.X), bounded)
    assert factor < 0.5
    assert factor * false.expected(base.X).sum() == pytest.approx(bounded.sum())


def test_the_objective_and_its_loss_are_those_of_the_law_weighted(base: Base) -> None:
    weights = np.random.default_rng(4).integers(1, 4, len(base.money)).astype(float)
    law: Any = value_law("zero_inflated_lognormal", base.money, weights)
    task = law.tasks(base.money)["spend"]
    data = lightgbm.Dataset(base.X, base.money, weight=weights).construct()
    raw = np.random.default_rng(5).normal(size=(len(base.money), 3))
    gradient, information = task.settings["objective"](raw, data)
    scores = raw + law.start
    np.testing.assert_allclose(
        gradient, ziln.gradient(scores, base.money) * weights[:, None], rtol=1e-4, atol=1e-4
    )
    assert (information >= ziln.information(scores, base.money) * weights[:, None] - 1e-9).all()
    name, value, more_is_better = task.evaluation(raw, data)
    told = np.average(law.loss(base.money, {"spend": raw}), weights=weights)
    assert (name, more_is_better) == ("zero_inflated_lognormal", False)
    assert value == pytest.approx(told, rel=1e-5)


def test_early_stopping_by_the_laws_own_loss_finds_where_it_is_least(base: Base) -> None:
    task = value_law("zero_inflated_lognormal", base.money).tasks(base.money)["spend"]
    fresh = customers(3_000, seed=6)
    train = lightgbm.Dataset(base.X, task.target)
    judge = lightgbm.Dataset(fresh.X, fresh.money, reference=train)
    seen: dict[str, Any] = {}
    keep = lightgbm.record_evaluation(seen)
    quiet = SMALL | task.settings | {"learning_rate": 0.3, "verbosity": -1}
    stop = lightgbm.early_stopping(20, verbose=False)
    booster = lightgbm.train(
        quiet, train, 200, valid_sets=[judge], feval=task.evaluation, callbacks=[stop, keep]
    )
    curve = next(iter(seen.values()))["zero_inflated_lognormal"]
    assert booster.best_iteration == int(np.argmin(curve)) + 1 < 200


def test_nothing_is_cut_off_at_a_chance_of_one_half(of: Callable[[str], LearnedSpend], base: Base) -> None:
    one = of("hurdle")
    unlikely = one.raw(base.X)["buys"] < 0
    assert unlikely.any()
    assert (one.expected(base.X)[unlikely] > 0.01).all()


def test_an_unknown_law_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"one of tweedie, hurdle, zero_inflated_lognormal, squared; got"):
        value_law("poisson", np.array([0.0, 1.0]))
