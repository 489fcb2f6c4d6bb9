"""Drivers: what is planted is found, what is not there is not, and nothing but association is claimed."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import DataError, SettingsError
from habitue.scorecard.drivers import QUADRANTS, Drivers, drivers, pillars_of
from habitue.scorecard.log_drivers import drivers_of


def customers(n: int = 6_000, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    draw = np.random.default_rng(seed)
    columns = first_feature_of_pillars()
    X = pd.DataFrame(draw.normal(size=(n, len(columns))), columns=list(columns.values()))
    weights = dict(zip(columns, (0.2, 0.0, 1.2, 0.5), strict=False))
    odds = sum(weight * X[columns[pillar]] for pillar, weight in weights.items())
    return X, draw.uniform(size=n) > 1.0 / (1.0 + np.exp(-odds.to_numpy()))


@cache
def first_feature_of_pillars() -> dict[str, str]:
    business = hb.simulate_business(n_customers=50)
    X = hb.take_snapshot(business.log, hb.Window("2024-06-30", horizon=91)).X
    chosen = ("satisfaction", "perceived_value", "habit", "switching_costs")
    numbers = X.select_dtypes("number").columns
    return {pillar: names[0] for pillar, names in pillars_of(list(numbers), chosen).items()}


@pytest.fixture(scope="module")
def found() -> Drivers:
    X, churned = customers()
    segment = np.where(np.arange(len(X)) % 3 == 0, "gold", "other")
    segment[:5] = "tiny"
    return drivers(X, churned, segment=segment)


def told(found: Drivers, segment: str = "") -> pd.DataFrame:
    return found.frame[found.frame["segment"] == segment].set_index("pillar")


def test_importance_follows_what_was_planted(found: Drivers) -> None:
    table = told(found)
    assert list(table["importance"].sort_values().index) == [
        "perceived_value",
        "satisfaction",
        "switching_costs",
        "habit",
    ]
    # With independent indices the shares are about those of the squared weights: .04, 0, 1.44, .25.
    assert (
        table.loc["habit", "importance_lower"] < 1.44 / 1.73 < table.loc["habit", "importance_upper"] + 0.03
    )
    assert table["importance"].sum() == pytest.approx(1.0)
    ends = table[["importance_lower", "importance", "importance_upper"]].to_numpy()
    assert (np.diff(ends, axis=1) >= -0.01).all()


def test_what_does_not_matter_has_an_interval_around_nothing(found: Drivers) -> None:
    row = told(found).loc["perceived_value"]
    assert row["association_lower"] < 1.0
    assert row["importance"] < 0.02


def test_quadrants_are_those_of_the_lines_and_all_is_called_association(found: Drivers) -> None:
    important, well = found.lines
    for row in found.frame.to_dict("records"):
        place = (row["importance"] >= important, row["performance"] >= well)
        assert row["quadrant"] == QUADRANTS[place]
        assert row["kind"] == "association"
    assert told(found).loc["habit", "quadrant"] in ("concentrate here", "keep up the good work")
    assert "association" in found.to_dict()["notes"][-1]
    json.dumps(found.to_dict(), allow_nan=False)


def test_segments_are_told_where_there_are_enough(found: Drivers) -> None:
    assert set(found.frame["segment"]) == {"", "gold", "other"}
    assert any("segment tiny: 5 customers, 200 needed" in note for note in found.notes)
    assert told(found, "gold")["n"].iloc[0] == pytest.approx(2_000, abs=5)


def test_a_pillar_of_pure_chance_explains_nothing_out_of_sample() -> None:
    X, churned = customers(2_000)
    nothing = drivers(X, np.random.default_rng(5).permutation(churned), n_replicates=20)
    assert nothing.explained < 0.01


def test_the_same_customers_give_the_same_answer_in_any_unit() -> None:
    X, churned = customers(1_000)
    one, again = (drivers(frame, churned, n_replicates=20).frame for frame in (X, X * 7.0))
    columns = ["importance", "association", "performance"]
    np.testing.assert_allclose(one[columns], again[columns], rtol=0.02, atol=0.5)
    pd.testing.assert_frame_equal(one, drivers(X, churned, n_replicates=20).frame)


def test_of_a_log_only_customers_who_could_be_lost_are_asked_about() -> None:
    business = hb.simulate_business(n_customers=600)
    found = drivers_of(business.log, horizon=180, n_replicates=20)
    left_before = (business.truth["left_at"] <= "2024-07-03").sum()
    assert found.frame["n"].max() <= 600 - left_before
    assert found.explained < 0.3  # that a contract had ended would have explained nearly all


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"churned": np.zeros(300)}, DataError, "None of 300 customers were lost"),
        ({"churned": np.ones(299)}, DataError, "yes or no of each of 300"),
        ({"pillars": ("relationship",)}, DataError, "no feature of relationship"),
        ({"confidence": 1.0}, SettingsError, "between 0 and 1"),
        ({"n_folds": 1}, SettingsError, "n_folds from 2"),
    ],
)
def test_what_cannot_be_told_is_refused(change: dict, error: type[Exception], words: str) -> None:
    X, churned = customers(300)
    given = {"churned": churned, **change}
    with pytest.raises(error, match=words):
        drivers(X, **given)
