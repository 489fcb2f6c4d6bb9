"""What moves loyalty, of whole logs: what each kind of record lets be told, and what is said where not."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.pipelines.scorecard_drivers import movers_of
from habitue.records.business import SimulatedBusiness

START = date(2023, 12, 31)


@pytest.fixture(scope="module")
def business() -> SimulatedBusiness:
    return hb.simulate_business(n_customers=900, random_state=7)


@pytest.fixture(scope="module")
def told(business: SimulatedBusiness) -> dict[str, Any]:
    end = business.log.observed_until
    return movers_of(business.log, START, end, horizon=91, confidence=0.95)


def test_all_of_it_is_plain_data_and_small(told: dict[str, Any]) -> None:
    assert set(told) == {"notes", "drivers", "effects", "themes", "topics"}
    assert len(json.dumps(told, allow_nan=False)) < 60_000


def test_effects_are_told_beside_associations_and_are_none_where_offers_do_nothing(
    told: dict[str, Any],
) -> None:
    assert {row["kind"] for row in told["drivers"]["rows"]} == {"association"}
    columns = told["effects"]["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in told["effects"]["rows"]]
    # The campaigns of the simulated business change nothing.
    assert all(row["lower"] < 0.0 < row["upper"] or row["p_holm"] > 0.01 for row in rows)
    assert all(row["effect"] == pytest.approx(row["mean"] - row["control_mean"]) for row in rows)


def test_an_offer_is_compared_with_the_controls_of_its_own_campaign() -> None:
    """Gifts went to regulars and calls to the long silent: each tells of its own."""
    n, rng, day = 800, np.random.default_rng(5), pd.Timestamp("2024-03-01")
    regular = np.arange(n) < n // 2
    known = pd.DataFrame({"customer_id": range(n), "timestamp": day - pd.Timedelta(days=50), "amount": 9.0})
    stays = rng.uniform(size=n) < np.where(regular, 0.9, 0.1)
    later = known[stays].assign(timestamp=day + pd.Timedelta(days=9))
    treated = rng.uniform(size=n) < np.where(regular, 0.9, 0.5)
    contacts = pd.DataFrame(
        {
            "customer_id": range(n),
            "timestamp": day,
            "campaign": np.where(regular, "spring: gift", "spring: call"),
            "arm": np.where(treated, np.where(regular, "gift", "call"), "control"),
            "propensity": np.where(regular, np.where(treated, 0.9, 0.1), 0.5),
            "randomised": True,
        }
    )
    log = hb.CustomerLog(
        transactions=pd.concat([known, later]), contacts=contacts, observed_until="2024-05-01"
    )
    told = movers_of(log, date(2024, 1, 31), date(2024, 5, 1), horizon=30, confidence=0.99)["effects"]
    rows = {row[0]: dict(zip(told["columns"], row, strict=True)) for row in told["rows"]}
    for name, own in (("gift", regular), ("call", ~regular)):
        assert rows[name]["n_control"] == (own & ~treated).sum()
        assert rows[name]["effect"] == pytest.approx(
            stays[own & treated].mean() - stays[own & ~treated].mean(), abs=1e-6
        )


def test_themes_tell_praise_from_blame_by_the_scores_that_came_with_them(
    told: dict[str, Any], business: SimulatedBusiness
) -> None:
    scores = {row["theme"]: row["score"] for row in told["themes"]["rows"]}
    assert all(0.0 <= score <= 1.0 for score in scores.values())
    bad = np.mean([score for theme, score in scores.items() if "broken" in theme or "never" in theme])
    assert bad < np.mean([score for theme, score in scores.items() if "gladly" in theme or "easy" in theme])
    texts = business.frames["feedback"]
    assert told["themes"]["n_texts"] == (texts["text"].notna() & (texts["timestamp"] >= "2024-01-01")).sum()


def test_topics_are_counted(told: dict[str, Any], business: SimulatedBusiness) -> None:
    tickets = business.frames["tickets"]
    inside = tickets[tickets["opened_at"] >= "2024-01-01"]
    counted = {row[0]: row[1] for row in told["topics"]["rows"]}
    assert counted == inside["topic"].value_counts().to_dict()


def test_of_purchases_alone_drivers_are_told_and_nothing_else() -> None:
    log = hb.datasets.cdnow(sample=True)
    told = movers_of(log, date(1997, 6, 30), log.observed_until, horizon=91, confidence=0.95)
    assert set(told) == {"notes", "drivers"}
    assert any("no features: satisfaction" in note for note in told["drivers"]["notes"])


def test_a_log_too_short_for_the_horizon_says_so(business: SimulatedBusiness) -> None:
    told = movers_of(business.log, START, business.log.observed_until, horizon=2_000, confidence=0.95)
    assert "drivers" not in told
    assert any("too short for a horizon of 2,000 days" in note for note in told["notes"])
    assert any("effects of randomised contacts are left out" in note for note in told["notes"])
