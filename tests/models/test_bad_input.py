"""Bad input to every predictive model: each case says who answers anyway, and who refuses and how.

A refusal is an error of habitue's own, of one or two sentences, that names what is wrong and the way out. Who
is not named among those that refuse has to answer with finite numbers, one a customer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone, is_classifier
from sklearn.utils import get_tags

from habitue.errors import DataError, HabitueError, SchemaError, SettingsError
from habitue.models import (
    BGNBD,
    BaseRateClassifier,
    BoostedChurnClassifier,
    BoostedHazardModel,
    BoostedValueRegressor,
    BTYDChurnClassifier,
    BTYDValueRegressor,
    ContractEndClassifier,
    GammaGamma,
    HiatusClassifier,
    LastPeriodRepeatClassifier,
    LastPeriodRepeatRegressor,
    LogisticChurnClassifier,
    MeanRegressor,
    RateClassifier,
    RateRegressor,
    TenureClassifier,
    TunedModel,
    ZeroRegressor,
)
from habitue.models.value_laws import LAWS

HORIZON = 30
TREES: dict[str, Any] = {"n_estimators": 8, "min_child_samples": 10, "n_jobs": 1, "horizon": HORIZON}

MODELS: dict[str, Any] = {
    "boosted churn": BoostedChurnClassifier(**TREES),
    "hazard": BoostedHazardModel(**TREES),
    "tuned churn": TunedModel(BoostedChurnClassifier(**TREES), n_trials=1),
    **{f"boosted value, {law}": BoostedValueRegressor(law=law, **TREES) for law in LAWS},
    "tuned value": TunedModel(BoostedValueRegressor(**TREES), n_trials=1),
    "logistic": LogisticChurnClassifier(),
    "BTYD churn": BTYDChurnClassifier(horizon=HORIZON, purchases=BGNBD(penalizer=0.1)),
    "BTYD value": BTYDValueRegressor(
        horizon=HORIZON, purchases=BGNBD(penalizer=0.1), spend=GammaGamma(penalizer=0.01)
    ),
    "base rate": BaseRateClassifier(),
    "hiatus": HiatusClassifier(),
    "last period churn": LastPeriodRepeatClassifier(),
    "rate churn": RateClassifier(horizon=HORIZON),
    "tenure": TenureClassifier(),
    "contract end": ContractEndClassifier(horizon=HORIZON),
    "zero": ZeroRegressor(),
    "mean": MeanRegressor(),
    "last period value": LastPeriodRepeatRegressor(),
    "rate value": RateRegressor(horizon=HORIZON),
}
BOOSTED_CHURN = {"boosted churn", "hazard", "tuned churn"}
BOOSTED_VALUE = {name for name in MODELS if name.startswith("boosted value")} | {"tuned value"}
BOOSTED = BOOSTED_CHURN | BOOSTED_VALUE
ANY_COLUMNS = BOOSTED | {"logistic"}
"""Who learns from whatever columns there are; all others read those that they know by name."""
BY_NAME = set(MODELS) - ANY_COLUMNS
TUNED = {"tuned churn", "tuned value"}
BTYD = {"BTYD churn", "BTYD value"}
NO_COLUMNS = {"base rate", "zero", "mean"}
LEARNS = {name for name, model in MODELS.items() if get_tags(model).target_tags.required}
READS_Y = LEARNS | {"BTYD churn", "rate churn"}
"""Who learns nothing from y may still read the type of its classes there."""
CHURN = {name for name, model in MODELS.items() if is_classifier(model)}
READS_HISTORY = BTYD | {"rate churn", "rate value"}


def customers(n: int = 240, *, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return customers with a history, under contract too, and what they did next."""
    rng = np.random.default_rng(seed)
    T = rng.integers(60, 300, n).astype(np.float64)
    frequency = rng.poisson(rng.gamma(1.0, 3.0, n)).astype(np.float64)
    recency = np.where(frequency > 0, np.ceil(T * rng.uniform(size=n)), 0.0)
    X = pd.DataFrame({"frequency": frequency, "recency": recency, "T": T, "inactivity": T - recency})
    X["monetary_value"] = np.where(frequency > 0, rng.gamma(5.0, 4.0, n), 0.0)
    X["n_purchases_last_period"] = rng.poisson(0.3, n).astype(np.float64)
    X["spend_last_period"] = X["n_purchases_last_period"] * 12.5
    X["contract_tenure"], X["contract_days_left_max"] = T, 310.0 - T
    X["auto_renew_share"] = (frequency > 0).astype(np.float64)
    churned = rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-(X["inactivity"] - 80.0) / 40.0))
    spend = np.where(churned, 0.0, rng.gamma(2.0, 15.0, n))
    return X, pd.DataFrame({"churned": churned, "spend": spend})


X, Y = customers()


def stacked() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the same customers at two cutoffs."""
    keys = pd.to_datetime(["2024-01-01", "2024-02-15"])
    return tuple(pd.concat([one, one], keys=keys, names=["cutoff", "customer_id"]) for one in (X, Y))  # type: ignore[return-value]


def target(name: str, y: pd.DataFrame) -> Any:
    return y["churned"] if name in CHURN else y["spend"]


def answer(model: Any, rows: Any) -> np.ndarray:
    return model.predict_proba(rows)[:, 1] if is_classifier(model) else np.asarray(model.predict(rows))


def fresh(name: str) -> Any:
    return clone(MODELS[name])


@cache
def fitted(name: str) -> Any:
    return fresh(name).fit(X, target(name, Y))


def wrong(act: Callable[[], np.ndarray], expected: np.ndarray | int, refused: str | None, error: type) -> str:
    """Return what is not as foretold of finite answers or of a short refusal; nothing where all is."""
    try:
        told = act()
    except Exception as caught:  # noqa: BLE001 - of other models the table is to tell too
        if refused is None or not isinstance(caught, error) or not re.search(refused, str(caught), re.DOTALL):
            return f"{type(caught).__name__}: {caught}"
        return "" if len(str(caught)) < 500 else f"a long story: {caught}"
    if refused is not None:
        return "answers"
    if isinstance(expected, np.ndarray):
        return "" if np.array_equal(told, expected) else f"answers otherwise: {told[:3]}, not {expected[:3]}"
    return "" if told.shape == (expected,) and np.isfinite(told).all() else f"answers {told[:3]}"


def of_any(names: set[str], told: str) -> dict[str, str]:
    return dict.fromkeys(names, told)


class Fit(NamedTuple):
    """What models are fitted on: how it is spoilt, and who refuses."""

    spoil: Callable[[pd.DataFrame, pd.DataFrame], tuple[Any, Any]]
    refused: Mapping[str, str] = {}
    error: type = DataError


def spoilt(table: pd.DataFrame, row: int, value: float) -> pd.DataFrame:
    table.loc[row] = value
    return table


def only(rows: pd.DataFrame, y: pd.DataFrame, positives: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return an outcome that only the first of those who bought have."""
    bought = np.arange(len(y)) < positives
    return rows, pd.DataFrame({"churned": bought, "spend": bought * 40.0}, index=y.index)


def in_the_last_window(positives: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return stacked customers of whom in one window nobody churned and nobody bought."""
    rows, y = stacked()
    last = rows.index.get_level_values("cutoff") == rows.index.get_level_values("cutoff").max()
    silent = last if positives else ~last
    return rows, y.assign(churned=y["churned"] & ~silent, spend=y["spend"].where(~silent, 0.0))


ONE_CLASS = of_any(
    {"boosted churn", "hazard", "tuned churn"}, r"only one class.*Choose|only one class.*Observe"
)
NOBODY_BOUGHT = of_any(BOOSTED_VALUE, "Nobody spent anything in y")
TOO_FEW_TO_TUNE = of_any(TUNED, "Settings cannot be judged: in .* folds .* fit the model untuned")

CAUSES = {"hazard": "all churned"}
"""To a model of hazards words are causes of leaving, and who has one has left."""

FITS: dict[str, Fit] = {
    "everybody churned": Fit(lambda X, y: (X, y.assign(churned=True)), ONE_CLASS),
    "nobody churned": Fit(lambda X, y: (X, y.assign(churned=False)), ONE_CLASS),
    "nobody bought": Fit(lambda X, y: (X, y.assign(spend=0.0)), NOBODY_BOUGHT),
    "one churned, one bought": Fit(lambda X, y: only(X, y, 1), TOO_FEW_TO_TUNE),
    "two churned, two bought": Fit(lambda X, y: only(X, y, 3)),
    "returns outweigh purchases": Fit(
        lambda X, y: (X, y.assign(spend=y["spend"] - 2.0 * y["spend"].mean())),
        of_any(BOOSTED_VALUE, "Returns outweigh purchases in y"),
    ),
    "some sent back more than they bought": Fit(
        lambda X, y: (X, y.assign(spend=np.where(np.arange(len(y)) % 5 == 0, -3.0, y["spend"])))
    ),
    "nothing in the last window": Fit(lambda X, y: in_the_last_window(True)),
    "nothing in the first window": Fit(
        lambda X, y: in_the_last_window(False), of_any(TUNED, "Settings cannot be judged: in 3 of 3 folds")
    ),
    "a feature that nobody has": Fit(lambda X, y: (X.assign(gap=np.nan), y)),
    "a feature that is None for all": Fit(lambda X, y: (X.assign(gap=None), y)),
    "a feature that is the same for all": Fit(lambda X, y: (X.assign(same=0.1), y)),
    "no feature but constants and gaps": Fit(
        lambda X, y: (pd.DataFrame({"gap": np.nan, "same": 3.0}, index=X.index), y),
        of_any(BY_NAME - NO_COLUMNS, "missing"),
        SchemaError,
    ),
    "an infinite value": Fit(
        lambda X, y: (spoilt(X, 7, np.inf), y),
        of_any(set(MODELS) - NO_COLUMNS - {"contract end"}, r"1 of \d+ customers .* first is .*7.*inf"),
    ),
    "a column twice": Fit(
        lambda X, y: (pd.concat([X, X], axis=1), y),
        of_any(set(MODELS) - NO_COLUMNS, "more than once. Drop one"),
        SchemaError,
    ),
    "a column of text beside": Fit(
        lambda X, y: (X.assign(city="Ulm"), y),
        of_any(ANY_COLUMNS, r"column city; it holds text \(Ulm\).*pd.to_numeric, or .*X\['city'\].astype"),
        SchemaError,
    ),
    "numbers written as text": Fit(
        lambda X, y: (X.astype(str), y),
        of_any(set(MODELS) - NO_COLUMNS, "expected numbers in column"),
        SchemaError,
    ),
    "a column of dates beside": Fit(
        lambda X, y: (X.assign(seen=pd.Timestamp("2024-01-01")), y),
        of_any(ANY_COLUMNS, r"column seen; it holds dates .*Count the days to the cutoff"),
        SchemaError,
    ),
    "a column of time spans beside": Fit(
        lambda X, y: (X.assign(away=pd.Timedelta(days=3)), y),
        of_any(ANY_COLUMNS, r"column away; it holds lengths of time .*Divide it by pd.Timedelta"),
        SchemaError,
    ),
    "a column of lists beside": Fit(
        lambda X, y: (X.assign(tags=[["a"]] * len(X)), y),
        of_any(ANY_COLUMNS, "column tags; it holds values .*leave it out"),
        SchemaError,
    ),
    "complex numbers": Fit(
        lambda X, y: (X.assign(odd=1j), y), of_any(ANY_COLUMNS, "expected numbers in column odd"), SchemaError
    ),
    "categories that are intervals": Fit(
        lambda X, y: (X.assign(band=pd.cut(X["T"], 3)), y),
        of_any(ANY_COLUMNS, r"categories of column band; .*Interval.*astype\(str\)"),
        SchemaError,
    ),
    "categories": Fit(
        lambda X, y: (
            X.assign(plan=X["T"].map(lambda days: "gold" if days > 200 else None).astype("category")),
            y,
        )
    ),
    "categories that occur nowhere": Fit(
        lambda X, y: (X.assign(plan=pd.Categorical([None] * len(X), ["gold"])), y)
    ),
    "columns that have numbers for names": Fit(
        lambda X, y: (X.set_axis(range(X.shape[1]), axis=1), y),
        of_any(BY_NAME - NO_COLUMNS, "missing"),
        SchemaError,
    ),
    "no columns": Fit(
        lambda X, y: (X[[]], y), of_any(set(MODELS) - NO_COLUMNS, "missing|no columns|minimum of 1")
    ),
    "no rows": Fit(
        lambda X, y: (X.iloc[:0], y.iloc[:0]),
        of_any(set(MODELS) - {"zero"}, "no rows|0 rows|n_samples=0"),
    ),
    "one customer": Fit(
        lambda X, y: (X.iloc[[0]], y.iloc[[0]].assign(spend=5.0)),
        of_any(BOOSTED_CHURN - TUNED, "only one class")
        | of_any(TUNED, "n_samples=1")
        | of_any(BTYD, "one distinct history"),
        HabitueError,
    ),
    "a polars frame": Fit(
        lambda X, y: (pl.DataFrame(X.to_dict(orient="list")), y.set_axis(list(range(len(y))), axis=0)),
        of_any(ANY_COLUMNS, r"got a DataFrame: hand in X.to_pandas\(\)")
        | of_any(BY_NAME - NO_COLUMNS, "expected a data frame or an array of numbers"),
    ),
    "y with gaps": Fit(
        lambda X, y: (X, spoilt(y.astype(float), 3, np.nan)),
        of_any(READS_Y, "y must be finite, got 1 missing"),
    ),
    "y in words": Fit(
        lambda X, y: (X, pd.DataFrame({"churned": np.where(y["churned"], "yes", "no"), "spend": "much"})),
        of_any(READS_Y, r"y must hold numbers, got such as .*Hand in y == 'yes'") | CAUSES,
    ),
    "y as numbers in text": Fit(
        lambda X, y: (X, y.astype(float).astype(str)),
        of_any(READS_Y, r"y must hold numbers, got such as .*pd.to_numeric\(y\)") | CAUSES,
    ),
    "y in dates": Fit(
        lambda X, y: (X, y.assign(churned=pd.Timestamp("2024-01-01"), spend=pd.Timestamp("2024-01-01"))),
        of_any(READS_Y, "y must hold numbers, got such as"),
    ),
    "too few y": Fit(
        lambda X, y: (X, y.iloc[:-1]), of_any(READS_Y, r"y must hold one number for each of 240 rows")
    ),
    "y in another order": Fit(
        lambda X, y: (X, y.iloc[::-1]),
        of_any(LEARNS - {"mean"} | {"rate churn"}, r"row 0 is 0 in X and 239 in y. Hand in y.loc\[X.index\]"),
    ),
    "y of other customers": Fit(
        lambda X, y: (X.add_prefix("c", axis=0), y.add_prefix("d", axis=0)),
        of_any(LEARNS - {"mean"} | {"rate churn"}, r"row 0 is 'c0' in X and 'd0' in y"),
    ),
    "y with labels of its own, X without": Fit(lambda X, y: (X, y.add_prefix("c", axis=0))),
    "y without labels, X with": Fit(lambda X, y: (X.add_prefix("c", axis=0), y)),
    "y as nullable types": Fit(lambda X, y: (X, y.convert_dtypes())),
    "y as decimals": Fit(
        lambda X, y: (X, y.assign(spend=[Decimal(str(round(one, 2))) for one in y["spend"]]))
    ),
    "customers who are called the same": Fit(
        lambda X, y: (X.set_axis(["ann"] * len(X), axis=0), y.set_axis(["ann"] * len(X), axis=0)),
        of_any(TUNED, "which do not part into customers to learn from and others to judge"),
    ),
}


@pytest.mark.parametrize("case", FITS)
def test_what_models_are_fitted_on(case: str) -> None:
    spoil, refused, error = FITS[case]
    rows, y = spoil(X.copy(), Y.copy())
    found = {
        name: wrong(
            lambda name=name: answer(fresh(name).fit(rows, target(name, y)), rows),
            len(rows),
            refused.get(name),
            error,
        )
        for name in MODELS
    }
    assert {name: told for name, told in found.items() if told} == {}


class Asked(NamedTuple):
    """Of whom models are asked, who refuses, and whether answers are those that X itself gets."""

    spoil: Callable[[pd.DataFrame], Any]
    refused: Mapping[str, str] = {}
    error: type = DataError
    same: bool = True


READERS = set(MODELS) - NO_COLUMNS
NO_NUMBERS = of_any(BY_NAME - NO_COLUMNS, "expected numbers in column")

ASKED: dict[str, Asked] = {
    "as they were": Asked(lambda X: X),
    "in another order, and more of it": Asked(lambda X: X.iloc[:, ::-1].assign(city="Ulm", noise=np.inf)),
    "whole numbers": Asked(lambda X: X.astype({"frequency": "int64", "T": "int32", "inactivity": "uint16"})),
    "truth values": Asked(lambda X: X.assign(auto_renew_share=X["auto_renew_share"] == 1)),
    "nullable types": Asked(lambda X: X.convert_dtypes()),
    "types of arrow": Asked(lambda X: X.convert_dtypes(dtype_backend="pyarrow")),
    "objects": Asked(lambda X: X.astype(object), NO_NUMBERS, SchemaError),
    "decimals": Asked(lambda X: X.map(lambda one: Decimal(repr(float(one)))), NO_NUMBERS, SchemaError),
    "sparse": Asked(lambda X: X.astype(pd.SparseDtype("float64", np.nan))),
    "called the same": Asked(lambda X: X.set_axis(["ann"] * len(X), axis=0)),
    "an array": Asked(
        lambda X: X.to_numpy(), of_any(BY_NAME - NO_COLUMNS, "expected a data frame or an array"), SchemaError
    ),
    "an array of fewer columns": Asked(
        lambda X: X.to_numpy()[:, 1:],
        of_any(ANY_COLUMNS, "X has 9 features, but .* is expecting 10 features")
        | of_any(BY_NAME - NO_COLUMNS, "expected a data frame or an array"),
    ),
    "an array of text": Asked(
        lambda X: X.to_numpy().astype(str),
        of_any(ANY_COLUMNS, "X must be a table of numbers")
        | of_any(BY_NAME - NO_COLUMNS, "expected a data frame or an array"),
    ),
    "a polars frame": Asked(
        lambda X: pl.DataFrame(X.to_dict(orient="list")),
        of_any(ANY_COLUMNS, r"hand in X.to_pandas\(\)")
        | of_any(BY_NAME - NO_COLUMNS, "expected a data frame or an array"),
    ),
    "text that says numbers": Asked(
        lambda X: X.astype(str), of_any(READERS, "expected numbers in column"), SchemaError
    ),
    "text": Asked(
        lambda X: X.assign(**dict.fromkeys(X, "many")),
        of_any(ANY_COLUMNS, r"holds text \(many\). Convert it with pd.to_numeric") | NO_NUMBERS,
        SchemaError,
    ),
    "dates": Asked(
        lambda X: X.assign(**dict.fromkeys(X, pd.Timestamp("2024-01-01"))),
        of_any(ANY_COLUMNS, "holds dates .* Count the days") | NO_NUMBERS,
        SchemaError,
    ),
    "categories where numbers were": Asked(
        lambda X: X.astype("category"),
        of_any(ANY_COLUMNS, "holds categories .* Convert it as before fitting") | NO_NUMBERS,
        SchemaError,
    ),
    "without its columns": Asked(
        lambda X: X[[]].assign(city="Ulm"), of_any(READERS, "missing: .*there are: city"), SchemaError
    ),
    "a column twice": Asked(
        lambda X: pd.concat([X, X], axis=1), of_any(READERS, "more than once. Drop one"), SchemaError
    ),
    "infinite": Asked(
        lambda X: X * 0.0 + np.inf,
        of_any(READERS - {"contract end"}, "240 of 240 customers.*inf"),
        same=False,
    ),
    "missing": Asked(
        lambda X: X * np.nan,
        of_any(BY_NAME - NO_COLUMNS - {"contract end"}, "finite|whole number"),
        same=False,
    ),
    "None": Asked(lambda X: X.assign(**dict.fromkeys(X)), NO_NUMBERS, SchemaError, same=False),
    "one": Asked(lambda X: X.iloc[:1]),
    "nobody": Asked(lambda X: X.iloc[:0], of_any(BTYD, "X has no rows")),
}


@pytest.mark.parametrize("case", ASKED)
def test_whom_models_are_asked_about(case: str) -> None:
    spoil, refused, error, same = ASKED[case]
    rows = spoil(X.copy())
    found = {
        name: wrong(
            lambda name=name: answer(fitted(name), rows),
            answer(fitted(name), X)[: len(rows)] if same else len(rows),
            refused.get(name),
            error,
        )
        for name in MODELS
    }
    assert {name: told for name, told in found.items() if told} == {}


@pytest.mark.parametrize("name", sorted(BOOSTED - TUNED))
def test_nobody_gets_no_reasons(name: str) -> None:
    reasons = fitted(name).contributions(X.iloc[:0])
    assert reasons.shape == (0, fitted(name).contributions(X).shape[1])


WEIGHTS: dict[str, tuple[Callable[[int], Any], str]] = {
    "below 0": (lambda n: np.where(np.arange(n) == 3, -1.0, 1.0), ">= 0 and not all 0"),
    "missing": (lambda n: np.where(np.arange(n) == 3, np.nan, 1.0), "finite, >= 0"),
    "infinite": (lambda n: np.where(np.arange(n) == 3, np.inf, 1.0), "finite, >= 0"),
    "all 0": (np.zeros, "not all 0"),
    "too few": (lambda n: np.ones(n - 1), "expected 240 sample weights"),
    "in another order": (
        lambda n: pd.Series(1.0, index=range(n)[::-1]),
        r"sample_weight must be told of the rows of X .* Hand in sample_weight.loc\[X.index\]",
    ),
}


@pytest.mark.parametrize("case", WEIGHTS)
@pytest.mark.parametrize("name", sorted(ANY_COLUMNS))
def test_weights_that_count_nobody(name: str, case: str) -> None:
    weights, told = WEIGHTS[case]
    with pytest.raises(DataError, match=told):
        fresh(name).fit(X, target(name, Y), sample_weight=weights(len(X)))


@pytest.mark.parametrize("name", sorted(ANY_COLUMNS))
def test_some_may_weigh_nothing(name: str) -> None:
    weights = (np.arange(len(X)) % 3 > 0) * 1.0
    assert np.isfinite(answer(fresh(name).fit(X, target(name, Y), sample_weight=weights), X)).all()


@pytest.mark.parametrize("horizon", [0, -30, "30", None])
@pytest.mark.parametrize("name", sorted(set(MODELS) - {"logistic"}))
def test_a_horizon_is_a_number_of_days_above_0(name: str, horizon: Any) -> None:
    params = fresh(name).get_params()
    at = next((one for one in ("horizon", "estimator__horizon") if one in params), None)
    if at is not None:
        with pytest.raises(SettingsError, match="horizon"):
            fresh(name).set_params(**{at: horizon}).fit(X, target(name, Y))


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_fewer_customers_than_folds_and_leaves(n: int) -> None:
    rows, y = X.iloc[:n], pd.DataFrame({"churned": np.arange(n) % 2 == 0, "spend": np.arange(n) * 10.0})
    for name in sorted(ANY_COLUMNS - TUNED):
        assert np.isfinite(answer(fresh(name).fit(rows, target(name, y)), rows)).all()


@pytest.mark.parametrize("name", sorted(TUNED))
def test_two_customers_cannot_judge_settings(name: str) -> None:
    with pytest.raises(DataError, match=r"Settings cannot be judged: .* fit the model untuned"):
        fresh(name).fit(X.iloc[:2], target(name, Y.iloc[:2].assign(churned=[True, False], spend=[0.0, 9.0])))
    rows, y = X.iloc[:20], Y.iloc[:20]
    assert np.isfinite(answer(fresh(name).fit(rows, target(name, y)), rows)).all()


def test_nobody_leaves_at_no_time() -> None:
    model, nobody = fitted("hazard"), X.iloc[:0]
    assert model.survival_function(nobody, [10, 20]).shape == (0, 2)
    assert model.cumulative_incidence(nobody, [10]).shape == (0, 1)
    assert model.expected_residual_lifetime(nobody).shape == (0,)
