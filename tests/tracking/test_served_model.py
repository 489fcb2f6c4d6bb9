from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from habitue.decisions.reasons import reasons_in_words
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.models import BGNBD, BTYDValueRegressor, ChurnAnswers, ValueAnswers, ValueInterval
from habitue.models.persistence import save_model
from habitue.tracking.packing import signature_of
from habitue.tracking.served_model import Answers, ServedModel, as_input

REASONS = ["reason_1", "reason_2", "reason_3"]


def served(model: Any, folder: Path) -> ServedModel:
    save_model(model, folder / "stored")
    made = ServedModel()
    made.load_context(SimpleNamespace(artifacts={"model": str(folder / "stored")}))
    return made


@pytest.fixture(scope="module")
def spenders(buyers: pd.DataFrame) -> tuple[ValueAnswers, pd.DataFrame]:
    """Answers with money, and whom they are about."""
    rng = np.random.default_rng(7)
    X = buyers.assign(monetary_value=np.where(buyers["frequency"] > 0, rng.gamma(4, 10, len(buyers)), 0.0))
    steady = BGNBD(penalizer=0.1)
    model = BTYDValueRegressor(horizon=91, purchases=steady).fit(X)
    interval = ValueInterval().fit(model.predict(X), model.predict(X) * rng.exponential(1.0, len(X)))
    return ValueAnswers(regressor=model, purchases=steady.fit(X), interval=interval, horizon=91), X


def test_it_answers_what_the_model_answers(trees: Any, customers: Any, tmp_path: Path) -> None:
    X = customers[0]
    assert isinstance(trees, Answers)
    pd.testing.assert_frame_equal(served(trees, tmp_path).predict(None, X), trees.answer(X), check_exact=True)


def test_columns_come_in_any_order_type_and_company(trees: Any, customers: Any, tmp_path: Path) -> None:
    X = customers[0]
    other = X[["T", "frequency", "recency"]].assign(note="-", frequency=X["frequency"].astype("Int64"))
    other["T"] = other["T"].map(lambda t: Decimal(repr(t)))
    pd.testing.assert_frame_equal(
        served(trees, tmp_path).predict(None, other), trees.answer(X), check_exact=True
    )


def test_missing_values_of_any_kind_are_nan() -> None:
    X = pd.DataFrame(
        {
            "a": pd.array([1, None], dtype="Int64"),
            "b": pd.array([True, None], dtype="boolean"),
            "c": [Decimal("2.5"), None],
            "d": [1.5, np.nan],
        }
    )
    read = as_input(X, ["a", "b", "c", "d"])
    assert (read.dtypes == np.float64).all()
    assert read.iloc[0].tolist() == [1.0, 1.0, 2.5, 1.5]
    assert read.iloc[1].isna().all()


def test_missing_columns_are_named() -> None:
    with pytest.raises(SchemaError, match=r"missing columns: recency, T; .*the table has frequency, note"):
        as_input(pd.DataFrame({"frequency": [1], "note": ["-"]}), ["frequency", "recency", "T"])


def test_repeated_columns_are_named() -> None:
    with pytest.raises(SchemaError, match="more than once: T"):
        as_input(pd.DataFrame([[1, 2, 3]], columns=["T", "T", "recency"]), ["recency", "T"])


@pytest.mark.parametrize(
    "values",
    [
        ["3", "4"],
        pd.Series(["3", "4"], dtype=object),
        pd.to_datetime(["2024-01-01", "2024-01-02"]),
        pd.to_timedelta([1, 2], unit="D"),
        pd.Categorical([3, 4]),
        [{}, {}],
        [1 + 2j, 3],
    ],
)
def test_what_is_no_number_is_not_taken_for_one(values: Any) -> None:
    with pytest.raises(SchemaError, match=r"the column T .*; the model reads numbers only"):
        as_input(pd.DataFrame({"T": values}), ["T"])


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected a DataFrame with the columns T, got a ndarray"):
        as_input(np.zeros((2, 1)), ["T"])


def test_no_customers_no_answers(line: Any, customers: Any, tmp_path: Path) -> None:
    assert served(line, tmp_path).predict(None, customers[0].head(0)).shape == (0, 2)


def test_unknown_parameters_are_refused(trees: Any, customers: Any, tmp_path: Path) -> None:
    model = served(trees, tmp_path)
    with pytest.raises(
        SettingsError,
        match="unknown parameter 'reason'; known: reasons, reasons_from, horizon, discount_rate",
    ):
        model.predict(None, customers[0], {"reason": True})
    with pytest.raises(SettingsError, match="reasons is true or false, got 'yes'"):
        model.predict(None, customers[0], {"reasons": "yes"})


def test_a_model_without_contributions_gives_no_reasons(line: Any, customers: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="LineForTracking gives no reasons"):
        served(line, tmp_path).predict(None, customers[0], {"reasons": True})


def test_reasons_are_added_on_request(trees: Any, customers: Any, tmp_path: Path) -> None:
    X = customers[0].head(20)
    told = served(trees, tmp_path).predict(None, X, {"reasons": True})
    assert list(told.columns) == ["p_alive", "churn_probability", "reason_1", "reason_2", "reason_3"]
    assert told.index.equals(X.index)
    pd.testing.assert_frame_equal(told[["p_alive", "churn_probability"]], trees.answer(X), check_exact=True)
    assert told["reason_1"].map(len).gt(0).all()


def test_another_horizon_is_answered_where_the_model_can(
    story: ChurnAnswers, buyers: pd.DataFrame, tmp_path: Path
) -> None:
    X, model = buyers, served(story, tmp_path)
    asked = {"horizon": 180, "reasons": True}
    told = model.predict(None, X, asked)
    pd.testing.assert_frame_equal(told.drop(columns=REASONS), story.answer(X, horizon=180), check_exact=True)
    words = reasons_in_words(story.contributions(X, horizon=180), story.reason_values(X))
    pd.testing.assert_frame_equal(told[REASONS], words)
    for own in ({}, {"horizon": None}, {"horizon": 91}):
        pd.testing.assert_frame_equal(model.predict(None, X, own), story.answer(X), check_exact=True)


def test_another_horizon_is_refused_where_the_model_cannot(
    trees: Any, story: ChurnAnswers, customers: Any, buyers: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="TreesForTracking answers for one horizon only"):
        served(trees, tmp_path / "trees").predict(None, customers[0], {"horizon": 30})
    with pytest.raises(SettingsError, match="expected horizon to be a whole number > 0; got '180'"):
        served(story, tmp_path / "story").predict(None, buyers, {"horizon": "180"})


def test_money_is_discounted_where_the_model_answers_with_money(
    spenders: tuple[ValueAnswers, pd.DataFrame], story: ChurnAnswers, buyers: pd.DataFrame, tmp_path: Path
) -> None:
    answers, X = spenders
    model = served(answers, tmp_path / "money")
    for asked, rate in (({}, 0.0), ({"discount_rate": 0.0}, 0.0), ({"discount_rate": 0.3}, 0.3)):
        told = model.predict(None, X, asked)
        pd.testing.assert_frame_equal(told, answers.answer(X, discount_rate=rate), check_exact=True)
    both = model.predict(None, X, {"discount_rate": 0.3, "horizon": 180})
    pd.testing.assert_frame_equal(both, answers.answer(X, horizon=180, discount_rate=0.3), check_exact=True)
    with pytest.raises(SettingsError, match="ChurnAnswers discounts no money; ask without discount_rate"):
        served(story, tmp_path / "story").predict(None, buyers, {"discount_rate": 0.1})
    with pytest.raises(SettingsError, match=r"expected discount_rate to be .* >= 0; got -0\.1"):
        model.predict(None, X, {"discount_rate": -0.1})


def test_a_table_that_needs_nothing_is_not_copied(customers: Any) -> None:
    X = customers[0]
    assert as_input(X, list(X.columns)) is X
    assert as_input(X, list(X.columns)[::-1]) is not X


def test_the_signature_says_what_may_be_asked_for(
    trees: Any, story: ChurnAnswers, spenders: tuple[ValueAnswers, pd.DataFrame], buyers: pd.DataFrame
) -> None:
    def params(model: Any, X: pd.DataFrame = buyers) -> dict[str, Any]:
        schema = signature_of(model, X.head(3)).params
        assert schema is not None
        return {one.name: (one.dtype.name, one.default) for one in schema.params}

    reasons = {"reasons": ("boolean", False), "reasons_from": ("double", 0.0)}
    assert params(trees) == reasons
    assert params(story) == reasons | {"horizon": ("long", 91)}
    money = reasons | {"horizon": ("long", 91), "discount_rate": ("double", 0.0)}
    assert params(*spenders) == money
