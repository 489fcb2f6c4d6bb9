"""The contract of a model: real growth is no breach, real damage is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from habitue.pipelines.scoring.contract import Contract, check_contract
from habitue.records import CustomerLog, read_log
from habitue.records.datasets import cdnow
from habitue.snapshots import Population, Window, learn_population, stack, take_snapshot, training_cutoffs
from habitue.snapshots.profile import Profile
from habitue.vocabulary import term_of


class Learned(NamedTuple):
    """What a training at a cutoff saw, and what belongs to asking it later."""

    log: CustomerLog
    window: Window
    profile: Profile
    population: Population

    def features(self, cutoff: date) -> pd.DataFrame:
        names = list(self.profile.columns)
        window = Window(cutoff, self.window.horizon)
        return take_snapshot(self.log, window, names, population=self.population).X[names]


def learn(log: CustomerLog, cutoff: str, horizon: int, columns: list[str] | None = None) -> Learned:
    window = Window(date.fromisoformat(cutoff), horizon)
    days = training_cutoffs(log, window)
    population = learn_population(log.until(days[0]))
    past = [take_snapshot(log, Window(day, horizon), columns, population=population) for day in days]
    return Learned(log, window, Profile.of(stack(past).X), population)


def check(learned: Learned, X: pd.DataFrame, cutoff: date | None = None, size: int = 400) -> Contract:
    parts = [X.iloc[i : i + size] for i in range(0, len(X), size)] or [X]
    return check_contract(learned.profile, lambda: iter(parts), cutoff=cutoff or learned.window.cutoff)


@pytest.fixture(scope="module")
def music() -> Learned:
    return learn(cdnow(sample=True), "1997-12-30", 91)


def no_breach_as_time_passes(learned: Learned, last: date) -> None:
    """The training is scored on its own day, and one and two horizons later."""
    for k in range(3):
        cutoff = learned.window.cutoff + timedelta(days=k * learned.window.horizon)
        if cutoff <= last:
            assert check(learned, learned.features(cutoff), cutoff).breaches == []


def test_a_cohort_that_grows_older_breaches_nothing(music: Learned) -> None:
    """CDNOW: nobody is new, so everybody is older than anybody was at training."""
    no_breach_as_time_passes(music, date(1998, 6, 30))


@pytest.mark.slow
@pytest.mark.parametrize(("cutoff", "horizon"), [("1997-09-30", 91), ("1998-01-31", 60), ("1997-12-30", 30)])
def test_all_of_cdnow_breaches_nothing(cutoff: str, horizon: int) -> None:
    no_breach_as_time_passes(learn(cdnow(), cutoff, horizon), date(1998, 6, 30))


@pytest.fixture(scope="module")
def retail_log(shared_data: Path) -> CustomerLog:
    lines = pd.read_parquet(shared_data / "data" / "online_retail" / "online_retail.parquet")
    lines = lines.dropna(subset="CustomerID")
    lines = lines[lines["CustomerID"].astype(int) % 4 == 1]
    frame = pd.DataFrame(
        {
            "customer_id": lines["CustomerID"].astype(int).to_numpy(),
            "timestamp": lines["InvoiceDate"].to_numpy(),
            "amount": (lines["UnitPrice"] * lines["Quantity"]).round(2).to_numpy(),
            "order_id": lines["InvoiceNo"].astype(str).to_numpy(),
            "product_id": lines["StockCode"].astype(str).to_numpy(),
            "quantity": lines["Quantity"].astype(float).to_numpy(),
        }
    )
    return read_log(frame.drop_duplicates())


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("cutoff", "horizon"), [("2011-06-09", 91), ("2011-09-09", 91), ("2011-07-31", 30)])
def test_a_growing_shop_breaches_nothing(retail_log: CustomerLog, cutoff: str, horizon: int) -> None:
    no_breach_as_time_passes(learn(retail_log, cutoff, horizon), date(2011, 12, 9))


def money(X: pd.DataFrame, factor: float) -> pd.DataFrame:
    return X.assign(**{name: X[name] * factor for name in X if term_of(str(name)).unit == "money"})


DAMAGE: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, str]] = {
    "a dropped column": (lambda X: X.drop(columns="spend_mean"), "spend_mean", "no such column"),
    "cents": (lambda X: money(X, 100.0), "spend_mean", "range"),
    "tens of cents": (lambda X: money(X, 10.0), "spend_365d", "unit"),
    "thousands": (lambda X: money(X, 0.001), "spend_first", "unit"),
    "half the customers gone": (lambda X: X.iloc[: int(0.49 * len(X))], "", "fewer customers"),
    "a broken join": (lambda X: X.assign(spend_mean=np.nan, spend_max=np.nan), "spend_max", "missing"),
    "a source that stops": (
        lambda X: X.assign(spend_mean=X["spend_mean"].where(np.arange(len(X)) % 5 < 2)),
        "spend_mean",
        "missing",
    ),
    "text": (lambda X: X.assign(spend_mean=X["spend_mean"].astype(str)), "spend_mean", "type"),
    "hours": (lambda X: X.assign(T=X["T"] * 24), "T", "range"),
    "weeks": (lambda X: X.assign(T=X["T"] / 7), "recency", "impossible"),
    "negative": (lambda X: X.assign(frequency=X["frequency"] - 1), "frequency", "impossible"),
    "one unknown history": (lambda X: X.assign(T=X["T"].where(np.arange(len(X)) > 0)), "T", "missing"),
    "infinite": (lambda X: X.assign(spend_mean=X["spend_mean"] / 0.0), "spend_mean", "infinite"),
    "constant": (lambda X: X.assign(spend_total=20.0), "spend_total", "constant"),
    "twice": (lambda X: pd.concat([X, X.iloc[[0]]]), "customer_id", "twice"),
    "empty": (lambda X: X.iloc[:0], "", "empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_a_breach(music: Learned, name: str) -> None:
    damage, column, what = DAMAGE[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        contract = check(music, damage(music.features(music.window.cutoff)))
    found = {(one.column, one.what) for one in contract.findings if one.severity == "breach"}
    assert (column, what) in found
    assert all(one.told.endswith((".", "?")) for one in contract.findings)
    plain = json.loads(json.dumps(contract.to_plain()))
    assert [one["told"] for one in plain if one["severity"] == "breach"] == contract.breaches


def test_dearer_by_a_fifth_and_fewer_by_a_tenth_is_no_breach(music: Learned) -> None:
    X = money(music.features(music.window.cutoff), 1.2)
    assert check(music, X.iloc[len(X) // 10 :]).breaches == []


def test_parts_do_not_show(music: Learned) -> None:
    X = money(music.features(music.window.cutoff), 100.0)
    first, second = check(music, X, size=97), check(music, X, size=10_000)
    assert first == second
    assert first.observed.columns["T"].tally == music.profile.columns["T"].refilled(X["T"]).tally


def test_who_stands_in_another_part_again_is_found(music: Learned) -> None:
    X = music.features(music.window.cutoff)
    (told,) = check(music, pd.concat([X, X.iloc[:3]]), size=len(X)).breaches
    assert told.startswith("3 rows")


def test_unusual_is_noted_and_lets_pass() -> None:
    profile = Profile.of(
        pd.DataFrame(
            {
                "visits": np.arange(1000.0) % 40,
                "flag": np.arange(1000.0) % 50 == 0,
                "score": np.where(np.arange(1000) % 20 == 0, np.nan, np.arange(1000) % 7),
                "plan": pd.Categorical(np.where(np.arange(1000) % 2 == 0, "a", "b")),
            }
        )
    )
    rows = np.arange(700)
    now = pd.DataFrame(
        {
            "visits": np.where(rows % 40 == 0, 90.5, rows % 40),
            "flag": False,
            "score": np.where(rows % 5 == 0, np.nan, rows % 7),
            "plan": pd.Categorical(np.where(rows % 4 == 0, "new", "a")),
        }
    )
    contract = check_contract(profile, lambda: [now])
    assert contract.breaches == []
    assert {(one.column, one.what) for one in contract.findings} == {
        ("", "fewer customers"), ("visits", "fractions"), ("visits", "range"), ("flag", "constant"),
        ("score", "missing"), ("plan", "new values"),
    }  # fmt: skip
    assert len(contract.notes) == 6


def test_a_campaign_of_ours_is_noted_and_breaks_nothing() -> None:
    """All were contacted on one day, more often than ever: we did that, and no source is broken."""
    rows = np.arange(1000)
    profile = Profile.of(
        pd.DataFrame({"days_since_contact": 22.0 + rows % 60, "n_contacts_365d": 0.0 + (rows % 9 == 0)})
    )
    now = pd.DataFrame({"days_since_contact": 169.0, "n_contacts_365d": 2.0 + rows % 5})
    contract = check_contract(profile, lambda: [now])
    assert contract.breaches == []
    assert {one.column for one in contract.findings} == {"days_since_contact", "n_contacts_365d"}


def test_a_column_without_a_value_may_be_of_any_type() -> None:
    """An empty column of a CSV file comes as text, one of Parquet as nothing at all."""
    profile = Profile.of(pd.DataFrame({"rare": [np.nan] * 99 + [1.0], "x": np.arange(100.0)}))
    now = pd.DataFrame({"rare": pd.Series([None] * 100, dtype=object), "x": np.arange(100.0)})
    assert check_contract(profile, lambda: [now]).breaches == []


def test_chance_alone_seldom_breaches() -> None:
    """A hundred pairs of samples of one heavy-tailed law, small and large against each other."""
    rng, breaches = np.random.default_rng(4), []

    def sample(n: int) -> pd.DataFrame:
        laws: dict[str, Any] = {
            "spend": rng.lognormal(3.0, 1.5, n), "n": rng.poisson(0.1, n).astype(float),
            "rare": np.where(rng.uniform(size=n) < 0.02, rng.gamma(1.0, 9.0, n), np.nan),
            "T": rng.integers(0, 400, n).astype(float),
        }  # fmt: skip
        return pd.DataFrame(laws)

    for n in (30, 100, 300, 1000) * 25:
        profile = Profile.of(sample(n), cutoff=date(2024, 1, 1))
        now = sample(int(n * rng.uniform(0.6, 20.0)))
        breaches += check_contract(profile, lambda now=now: [now], cutoff=date(2024, 1, 1)).breaches
    assert breaches == []


def test_who_is_new_breaches_nothing_though_nobody_was_at_training() -> None:
    learned = Profile.of(pd.DataFrame({"T": np.arange(19.0, 219.0)}), cutoff=date(2024, 6, 30))
    now = pd.DataFrame({"T": np.concatenate([np.zeros(30), np.arange(1.0, 171.0)])})
    assert check_contract(learned, lambda: [now], cutoff=date(2024, 7, 31)).breaches == []


def test_before_the_training_there_were_fewer_customers() -> None:
    learned = Profile.of(pd.DataFrame({"T": np.arange(0.0, 400.0)}), cutoff=date(2024, 6, 30))
    now = pd.DataFrame({"T": np.arange(0.0, 100.0)})
    assert check_contract(learned, lambda: [now], cutoff=date(2023, 9, 30)).breaches == []
    assert "fewer" in str(check_contract(learned, lambda: [now], cutoff=date(2024, 7, 30)).findings)
