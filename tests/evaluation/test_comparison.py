"""Models side by side: criteria follow from likelihoods, failures stay in the table, ties are called ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm

from habitue.errors import ConvergenceError, SchemaError, SettingsError
from habitue.evaluation.comparison import PURCHASE_FAMILIES, Comparison, compare
from habitue.evaluation.holdout import judge_holdout, purchase_log_scores
from habitue.evaluation.likelihood_tests import likelihood_ratio_tests, vuong_tests
from habitue.models.bgnbd import BGNBD
from habitue.models.mbgnbd import MBGNBD
from habitue.models.nbd import NBD
from habitue.models.pareto_nbd import ParetoNBD
from habitue.records import datasets
from habitue.snapshots import Snapshot, Window, take_snapshot

QUICK = {name: model for name, model in PURCHASE_FAMILIES.items() if name != "GGompertzNBD"}


@pytest.fixture(scope="module")
def cdnow() -> Snapshot:
    return take_snapshot(datasets.cdnow(sample=True), Window("1997-09-30", horizon=273))


@pytest.fixture(scope="module")
def compared(cdnow: Snapshot) -> Comparison:
    return compare(cdnow, QUICK, n_replicates=200)


class RunsAway(BGNBD):
    """A family that these customers do not determine."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> RunsAway:
        raise ConvergenceError(
            "b ran to the boundary: <use fewer parameters>",
            iterations=9,
            gradient_norm=0.1,
            params={"b": 1e9},
        )


# ---- the table ----


def test_all_families_are_there_and_criteria_follow_from_likelihoods(
    cdnow: Snapshot, compared: Comparison
) -> None:
    table = compared.table
    assert set(table.index) == set(QUICK)
    fitted = table.loc[table["loglik"].notna()]
    assert set(fitted.index) == set(compared.models) >= {"NBD", "BGNBD", "MBGNBD", "ParetoNBD"}
    k, loglik = fitted["n_params"].astype(float), fitted["loglik"]
    np.testing.assert_allclose(fitted["aic"], 2 * k - 2 * loglik)
    np.testing.assert_allclose(fitted["bic"], np.log(len(cdnow.X)) * k - 2 * loglik)
    assert fitted["aic"].is_monotonic_increasing
    assert fitted["delta_aic"].iloc[0] == 0.0
    assert fitted["akaike_weight"].sum() == pytest.approx(1.0)
    assert fitted.loc["BGNBD", "n_params"] == 4
    assert fitted.loc["NBD", "n_params"] == 2
    assert fitted.loc["BGCNBDk", "n_params"] == 5, "k was chosen"


@pytest.mark.slow
def test_left_out_models_means_all_families(cdnow: Snapshot) -> None:
    found = compare(cdnow, n_replicates=10)
    assert set(found.table.index) == set(PURCHASE_FAMILIES)
    row = found.table.loc["GGompertzNBD"]
    assert np.isfinite(row["loglik"]) or "boundary" in row["note"], "these customers show no ageing"


def test_holdout_figures_are_those_of_the_models(cdnow: Snapshot, compared: Comparison) -> None:
    model, row = compared.models["BGNBD"], compared.table.loc["BGNBD"]
    expected = model.expected_purchases(cdnow.X, horizon=273)
    actual = cdnow.outcomes["n_purchases"]
    assert row["expected_purchases"] == pytest.approx(expected.sum())
    assert row["bias"] == pytest.approx(expected.sum() / actual.sum() - 1)
    assert row["mae"] == pytest.approx((expected - actual).abs().mean())
    assert row["mae_over_zero"] == pytest.approx((expected - actual).abs().mean() / actual.mean())
    assert row["rmse"] == pytest.approx(np.sqrt(((expected - actual) ** 2).mean()))
    one_by_one = [
        np.log(model.purchase_pmf(cdnow.X.iloc[[at]], int(actual.iloc[at]), horizon=273).iloc[0])
        for at in range(0, len(actual), 100)
    ]
    scores = purchase_log_scores(model, cdnow.X, actual, horizon=273)
    np.testing.assert_allclose(scores[::100], one_by_one, rtol=1e-9)
    assert row["log_score"] == pytest.approx(scores.mean())


@pytest.mark.data
def test_published_accuracy_on_cdnow(shared_data: Any, compared: Comparison) -> None:
    published = pd.read_csv(shared_data / "golden" / "holdout_accuracy.csv")
    published = published.loc[published["dataset"] == "cdnow_sample(2357)"].set_index("model")
    for name, ours in {"NBD": "NBD", "BG/NBD": "BGNBD", "Pareto/NBD": "ParetoNBD"}.items():
        row = compared.table.loc[ours]
        assert row["bias"] == pytest.approx(published.loc[name, "bias"], abs=2e-3)
        assert row["mae"] == pytest.approx(published.loc[name, "MAE"], abs=2e-3)
        assert row["rmse"] == pytest.approx(published.loc[name, "RMSE"], abs=2e-3)


def test_intervals_hold_their_values_and_the_best_is_behind_nobody(compared: Comparison) -> None:
    table = compared.table.dropna(subset="log_score")
    for name in ("log_score", "bias", "behind_best"):
        assert (table[f"{name}_lower"] <= table[name] + 1e-9).all()
        assert (table[name] <= table[f"{name}_upper"] + 1e-9).all()
    assert table["behind_best"].max() == 0.0
    # Paired: the customers that are hard for one model are hard for all.
    nbd, bgnbd = table.loc["ParetoNBD"], table.loc["BGNBD"]
    width = nbd["behind_best_upper"] - nbd["behind_best_lower"]
    assert width < 0.3 * (bgnbd["log_score_upper"] - bgnbd["log_score_lower"])


def test_of_models_that_are_the_same_the_simpler_is_the_best(compared: Comparison) -> None:
    same = compared.table.loc[["MBGNBD", "MBGCNBDk"]]
    assert "the same model" in str(same.loc["MBGCNBDk", "note"])
    assert same["log_score"].diff().iloc[1] == pytest.approx(0.0, abs=1e-9)
    assert same.index[0] == "MBGNBD"
    assert compared.table["log_score"].idxmax() in {"MBGNBD", "MBGCNBDk"}
    assert any(told.startswith("On the holdout: MBGNBD has the best log score") for told in compared.findings)


def test_a_model_that_cannot_be_fitted_says_why(cdnow: Snapshot) -> None:
    found = compare(cdnow, {"away": RunsAway(), "BG/NBD": BGNBD()}, n_replicates=20)
    assert list(found.table.index) == ["BG/NBD", "away"]
    assert "ran to the boundary" in found.table.loc["away", "note"]
    assert found.table.loc["away"].drop("note").isna().all()
    assert list(found.models) == ["BG/NBD"]
    assert "away: b ran to the boundary" in str(found)
    assert "&lt;use fewer parameters&gt;" in found._repr_html_()


def test_nothing_crashes_where_no_model_can_be_fitted(cdnow: Snapshot) -> None:
    found = compare(cdnow, {"away": RunsAway()}, n_replicates=20)
    assert found.findings == ()
    assert found.tests.empty
    assert "ran to the boundary" in str(found)


def test_without_a_future_only_the_past_is_judged(cdnow: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("habitue.evaluation.comparison.PURCHASE_FAMILIES", QUICK)
    X = cdnow.X[["frequency", "recency", "T"]]
    found = compare(X, horizon=100)
    assert set(found.left_out) == {"BGCNBDk", "MBGCNBDk"}
    assert "gap_geometric_mean" in str(found)
    assert found.table["log_score"].isna().all()
    ahead = found.models["BGNBD"].expected_purchases(X, horizon=100).sum()
    assert found.table.loc["BGNBD", "expected_purchases"] == pytest.approx(ahead)
    assert compare(X.to_numpy(), [BGNBD()]).table["expected_purchases"].isna().all()
    unknown = Snapshot(cdnow.window, cdnow.X, None)
    assert compare(unknown, [BGNBD()]).table["log_score"].isna().all()


def test_a_weight_of_two_is_two_customers(cdnow: Snapshot) -> None:
    some = cdnow.X.iloc[:600]
    weights = np.tile([1.0, 2.0, 3.0], 200)
    y = cdnow.outcomes.iloc[:600]
    weighted = compare(Snapshot(cdnow.window, some, y), [BGNBD()], sample_weight=weights, n_replicates=20)
    again = np.repeat(np.arange(600), weights.astype(int))
    repeated = compare(Snapshot(cdnow.window, some.iloc[again], y.iloc[again]), [BGNBD()], n_replicates=20)
    columns = ["loglik", "aic", "bic", "expected_purchases", "log_score", "bias", "mae", "rmse"]
    np.testing.assert_allclose(
        weighted.table[columns].to_numpy(float), repeated.table[columns].to_numpy(float), rtol=1e-7
    )
    assert weighted.n_customers == repeated.n_customers == 1200


def test_the_order_of_customers_changes_nothing(cdnow: Snapshot) -> None:
    order = np.random.default_rng(3).permutation(len(cdnow.X))
    mixed = Snapshot(cdnow.window, cdnow.X.iloc[order], cdnow.outcomes.iloc[order])
    one, other = (compare(base, [BGNBD(), NBD()], n_replicates=50).table for base in (cdnow, mixed))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_estimators_handed_in_are_left_unfitted(cdnow: Snapshot) -> None:
    mine = BGNBD()
    compare(cdnow, [mine], n_replicates=5)
    assert not hasattr(mine, "params_")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"models": {}}, "name at least one"),
        ({"models": [BGNBD(), BGNBD(penalizer=0.1)]}, "of one class"),
        ({"models": BGNBD()}, "come as a list"),
        ({"horizon": 90}, "within 273 days, not within 90"),
        ({"horizon": -1}, "above 0"),
        ({"n_replicates": 0}, "at least 1"),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_impossible_settings_are_refused(cdnow: Snapshot, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        compare(cdnow, **settings)


def test_a_missing_column_is_the_callers_to_mend(cdnow: Snapshot) -> None:
    with pytest.raises(SchemaError, match="colour"):
        compare(cdnow, [BGNBD(rate_covariates=["colour"])])


def test_it_reads_well(compared: Comparison) -> None:
    text, page = str(compared), compared._repr_html_()
    assert repr(compared) == text
    assert "MAE tells little here" in text, "predicting zero nearly ties every model on CDNOW"
    assert "worse beyond noise: NBD" in text
    assert page.count("<table") == 2
    assert page.startswith("<div>")
    assert "nan" not in text.lower().replace("finance", "")


# ---- the holdout ----


@given(
    actual=st.lists(st.integers(0, 5), min_size=2, max_size=30),
    better=st.floats(0.1, 2.0),
)
@settings(max_examples=40, deadline=None)
def test_a_model_that_is_better_for_everybody_is_better_without_doubt(
    actual: list[int], better: float
) -> None:
    scores = -1.0 - np.array(actual, dtype=float)
    expected = {"good": np.ones(len(actual)), "bad": np.ones(len(actual))}
    table = judge_holdout({"bad": scores - better, "good": scores}, expected, actual, n_replicates=30)
    assert table.loc["good", "behind_best"] == 0.0
    for name in ("behind_best", "behind_best_lower", "behind_best_upper"):
        assert table.loc["bad", name] == pytest.approx(-better)


def test_a_holdout_in_which_nobody_bought_has_no_bias() -> None:
    table = judge_holdout({"a": np.log([0.5, 0.9])}, {"a": np.array([0.1, 0.2])}, [0, 0], n_replicates=10)
    assert table[["bias", "bias_lower", "mae_over_zero"]].isna().all(axis=None)
    assert judge_holdout({}, {}, []).empty


# ---- the tests ----


def test_covariates_left_out_are_nested_with_a_degree_of_freedom_each(cdnow: Snapshot) -> None:
    X = cdnow.X
    models = {
        "plain": BGNBD().fit(X),
        "rate": BGNBD(rate_covariates=["spend_first"]).fit(X),
        "both": BGNBD(rate_covariates=["spend_first"], dropout_covariates=["spend_first"]).fit(X),
        "dropout": BGNBD(dropout_covariates=["spend_first"]).fit(X),
        "other family": MBGNBD().fit(X),
    }
    tests = likelihood_ratio_tests(models).set_index(["model", "against"])
    assert tests["df"].to_dict() == {
        ("plain", "rate"): 1,
        ("plain", "both"): 2,
        ("plain", "dropout"): 1,
        ("rate", "both"): 1,
        ("dropout", "both"): 1,
    }
    row = tests.loc[("plain", "both")]
    assert row["statistic"] == pytest.approx(2 * (models["both"].loglik_ - models["plain"].loglik_))
    assert row["p_value"] == pytest.approx(chi2.sf(row["statistic"], 2))


def test_at_the_boundary_half_of_chi_squared_counts(cdnow: Snapshot) -> None:
    models = {"NBD": NBD().fit(cdnow.X), "Pareto": ParetoNBD().fit(cdnow.X)}
    (row,) = likelihood_ratio_tests(models).to_dict("records")
    assert (row["model"], row["against"], row["df"]) == ("NBD", "Pareto", 1)
    assert row["p_value"] == pytest.approx(chi2.sf(row["statistic"], 1) / 2, abs=1e-300)
    assert "boundary" in row["meaning"]


def test_penalised_fits_are_not_tested(cdnow: Snapshot) -> None:
    models = {"a": NBD().fit(cdnow.X), "b": ParetoNBD(penalizer=0.01).fit(cdnow.X)}
    (row,) = likelihood_ratio_tests(models).to_dict("records")
    assert np.isnan(row["p_value"])
    assert "penalised" in row["meaning"]


class SBG(BGNBD):
    """Stands for the contractual family of that name."""


class BDW(BGNBD):
    """Stands for the one that contains it."""


def test_contractual_families_are_nested_inside() -> None:
    sbg, bdw = SBG(), BDW()
    sbg.loglik_, bdw.loglik_ = -100.0, -98.0
    (row,) = likelihood_ratio_tests({"small": sbg, "large": bdw}).to_dict("records")
    assert (row["statistic"], row["df"]) == (4.0, 1)
    assert row["p_value"] == pytest.approx(chi2.sf(4.0, 1))
    bdw.loglik_ = -100.0 - 1e-9  # two searches end apart by rounding
    assert likelihood_ratio_tests({"small": sbg, "large": bdw})["p_value"].iloc[0] == 1.0


def test_vuong_compares_customer_by_customer(cdnow: Snapshot) -> None:
    X = cdnow.X
    models = {"bg": BGNBD().fit(X), "pareto": ParetoNBD().fit(X), "nbd": NBD().fit(X)}
    rows = X[["frequency", "recency", "T"]].to_numpy().T
    densities = {
        name: np.asarray(model._formulas().log_likelihood(model.params_, *rows))
        for name, model in models.items()
    }
    (row,) = vuong_tests(models, densities, "bg").to_dict("records")
    assert row["against"] == "pareto", "NBD is a limit of BG/NBD"
    difference = densities["bg"] - densities["pareto"]
    z = difference.sum() / (np.sqrt(len(X)) * difference.std())
    assert row["statistic"] == pytest.approx(z)
    assert row["p_value"] == pytest.approx(2 * norm.sf(abs(z)))
    doubled = vuong_tests(models, densities, "bg", weights=np.full(len(X), 4.0))
    assert doubled["statistic"].iloc[0] == pytest.approx(2 * z)


def test_vuong_leaves_out_two_fits_that_are_one(cdnow: Snapshot) -> None:
    models = {"bg": BGNBD().fit(cdnow.X), "pareto": ParetoNBD().fit(cdnow.X)}
    same = np.linspace(-9.0, -1.0, 50)
    assert vuong_tests(models, {"bg": same, "pareto": same}, "bg").empty
    assert vuong_tests(models, {"pareto": same}, "bg").empty, "the best tells no likelihood by customer"


def test_compare_runs_vuong_where_models_tell_likelihoods_by_customer(cdnow: Snapshot) -> None:
    tests = compare(cdnow, {"bg": Telling(), "pareto": ParetoTelling()}, n_replicates=5).tests
    assert tests[["test", "model", "against"]].to_numpy().tolist() == [["Vuong", "bg", "pareto"]]
    assert tests["p_value"].between(0.0, 1.0).all()


class Telling(BGNBD):
    """Tells the log-likelihood of each customer."""

    def log_likelihood(self, X: pd.DataFrame) -> Any:
        return self._answer(X, "log_likelihood", self._formulas().log_likelihood)


class ParetoTelling(ParetoNBD):
    """Tells the log-likelihood of each customer."""

    def log_likelihood(self, X: pd.DataFrame) -> Any:
        return self._answer(X, "log_likelihood", self._formulas().log_likelihood)
