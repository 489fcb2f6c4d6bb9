"""How values of two engines are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from awkward import AWKWARD, VALUES

from habitue.records import DuckDBEngine
from habitue.records.dialects import canonical


def embedded(sql: str) -> pd.DataFrame:
    """Run a statement on the awkward table in DuckDB."""
    engine = DuckDBEngine(threads=1)
    engine.register("awkward", AWKWARD)
    used = {name: value for name, value in VALUES.items() if f"${name}" in sql}
    return engine.frame(canonical(sql).sql("duckdb"), used)


def assert_same(found: Any, expected: Any, *, exactly: bool, name: str) -> None:
    """Compare values of doubles: bit by bit, or to 12 digits of what they are made of.

    Those that are no sum of exact numbers may be the small difference of two numbers near 1.
    """
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    if exactly:
        np.testing.assert_array_equal(found, expected, err_msg=name)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14, err_msg=name)
