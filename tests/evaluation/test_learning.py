"""What models are given at a cutoff, and what is kept from them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import habitue as hb
from habitue.errors import HabitueWarning
from habitue.evaluation.learning import silent_features, what_is_known
from habitue.features import FEATURES
from habitue.snapshots import learn_population

HORIZON = 30


def frames(n_customers: int = 150, *, events_until: str = "2024-12-31") -> dict[str, pd.DataFrame]:
    """Return purchases of tea, visits to the site that may no longer be recorded, and an attribute."""
    rng = np.random.default_rng(3)
    n = n_customers * 12
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D")
    seen = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D")
    events = pd.DataFrame(
        {"customer_id": rng.integers(0, n_customers, n), "timestamp": seen, "event": "visit"}
    )
    return {
        "transactions": pd.DataFrame(
            {
                "customer_id": rng.integers(0, n_customers, n),
                "timestamp": day,
                "amount": rng.integers(1, 50, n).astype(float),
                "product_id": rng.choice(["tea", "cup"], n),
                "quantity": 1.0,
            }
        ),
        "events": events[events["timestamp"] <= events_until],
        "customers": pd.DataFrame(
            {"customer_id": range(n_customers), "segment": rng.choice(["gold", "blue"], n_customers)}
        ),
    }


def windows(*cutoffs: str) -> list[hb.Window]:
    return [hb.Window(cutoff, horizon=HORIZON) for cutoff in cutoffs]


@pytest.fixture(scope="module")
def log() -> hb.CustomerLog:
    return hb.CustomerLog(**frames())


def test_the_population_is_learned_at_the_first_cutoff(log):
    *earlier, window = windows("2024-06-01", "2024-07-01", "2024-09-01")
    known = what_is_known(log, window, earlier)
    assert known.population.to_json() == learn_population(log.until("2024-06-01")).to_json()
    assert "segment_is_gold" in known.now.X
    assert any(feature.relation.learned and feature.name in known.now.X for feature in FEATURES)
    for snapshot in known.past:
        assert list(snapshot.X.columns) == list(known.now.X.columns)


def test_nothing_before_the_first_cutoff_is_learned_from_later_records(log):
    *earlier, window = windows("2024-06-01", "2024-07-01", "2024-09-01")
    known = what_is_known(log, window, earlier)
    changed = frames()
    late = changed["transactions"]["timestamp"] > "2024-06-01"
    changed["transactions"].loc[late, "amount"] *= 7
    again = what_is_known(hb.CustomerLog(**changed), window, earlier)
    pd.testing.assert_frame_equal(again.past[0].X, known.past[0].X, check_exact=True)


def test_what_is_the_same_for_everybody_at_the_cutoff_is_left_out_and_told():
    stopped = hb.CustomerLog(**frames(events_until="2024-07-15"), observed_until="2024-12-31")
    *earlier, window = windows("2024-07-01", "2024-12-01")
    with pytest.warns(HabitueWarning, match=r"every customer at 2024-12-01: .*n_events_90d \(0\)"):
        known = what_is_known(stopped, window, earlier)
    assert known.silent
    assert not silent_features(known.now.X)
    assert not set(known.silent) & set(known.past[0].X)
    fully = what_is_known(hb.CustomerLog(**frames()), window, earlier)
    assert set(fully.now.X) == set(known.now.X) | set(known.silent) - set(fully.silent)


def test_a_feature_that_was_asked_for_is_told_of_even_where_it_never_spoke(log):
    *earlier, window = windows("2024-06-01", "2024-09-01")
    with pytest.warns(HabitueWarning, match="cutoff_day_of_year"):
        known = what_is_known(log, window, earlier, ["inactivity", "cutoff_day_of_year"])
    assert list(known.silent) == ["cutoff_day_of_year"]


def test_what_is_to_stay_stays(log):
    *earlier, window = windows("2024-06-01", "2024-09-01")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known = what_is_known(log, window, earlier, ["cutoff_day_of_year"], keep=["cutoff_day_of_year"])
    assert "cutoff_day_of_year" in known.now.X


def test_silence_is_told_from_speech():
    X = pd.DataFrame({"same": [2.0, 2.0], "two": [1.0, 2.0], "none": [np.nan] * 2, "one": [np.nan, 1.0]})
    assert silent_features(X) == {"same": "2", "none": "missing"}


def test_a_backtest_tells_what_was_left_out():
    stopped = hb.CustomerLog(**frames(events_until="2024-08-20"), observed_until="2024-12-31")
    model = hb.BoostedChurnClassifier(n_estimators=5, n_jobs=1)
    with pytest.warns(HabitueWarning, match="have stopped"):
        tested = hb.backtest(stopped, [model], cutoffs=["2024-12-01"], horizon=HORIZON, n_training=2)
    (silent,) = tested.silent.values()
    (fitted,) = [one for key, one in tested.models.items() if key[2] == "BoostedChurnClassifier"]
    assert silent
    assert not set(silent) & set(fitted.feature_names_in_)
