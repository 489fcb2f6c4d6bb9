"""Fairness audits: fairlearn's numbers, found where planted, silent where there is nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import cross_val_predict

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.evaluation.fairness import FairnessAudit, audit_fairness
from habitue.evaluation.fairness_measures import MEASURES, groups_of

FEW: dict[str, Any] = {"n_replicates": 60, "at_least": 20}


def churners(n: int = 1500, *, seed: int = 0) -> pd.DataFrame:
    """Return calibrated predictions, what happened, and attributes that have nothing to do with either."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2.0, 4.0, n)
    y = (rng.uniform(size=n) < p).astype(float)
    return pd.DataFrame(
        {"y": y, "p": p, "gender": rng.choice(["f", "m"], n), "region": rng.choice([*"abc"], n)}
    )


def audit(frame: pd.DataFrame, *names: str, **changes: Any) -> FairnessAudit:
    return audit_fairness(frame["y"], frame["p"], frame[list(names)], **(FEW | changes))


def value(found: FairnessAudit, measure: str, group: str) -> float:
    rows = found.groups[(found.groups["measure"] == measure) & (found.groups["group"] == group)]
    return float(rows["value"].iloc[0])


def gap(found: FairnessAudit, measure: str) -> pd.Series:
    return found.gaps[found.gaps["measure"] == measure].iloc[0]


# ---- the numbers ----


@given(seed=st.integers(0, 2**32), threshold=st.floats(0.1, 0.6))
@settings(max_examples=5)
def test_rates_are_fairlearns(seed: int, threshold: float) -> None:
    frame = churners(400, seed=seed)
    found = audit(frame, "gender", threshold=threshold, n_replicates=2)
    flagged = frame["p"] >= threshold
    sensitive = {"sensitive_features": frame["gender"]}
    for name in ("selection_rate", "true_positive_rate", "false_positive_rate"):
        theirs = fairlearn.MetricFrame(
            metrics=getattr(fairlearn, name), y_true=frame["y"], y_pred=flagged, **sensitive
        )
        for group in ("f", "m"):
            assert value(found, name, group) == pytest.approx(theirs.by_group[group])
        assert gap(found, name)["difference"] == pytest.approx(theirs.difference())
        if theirs.by_group.min() > 0:
            assert gap(found, name)["ratio"] == pytest.approx(theirs.ratio())
    parity = fairlearn.demographic_parity_difference(frame["y"], flagged, **sensitive)
    assert gap(found, "selection_rate")["difference"] == pytest.approx(parity)


def test_scores_are_scikit_learns() -> None:
    frame = churners()
    found = audit(frame, "region")
    for group, rows in frame.groupby("region"):
        assert value(found, "auc", str(group)) == pytest.approx(roc_auc_score(rows["y"], rows["p"]))
        assert value(found, "brier", str(group)) == pytest.approx(brier_score_loss(rows["y"], rows["p"]))
        mean = rows["p"].mean() - rows["y"].mean()
        assert value(found, "calibration_gap", str(group)) == pytest.approx(mean)
    assert (found.groups["lower"] <= found.groups["upper"]).all()
    assert len(found.gaps) == 3 * len(MEASURES["churned"])


def test_the_top_share_is_flagged() -> None:
    found = audit(churners().assign(everybody="x"), "everybody", top_share=0.2)
    assert value(found, "selection_rate", "x") == pytest.approx(0.2, abs=0.002)


def test_a_change_of_currency_moves_money_alone() -> None:
    rng = np.random.default_rng(0)
    frame = churners().assign(y=lambda X: X["p"] * rng.gamma(1.0, 50.0, len(X)), p=lambda X: X["p"] * 55.0)
    one = audit(frame, "gender", target="spend").groups
    other = audit(frame.assign(y=frame["y"] * 40, p=frame["p"] * 40), "gender", target="spend").groups
    money = one["measure"].isin([each.name for each in MEASURES["spend"] if each.unit == "money"])
    for column in ("value", "lower", "upper"):
        np.testing.assert_allclose(other[column], one[column] * np.where(money, 40.0, 1.0))


def test_the_order_of_rows_changes_nothing() -> None:
    frame = churners()
    one, other = audit(frame, "region"), audit(frame.sample(frac=1.0, random_state=1), "region")
    pd.testing.assert_frame_equal(one.gaps, other.gaps)
    assert one.told == other.told


def test_the_same_rows_again_are_no_evidence() -> None:
    frame = churners(600)
    who = np.arange(600)
    once = audit(frame, "gender", customers=who)
    twice = audit(pd.concat([frame, frame]), "gender", customers=np.tile(who, 2))
    spans = [found.gaps["upper"] - found.gaps["lower"] for found in (once, twice)]
    np.testing.assert_allclose(spans[1].median() / spans[0].median(), 1.0, atol=0.15)
    assert list(twice.groups["n_rows"] / twice.groups["n_customers"]) == [2.0] * len(twice.groups)


# ---- chance and no chance ----


@pytest.mark.slow
def test_where_groups_are_alike_hardly_anything_is_found() -> None:
    rng = np.random.default_rng(0)
    frame = churners(600)
    random = pd.DataFrame({f"a{place}": rng.choice([*"abcd"[: 2 + place % 3]], 600) for place in range(20)})
    found = audit_fairness(frame["y"], frame["p"], random, **FEW)
    # For all pairs of an attribute together, a measure is called different in about one case in twenty.
    by_attribute = found.gaps.groupby(["attribute", "measure"])["beyond_chance"].any()
    assert by_attribute.mean() < 0.10
    assert len(by_attribute) == 20 * len(MEASURES["churned"])


def test_a_group_that_is_wronged_is_found() -> None:
    frame = churners(4000)
    wronged = frame.assign(p=np.where(frame["gender"] == "f", frame["p"] * 0.7, frame["p"]))
    found = audit(wronged, "gender", top_share=0.2)
    for measure in ("calibration_gap", "selection_rate", "true_positive_rate"):
        row = gap(found, measure)
        assert row["beyond_chance"]
        assert (row["higher"], row["lower_group"]) == ("m", "f")
    assert not gap(found, "base_rate")["beyond_chance"]
    assert any("the share flagged is higher for m than for f by" in told for told in found.told)
    assert not any("which of the two matters" in told for told in found.told)


def test_where_the_world_differs_the_trade_off_is_told() -> None:
    rng = np.random.default_rng(1)
    frame = churners(4000)
    frame["gender"] = np.where(rng.uniform(size=4000) < frame["p"] * 1.5, "f", "m")
    found = audit(frame, "gender")
    assert gap(found, "base_rate")["beyond_chance"]
    assert any("which of the two matters" in told for told in found.told)


# ---- groups ----


def test_small_groups_are_told_and_not_judged() -> None:
    frame = churners().assign(region=lambda X: np.where(X.index < 30, "tiny", X["gender"]))
    found = audit(frame, "region", at_least=50)
    tiny = found.groups[found.groups["group"] == "tiny"]
    assert len(tiny) == 1
    assert tiny[["value", "lower", "upper"]].isna().all(axis=None)
    assert "tiny" not in {*found.gaps["higher"], *found.gaps["lower_group"]}
    assert "region: too small to be judged (50 customers needed): tiny (30)." in found.told
    alone = audit(frame.assign(region="all"), "region")
    assert alone.gaps.empty
    assert "nothing can be compared" in alone.told[0]


@given(values=st.lists(st.floats(-100, 100) | st.integers(0, 3).map(float), min_size=1, max_size=60))
@settings(max_examples=40)
def test_numbers_are_put_into_at_most_five_groups_in_order(values: list[float]) -> None:
    numbers = pd.Series(values)
    groups = groups_of(numbers)
    assert groups.notna().all()
    assert groups.nunique() <= 5
    ranges = numbers.groupby(groups, observed=True).agg(["min", "max"])
    assert (ranges["min"].iloc[1:].to_numpy() > ranges["max"].iloc[:-1].to_numpy()).all()


def test_what_is_not_known_is_a_group_of_its_own() -> None:
    assert list(groups_of(pd.Series(["b", None, "a"])).cat.categories) == ["a", "b", "not known"]
    assert list(groups_of(pd.Series([True, False]))) == ["yes", "no"]
    assert list(groups_of(pd.Series([0, 1, np.nan]))) == ["0", "1", "not known"]
    with pytest.raises(SchemaError, match="born is a date"):
        groups_of(pd.Series(pd.to_datetime(["1980-01-01"]), name="born"))
    named = pd.Series([f"{place}@example.org" for place in range(51)], name="email")
    assert groups_of(named.iloc[1:]).nunique() == 50
    with pytest.raises(SchemaError, match="email has 51 different values, which are no groups"):
        groups_of(named)


# ---- refusals ----


def test_what_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = churners(100)
    with pytest.raises(SchemaError, match="at least one declared attribute"):
        audit(frame)
    with pytest.raises(DataError, match="got 99 and 100"):
        audit_fairness(frame["y"], frame["p"], frame[["gender"]].iloc[1:])
    with pytest.raises(SettingsError, match="20 or more"):
        audit(frame, "gender", at_least=5)
    with pytest.raises(SettingsError, match="top_share"):
        audit(frame, "gender", top_share=1.0)
    with pytest.raises(SettingsError, match="no target 'gender'"):
        audit(frame, "gender", target="gender")
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    with pytest.raises(SettingsError, match=r"pip install 'habitue\[fairness\]'"):
        audit(frame, "gender")


@pytest.mark.data
def test_telco_treats_genders_alike_and_seniors_not(shared_data: Path) -> None:
    telco = pd.read_csv(shared_data / "data" / "telco_ibm" / "telco_customer_churn.csv.gz")
    X = pd.get_dummies(telco[["Contract", "InternetService", "PaymentMethod"]], dtype=float)
    X["tenure"] = telco["tenure"] / 72.0
    y = (telco["Churn"] == "Yes").to_numpy()
    p = cross_val_predict(LogisticRegression(), X, y, cv=2, method="predict_proba")[:, 1]
    found = audit_fairness(y, p, telco[["gender", "SeniorCitizen"]], top_share=0.2, n_replicates=60)
    clear = found.gaps[found.gaps["beyond_chance"]]
    assert set(clear["attribute"]) == {"SeniorCitizen"}
    assert {"base_rate", "selection_rate", "false_positive_rate"} <= set(clear["measure"])
    assert (clear.loc[clear["measure"] == "selection_rate", "higher"] == "1").all()
