"""Charts of features: those that move predictions most, drawn without touching anything global."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd

from habitue.report.feature_charts import feature_charts

RNG = np.random.default_rng(0)
VALUES = pd.DataFrame(RNG.uniform(1.0, 9.0, (60, 4)), columns=["inactivity", "T", "price_€_日本", "gap_mean"])
WEIGHTS = np.array([0.5, 2.0, -1.0, 0.0])
MOVED = (VALUES - VALUES.mean()) * WEIGHTS


def test_the_features_that_move_predictions_most_come_first() -> None:
    charts = feature_charts(MOVED, VALUES)
    assert list(charts) == ["T", "price_€_日本", "inactivity"]
    assert list(feature_charts(MOVED, VALUES, n_features=1)) == ["T"]
    assert "gap_mean" not in feature_charts(MOVED, VALUES, n_features=9)


def test_what_has_no_values_is_passed_over() -> None:
    assert list(feature_charts(MOVED, VALUES[["inactivity"]])) == ["inactivity"]


def test_a_chart_says_what_it_shows_and_is_the_same_each_time() -> None:
    before = dict(mpl.rcParams)
    charts = feature_charts(MOVED, VALUES)
    assert 'aria-label="The more T, the higher the prediction"' in charts["T"]
    assert "the lower the prediction" in charts["price_€_日本"]
    assert all(svg.startswith("<svg") and svg.endswith("</svg>") for svg in charts.values())
    assert feature_charts(MOVED, VALUES) == charts
    assert dict(mpl.rcParams) == before
