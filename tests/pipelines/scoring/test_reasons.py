"""A batch tells some customers why: the same that it tells them where it tells everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REASONS = ["reason_1", "reason_2", "reason_3"]


@pytest.mark.slow
def test_some_are_told_what_all_would_be(shop: Path, command: Callable[..., Any], tmp_path: Path) -> None:
    def scores(*options: str) -> pd.DataFrame:
        target = tmp_path / "scores.parquet"
        told = command(shop, "score", "--model", "habitue-churn/1", *options, "--output", target)
        assert told.code == 0, told.err
        return pd.read_parquet(target).drop(columns="scored_at").set_index("customer_id")

    everybody, top = scores(), scores("--reasons-top", "0.2")
    told = top["reason_1"] != ""
    assert abs(told.mean() - 0.2) < 0.01
    assert top.loc[told, "churn_probability"].min() >= top.loc[~told, "churn_probability"].max()
    pd.testing.assert_frame_equal(top.loc[told], everybody.loc[told])
    assert (top.loc[~told, REASONS] == "").all(axis=None)
    pd.testing.assert_frame_equal(top.drop(columns=REASONS), everybody.drop(columns=REASONS))
    nobody = scores("--reasons-from", "1.1")
    assert (nobody[REASONS] == "").all(axis=None)
