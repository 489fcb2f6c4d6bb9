"""What moves loyalty, of whole logs: what each kind of record lets be told, and what is said where not."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
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
