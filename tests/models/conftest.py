"""What the tests of estimators compare with: the lifetimes package, and the sales that come with it."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def lifetimes() -> Iterator[Any]:
    """The lifetimes package; importing it warns and changes an option of pandas, which is put back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = pd.get_option("mode.chained_assignment")
        import lifetimes as module

        pd.set_option("mode.chained_assignment", before)
        yield module


@pytest.fixture(scope="module")
def cdnow_sales() -> pd.DataFrame:
    """The CDNOW sample line by line, from the file inside lifetimes: customer_id, day (19970101), amount."""
    spec = importlib.util.find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "datasets" / "CDNOW_sample.txt"
    return pd.read_csv(path, sep=r"\s+", header=None, names=["_", "customer_id", "day", "quantity", "amount"])
