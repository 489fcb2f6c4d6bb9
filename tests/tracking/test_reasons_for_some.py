"""Reasons where they are worth their time: some customers are told what all of them would be."""

from __future__ import annotations

from typing import Any

import pytest

from habitue.errors import SettingsError
from habitue.tracking.served_model import ServedModel

REASONS = ["reason_1", "reason_2", "reason_3"]


def asked(trees: Any, X: Any, **params: Any) -> Any:
    served = ServedModel()
    served.model = trees
    return served.predict(None, X, params)


def test_reasons_from_an_answer_on_are_those_that_everybody_would_be_told(trees: Any, customers: Any) -> None:
    X = customers[0]
    everybody = asked(trees, X, reasons=True)
    at = float(everybody["churn_probability"].median())
    some = asked(trees, X, reasons=True, reasons_from=at)
    high = everybody["churn_probability"] >= at
    assert 0 < high.sum() < len(X)
    assert some.drop(columns=REASONS).equals(everybody.drop(columns=REASONS))
    assert some.loc[high, REASONS].equals(everybody.loc[high, REASONS])
    assert (some.loc[~high, REASONS] == "").all(axis=None)
    assert asked(trees, X, reasons=True, reasons_from=0.0).equals(everybody)


def test_without_reasons_there_are_none_from_any_answer_on(trees: Any, customers: Any) -> None:
    assert not set(REASONS) & set(asked(trees, customers[0], reasons_from=0.5))


def test_an_answer_to_begin_with_that_is_none_is_refused(trees: Any, customers: Any) -> None:
    with pytest.raises(SettingsError, match="at_least must be a number"):
        asked(trees, customers[0], reasons=True, reasons_from=float("nan"))
