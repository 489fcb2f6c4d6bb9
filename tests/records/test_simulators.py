"""Simulated logs: what their family says of them is true, and a fit finds again what they were made with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.errors import SettingsError
from habitue.models import BGNBD, GammaGamma
from habitue.models.pareto_nbd import ParetoNBD
from habitue.numerics import bgbb, bgcnbdk, bgnbd, ggompertz_nbd, mbgcnbdk, mbgnbd, nbd, pareto_nbd
from habitue.numerics.gamma_gamma import GammaGammaParams
from habitue.records.simulators import Simulated, simulate_log
from habitue.snapshots import Window, take_snapshot

SPEND = GammaGammaParams(4.0, 9.0, 50.0)  # q so large that sample variances settle
FAMILIES: dict[str, tuple[Any, Any]] = {
    "BG/NBD": (bgnbd, bgnbd.Params(0.8, 60.0, 0.8, 2.4)),
    "MBG/NBD": (mbgnbd, mbgnbd.Params(0.8, 60.0, 0.5, 3.0)),
    "BG/CNBD-2": (bgcnbdk, bgcnbdk.Params(2, 0.8, 30.0, 0.8, 2.4)),
    "MBG/CNBD-3": (mbgcnbdk, mbgcnbdk.Params(3, 0.8, 20.0, 0.5, 3.0)),
    "Pareto/NBD": (pareto_nbd, pareto_nbd.Params(0.8, 60.0, 0.6, 200.0)),
    "GGompertz/NBD": (ggompertz_nbd, ggompertz_nbd.Params(r=0.8, alpha=60.0, b=0.004, s=0.6, beta=1.5)),
    "NBD": (nbd, nbd.Params(0.8, 60.0)),
}
DAYS = 730


def frame(simulated: Simulated) -> pd.DataFrame:
    return simulated.log.engine.frame(
        "SELECT customer_id, timestamp, day, CAST(amount AS DOUBLE) AS amount FROM transactions ORDER BY 2, 1"
    )


def histories(simulated: Simulated) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequency, recency and T in continuous time, in days."""
    times = frame(simulated).groupby("customer_id")["timestamp"].agg(["size", "min", "max"])
    end = pd.Timestamp("2023-01-01") + pd.Timedelta(days=DAYS)
    day = pd.Timedelta(days=1)
    first, last, T = times["min"], times["max"], (end - times["min"]) / day
    return times["size"].to_numpy() - 1.0, ((last - first) / day).to_numpy(), T.to_numpy()


@pytest.fixture(scope="module", params=FAMILIES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any, Simulated]:
    formulas, params = FAMILIES[request.param]
    return formulas, params, simulate_log(params, SPEND, n_customers=4_000, random_state=1)


def test_the_log_is_what_was_asked_for(case: tuple[Any, Any, Simulated]) -> None:
    _, _, simulated = case
    rows, truth, log = frame(simulated), simulated.truth, simulated.log
    assert log.n_customers == len(truth) == 4_000
    assert log.checks["transactions"].n_quarantined == 0
    assert (str(log.first_day), str(log.observed_until)) == ("2023-01-01", "2024-12-30")
    assert rows["timestamp"].max() < pd.Timestamp("2024-12-31")
    by_customer = rows.groupby("customer_id")
    pd.testing.assert_series_equal(by_customer.size(), truth["n_purchases"], check_names=False)
    first = by_customer["timestamp"].min()
    assert (first.astype("datetime64[s]") == truth["first_purchase"].astype("datetime64[s]")).all()
    assert first.is_monotonic_increasing
    assert first.max() < pd.Timestamp("2024-01-01")
    assert (rows["amount"] >= 0.01).all()
    np.testing.assert_allclose(100.0 * rows["amount"], np.round(100.0 * rows["amount"]), atol=1e-6)


def test_purchases_and_leaving_agree_with_the_familys_formulas(case: tuple[Any, Any, Simulated]) -> None:
    formulas, params, simulated = case
    x, t_x, T = histories(simulated)
    surplus = x - formulas.expected_purchases_new(params, T)
    assert abs(surplus.mean()) < 4.0 * surplus.std() / np.sqrt(x.size)
    believed, is_alive = formulas.p_alive(params, x, t_x, T), simulated.truth["is_alive"].to_numpy()
    # calibrated, among all customers and among those of whom little is sure
    for some in (np.ones(x.size, dtype=bool), (believed > 0.2) & (believed < 0.8)):
        p = believed[some]
        error = np.sqrt((p * (1.0 - p)).sum())
        assert abs((is_alive[some] - p).sum()) <= 4.0 * error + 1e-9


def test_spend_agrees_with_the_gamma_gamma(case: tuple[Any, Any, Simulated]) -> None:
    """One level of spend a customer: means over customers, and means that vary as they should."""
    p, q, v = SPEND
    means = frame(case[2]).groupby("customer_id")["amount"].agg(["size", "mean"])
    surplus = means["mean"] - p * v / (q - 1.0)
    assert abs(surplus.mean()) < 4.0 * surplus.std() / np.sqrt(len(means))
    level = (p * v) ** 2 / ((q - 1.0) ** 2 * (q - 2.0))
    noise = p * v**2 / ((q - 1.0) * (q - 2.0)) / means["size"]
    np.testing.assert_allclose((surplus**2).sum(), (level + noise).sum(), rtol=0.15)


def test_the_same_number_gives_the_same_log() -> None:
    params = FAMILIES["BG/NBD"][1]
    one, again, other = (
        simulate_log(params, SPEND, n_customers=200, random_state=seed) for seed in (3, 3, 4)
    )
    assert one.log.fingerprint() == again.log.fingerprint() != other.log.fingerprint()
    pd.testing.assert_frame_equal(one.truth, again.truth)
    from_generator = simulate_log(params, SPEND, n_customers=200, random_state=np.random.default_rng(3))
    assert from_generator.log.fingerprint() == one.log.fingerprint()


def test_dates_are_as_asked() -> None:
    log = simulate_log(
        FAMILIES["NBD"][1],
        SPEND,
        n_customers=300,
        start="2020-02-28",
        days_of_acquisition=1,
        days_observed=3,
    ).log
    assert (str(log.first_day), str(log.observed_until)) == ("2020-02-28", "2020-03-01")


@pytest.mark.parametrize(("model", "family"), [(BGNBD(), "BG/NBD"), (ParetoNBD(), "Pareto/NBD")])
def test_a_snapshot_refits_to_the_truth(model: Any, family: str) -> None:
    """Within four standard errors, in logarithms, of a log that was read, cut into days and counted."""
    params = FAMILIES[family][1]
    log = simulate_log(params, SPEND, n_customers=10_000, random_state=7).log
    X = take_snapshot(log, Window("2024-12-30", 91), []).X
    for fitted, truth in ((model.fit(X), params), (GammaGamma().fit(X), SPEND)):
        found, error = np.array(fitted.params_), np.array(fitted.standard_errors_)
        z = np.log(found / np.array(truth)) / (error / found)
        assert (np.abs(z) < 4.0).all(), dict(zip(truth._fields, z, strict=True))
        assert (error / found < 0.35).all()


def test_what_describes_no_log_is_refused() -> None:
    params = FAMILIES["BG/NBD"][1]
    with pytest.raises(SettingsError, match=r"one of BGNBDParams.*got BGBBParams"):
        simulate_log(bgbb.Params(1.2, 0.75, 0.66, 2.78), SPEND, n_customers=5)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="alpha of BGNBDParams to be one number above 0; got -1"):
        simulate_log(params._replace(alpha=-1.0), SPEND, n_customers=5)
    with pytest.raises(SettingsError, match="q of GammaGammaParams"):
        simulate_log(params, SPEND._replace(q=np.ones(3)), n_customers=5)
    with pytest.raises(SettingsError, match="n_customers"):
        simulate_log(params, SPEND, n_customers=0)
    with pytest.raises(SettingsError, match="days_of_acquisition"):
        simulate_log(params, SPEND, n_customers=5, days_of_acquisition=9, days_observed=8)
