"""How often intervals hold: bases of known truth, fitted, and what then came to be in the next year.

``python -m benchmarks.coverage [replications]`` prints a table in Markdown. Each replication simulates a log
of three years, fits BG/NBD and gamma-gamma on the snapshot at the end of the second, and asks of every
customer whether his purchases and his spend in the third lie in the central intervals of 80 % and 95 %.

Purchases are whole numbers and spend has a probability of its own at zero, so a closed interval holds more
often than it says, for no merit of the model's. Both are told: ``closed`` counts outcomes between the ends,
ends included; ``randomised`` counts u in [(1 - level) / 2, (1 + level) / 2] with u = F(y-) + V P(y), V
uniform, which is uniform exactly when the distribution F is the right one. The second is the one to compare
with the level. Equity is one interval a base: the total of all its customers. Parameters are counted by their
Wald intervals in logarithms (of q - 1 for q).

The models see days, not seconds: what a snapshot counts as one visit may have been two purchases. That shifts
alpha by about a quarter of its standard error here, and is left in, as no real log is without it.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from habitue.errors import HabitueError, HabitueWarning
from habitue.models import BGNBD, GammaGamma
from habitue.models.clv_distribution import CLVDistribution, clv_distribution
from habitue.numerics.bgnbd import BGNBDParams
from habitue.numerics.gamma_gamma import GammaGammaParams
from habitue.records.simulators import simulate_log
from habitue.snapshots import Window, take_snapshot

PURCHASES, SPEND = BGNBDParams(0.8, 60.0, 0.9, 2.7), GammaGammaParams(4.0, 3.5, 20.0)
SIZES = (500, 1000, 1500)
LEVELS = (0.80, 0.95)
HORIZON = 365
N_DRAWS = 250

FloatArray = npt.NDArray[np.float64]


class Share(NamedTuple):
    """How often one kind of interval held in one replication."""

    what: str
    level: float
    held: float


class Fit(NamedTuple):
    """A replication: fitted models, customers as known, and what came to be."""

    purchases: Any
    spend: Any
    X: pd.DataFrame
    y: pd.DataFrame


def simulate_and_fit(n_customers: int, random_state: np.random.Generator) -> Fit:
    """Simulate a base and fit both models on what was known a year before its end."""
    log = simulate_log(
        PURCHASES, SPEND, n_customers=n_customers, days_observed=1095, random_state=random_state
    ).log
    snapshot = take_snapshot(log, Window("2024-12-30", HORIZON), [])
    return Fit(BGNBD().fit(snapshot.X), GammaGamma().fit(snapshot.X), snapshot.X, snapshot.outcomes)


def shares(fit: Fit, random_state: np.random.Generator) -> Iterator[Share]:
    """Yield how often intervals held, among the customers of one base."""
    v = random_state.random(len(fit.X))
    below, at = purchase_probabilities(fit)
    parameters = {"parameters known": None, "with parameter draws": parameter_draws(fit, random_state)}
    for level in LEVELS:
        low, high = 0.5 * (1.0 - level), 0.5 * (1.0 + level)
        u = below + v * at
        # in the closed interval from the smallest n with F(n) >= low to the smallest with F(n) >= high
        closed = (below + at >= low) & (below < high)
        yield Share("purchases, closed", level, closed.mean())
        yield Share("purchases, randomised", level, ((u >= low) & (u <= high)).mean())
        for known, draws in parameters.items():
            value = clv_distribution(
                fit.purchases,
                fit.spend,
                fit.X,
                horizon=HORIZON,
                n_draws=N_DRAWS,
                level=level,
                purchase_draws=draws and draws[0],
                spend_draws=draws and draws[1],
                random_state=random_state,
            )
            yield from spend_shares(value, fit.y["spend"].to_numpy(), v, known)
        yield from parameter_shares(fit, level)


def purchase_probabilities(fit: Fit) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities of fewer than the observed purchases, and of just as many."""
    n = fit.y["n_purchases"].to_numpy()
    below, at = np.zeros(n.size), np.zeros(n.size)
    for count in range(int(n.max()) + 1):
        p = np.asarray(fit.purchases.purchase_pmf(fit.X, count, horizon=HORIZON))
        below += np.where(count < n, p, 0.0)
        at += np.where(count == n, p, 0.0)
    return below, at


def spend_shares(value: CLVDistribution, spent: FloatArray, v: FloatArray, known: str) -> Iterator[Share]:
    """Yield how often intervals of spend held, customer by customer and for all together."""
    low, high, told = 0.5 * (1.0 - value.level), 0.5 * (1.0 + value.level), value.customers
    inside = ((told["lower"] <= spent) & (spent <= told["upper"])).to_numpy()
    at_zero = v * told["p_zero"].to_numpy()
    randomised = np.where(spent > 0.0, inside, (at_zero >= low) & (at_zero <= high))
    equity = value.equity()
    yield Share(f"spend, closed, {known}", value.level, inside.mean())
    yield Share(f"spend, randomised, {known}", value.level, randomised.mean())
    held = bool(equity["lower"] <= spent.sum() <= equity["upper"])
    yield Share(f"equity, {known}", value.level, float(held))


def parameter_shares(fit: Fit, level: float) -> Iterator[Share]:
    """Yield which parameters lie in their own intervals."""
    for model, truth in ((fit.purchases, PURCHASES), (fit.spend, SPEND)):
        floors = np.array([1.0 if name == "q" else 0.0 for name in truth._fields])
        found, true = np.array(model.params_) - floors, np.array(truth) - floors
        error = np.array(model.standard_errors_) / found
        held = np.abs(np.log(found / true)) <= ndtri(0.5 * (1.0 + level)) * error
        for name, one in zip(truth._fields, held, strict=True):
            yield Share(f"parameter {name}", level, float(one))


def parameter_draws(fit: Fit, random_state: np.random.Generator) -> tuple[Any, Any]:
    """Return parameters that are as likely as the fitted ones leave open: Normal in logarithms."""

    def draw(model: Any) -> Any:
        floors = np.array([1.0 if name == "q" else 0.0 for name in model.params_._fields])
        found = np.array(model.params_) - floors
        covariance = model.covariance_ / np.outer(found, found)
        logs = random_state.multivariate_normal(np.log(found), covariance, size=N_DRAWS)
        return model.params_._make((floors + np.exp(logs)).T[:, :, None])

    return draw(fit.purchases), draw(fit.spend)


def study(
    n_replications: int, *, seed: int = 0, tell: Callable[[str], object] = lambda _: None
) -> tuple[pd.DataFrame, int]:
    """Return coverage and its standard error per kind of interval, and how many bases could not be fitted."""
    found: list[pd.DataFrame] = []
    failed = 0
    for place, generator in enumerate(np.random.default_rng(seed).spawn(n_replications)):
        try:
            fit = simulate_and_fit(SIZES[place % len(SIZES)], generator)
        except HabitueError as error:
            failed += 1
            tell(f"replication {place} could not be fitted: {error}")
            continue
        found.append(pd.DataFrame(shares(fit, generator)))
    held = pd.concat(found).groupby(["what", "level"], sort=False)["held"]
    table = pd.DataFrame({"coverage": held.mean(), "error": held.sem()}).reset_index()
    return table.sort_values("what", kind="stable", ignore_index=True), failed


def main() -> None:
    """Print the table."""
    n_replications = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HabitueWarning)
        table, failed = study(n_replications, tell=lambda line: print(line, file=sys.stderr))
    sizes = ", ".join(map(str, SIZES))
    print(f"{n_replications} replications of {sizes} customers in turn, {failed} could not be fitted;")
    print(f"{time.perf_counter() - start:.0f} s\n\n| interval | level | held | standard error |")
    print("|---|---|---|---|")
    for what, level, held, error in table.itertuples(index=False):
        print(f"| {what} | {level:.0%} | {held:.1%} | {error:.1%} |")


if __name__ == "__main__":
    main()
