"""Segments: everybody is in exactly one, told from the past alone; scores of a segment are scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import habitue as hb
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.evaluation.scores import SCORES
from habitue.evaluation.segments import (
    CONTRACT_SEGMENTS,
    PURCHASE_SEGMENTS,
    SURPRISE,
    p_silence,
    scores_by_segment,
    segment_of,
)

HORIZON = 60


def base(n: int = 400, *, seed: int = 0) -> pd.DataFrame:
    """Return histories: half bought once, some long silent."""
    rng = np.random.default_rng(seed)
    frequency = rng.poisson(3.0, n) * (rng.uniform(size=n) < 0.5)
    T = rng.integers(0, 400, n) + frequency + 1
    recency = np.where(frequency > 0, frequency + np.floor(rng.uniform(size=n) * (T - frequency)), 0)
    money = np.where(frequency > 0, rng.gamma(2.0, 20.0, n), 0.0)
    columns = {"frequency": frequency, "recency": recency, "T": T, "monetary_value": money}
    return pd.DataFrame(columns, index=pd.RangeIndex(n, name="customer_id"), dtype="float64")


# ---- which segment ----


@given(seed=st.integers(0, 2**32), n=st.integers(1, 60), horizon=st.integers(1, 500))
@settings(max_examples=30)
def test_everybody_is_in_exactly_the_segment_of_the_rule(seed: int, n: int, horizon: int) -> None:
    X = base(n, seed=seed)
    segment = segment_of(X, horizon=horizon)
    assert list(segment.cat.categories) == list(PURCHASE_SEGMENTS)
    assert segment.index.equals(X.index)
    assert segment.notna().all()
    once = X["frequency"] == 0
    silence = X["T"] - X["recency"]
    pivot = silence * X["frequency"] / X["recency"].where(~once)
    lapsed = pd.Series(stats.f.sf(pivot, 2, 2 * X["frequency"].where(~once)) < SURPRISE, index=X.index)
    assert ((segment == "new") == (once & (X["T"] <= horizon))).all()
    assert ((segment == "one-time") == (once & (X["T"] > horizon))).all()
    assert ((segment == "lapsed") == (~once & lapsed)).all()
    amount = X["frequency"] * X["monetary_value"]
    among = segment.isin(["heavy", "regular"])
    assert (among == (~once & ~lapsed)).all()
    assert (segment == "heavy").sum() <= 0.1 * (~once).sum() + 1
    heavy, regular = (amount[segment == one] for one in ("heavy", "regular"))
    assert heavy.min() > regular.max() or heavy.empty or regular.empty


@pytest.mark.parametrize("n_gaps", [1, 2, 5, 30])
def test_a_customer_whose_pace_has_not_changed_lapses_as_rarely_as_stated(n_gaps: int) -> None:
    rng = np.random.default_rng(n_gaps)
    n, rate = 40_000, rng.gamma(0.5, 2.0, (40_000, 1)) + 1e-6
    gaps = rng.exponential(1.0, (n, n_gaps + 1)) / rate
    recency = gaps[:, :-1].sum(axis=1)
    silent = p_silence(np.full(n, float(n_gaps)), recency, recency + gaps[:, -1])
    assert np.mean(silent < SURPRISE) == pytest.approx(SURPRISE, abs=4 * np.sqrt(0.05 * 0.95 / n))


def test_a_change_of_currency_or_of_the_order_changes_nothing() -> None:
    X = base()
    segment = segment_of(X, horizon=HORIZON)
    richer = segment_of(X.assign(monetary_value=X["monetary_value"] * 137.0), horizon=HORIZON)
    pd.testing.assert_series_equal(richer, segment)
    shuffled = segment_of(X.sample(frac=1.0, random_state=0), horizon=HORIZON)
    pd.testing.assert_series_equal(shuffled.loc[X.index], segment)


def test_several_cutoffs_are_judged_each_by_itself() -> None:
    first, second = base(seed=1), base(seed=2).assign(monetary_value=lambda X: X["monetary_value"] * 50.0)
    stacked = pd.concat([first, second], keys=["early", "late"], names=["cutoff"])
    together = segment_of(stacked, horizon=HORIZON)
    for cutoff, X in (("early", first), ("late", second)):
        pd.testing.assert_series_equal(together.loc[cutoff], segment_of(X, horizon=HORIZON))


def test_purchases_are_counted_where_no_amount_is_known() -> None:
    X = base().assign(monetary_value=0.0)
    segment = segment_of(X, horizon=HORIZON)
    assert X["frequency"][segment == "heavy"].min() > X["frequency"][segment == "regular"].max()


def test_of_contracts_only_tenure_tells() -> None:
    X = pd.DataFrame({"contract_tenure": [0.0, 60, 61, 365, 366], "n_contracts": 1.0})
    segment = segment_of(X, horizon=HORIZON)
    assert list(segment) == ["new", "new", "first year", "first year", "established"]
    assert list(segment.cat.categories) == list(CONTRACT_SEGMENTS)
    some_bought = X.assign(frequency=[1.0, 2, np.nan, 0, 0])
    pd.testing.assert_series_equal(segment_of(some_bought, horizon=HORIZON), segment)


def test_segments_of_real_customers_mean_what_they_say() -> None:
    snapshot = hb.take_snapshot(hb.datasets.cdnow(), hb.Window("1998-03-31", horizon=91))
    segment = segment_of(snapshot.X, horizon=91)
    assert snapshot.y is not None
    stays = 1.0 - snapshot.y["churned"].groupby(segment, observed=True).mean()
    spend = snapshot.y["spend"].groupby(segment, observed=True).mean()
    assert "new" not in stays.index  # all of CDNOW's customers came in the first quarter of 1997
    assert stays["one-time"] < stays["lapsed"] < stays["regular"] < stays["heavy"]
    assert spend.idxmax() == "heavy"


def test_what_is_missing_is_said() -> None:
    with pytest.raises(SchemaError, match="lacks recency"):
        segment_of(base().drop(columns="recency"), horizon=HORIZON)
    with pytest.raises(DataError, match="T is missing for 1 customer:"):
        segment_of(base().assign(T=lambda X: X["T"].where(X.index != 3)), horizon=HORIZON)
    with pytest.raises(SettingsError, match="1 or more days"):
        segment_of(base(), horizon=0)


# ---- scores of each ----


def predictions(*, target: str = "churned", n: int = 300, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Return what two models said of the same customers at two cutoffs, and the customers' segments."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(size=2 * n)
    outcome = (rng.uniform(size=2 * n) < chance).astype(float)
    frame = pd.DataFrame(
        {"cutoff": np.repeat([1, 2], n), "customer_id": np.tile(np.arange(n), 2), "target": target,
         "model": "good", "prediction": chance, "outcome": outcome}
    )  # fmt: skip
    other = frame.assign(model="flat", prediction=0.5)
    kinds = pd.Categorical(np.where(chance < 0.4, "low", np.where(chance < 0.9, "mid", "top")))
    index = pd.MultiIndex.from_arrays([frame["cutoff"], frame["customer_id"]])
    return pd.concat([frame, other], ignore_index=True), pd.Series(kinds, index=index)


def test_a_score_of_a_segment_is_the_score_of_its_rows() -> None:
    frame, segments = predictions()
    table = scores_by_segment(frame, segments, n_replicates=30)
    kind = segments.reindex(pd.MultiIndex.from_frame(frame[["cutoff", "customer_id"]])).to_numpy()
    for row in table.itertuples():
        score = next(one for one in SCORES["churned"] if one.name == row.score)
        some = frame[(kind == row.segment) & (frame["model"] == row.model)]
        assert row.value == pytest.approx(score(some["outcome"], some["prediction"]), nan_ok=True)
        assert (row.n_rows, row.n_customers) == (len(some), some["customer_id"].nunique())
    defined = table[table["value"].notna() & table["score"].isin(["auc", "brier", "log_loss"])]
    assert (defined["lower"] <= defined["value"]).all()
    assert (defined["value"] <= defined["upper"]).all()
    assert list(dict.fromkeys(table["segment"])) == ["low", "mid", "top"]


def test_segments_add_up_to_all_customers() -> None:
    frame, segments = predictions(target="spend")
    table = scores_by_segment(frame, segments, target="spend", at_least=1, n_replicates=1)
    mae = table[(table["score"] == "mae") & (table["model"] == "good")]
    whole = frame[frame["model"] == "good"]
    together = (mae["value"] * mae["n_rows"]).sum() / mae["n_rows"].sum()
    assert mae["n_rows"].sum() == len(whole)
    assert together == pytest.approx((whole["prediction"] - whole["outcome"]).abs().mean())


def test_a_customer_seen_twice_is_drawn_whole() -> None:
    frame, segments = predictions()
    again = frame.assign(cutoff=frame["cutoff"] + 2)
    later = segments.set_axis(segments.index.set_levels(segments.index.levels[0] + 2, level=0))
    once = scores_by_segment(frame, segments, n_replicates=100)
    twice = scores_by_segment(pd.concat([frame, again]), pd.concat([segments, later]), n_replicates=100)
    brier = once["score"] == "brier"
    # The same rows again are no further evidence: the intervals stay as wide.
    np.testing.assert_allclose(twice.loc[brier, "lower"], once.loc[brier, "lower"], atol=1e-12)
    np.testing.assert_allclose(twice.loc[brier, "upper"], once.loc[brier, "upper"], atol=1e-12)


def test_where_there_is_no_score_it_says_why() -> None:
    frame, segments = predictions()
    few = scores_by_segment(frame, segments, at_least=120, n_replicates=5)
    silent = few[few["value"].isna()]
    assert set(silent.loc[silent["note"].str.contains("too few"), "segment"]) == {"top"}
    assert silent["note"].str.contains(r"too few \(120\)|do not tell").all()
    stays = frame.assign(outcome=0.0)
    auc = scores_by_segment(stays, segments, n_replicates=5).query("score == 'auc'")
    assert (auc["note"] == "not defined: none of them left").all()
    assert auc["value"].isna().all()
    assert (auc["n_rows"] > 0).all()


def test_what_does_not_fit_is_said() -> None:
    frame, segments = predictions(n=60)
    with pytest.raises(DataError, match="have no segment"):
        scores_by_segment(frame, segments.iloc[:-3])
    with pytest.raises(DataError, match="more than once"):
        scores_by_segment(frame, pd.concat([segments, segments]))
    with pytest.raises(SchemaError, match="missing: outcome"):
        scores_by_segment(frame.drop(columns="outcome"), segments)
    with pytest.raises(SettingsError, match="no target 'spend'"):
        scores_by_segment(frame, segments, target="spend")
    with pytest.raises(SettingsError, match="at_least"):
        scores_by_segment(frame, segments, at_least=0)
