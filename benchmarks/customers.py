"""Customers of known truth at the resolution that real ones have: whole days (or weeks), one visit a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.numerics import bgnbd, pareto_nbd

FloatArray = npt.NDArray[np.float64]

BGNBD_TRUTH = bgnbd.Params(0.8, 60.0, 0.9, 2.7)
PARETO_TRUTH = pareto_nbd.Params(0.8, 60.0, 0.7, 120.0)
_AT_ONCE = 1_000_000
_DAYS = 730


def histories(params: Any, n_customers: int, *, days: float = 1.0, seed: int = 0) -> FloatArray:
    """Return frequency, recency and T in days of customers acquired over a year, at the end of two.

    Times are rounded up to whole periods of `days`; visits in one period count as one.
    """
    formulas = bgnbd if isinstance(params, bgnbd.Params) else pareto_nbd
    rng = np.random.default_rng(seed)
    parts = [
        _some(formulas, params, min(_AT_ONCE, n_customers - done), days, rng)
        for done in range(0, n_customers, _AT_ONCE)
    ]
    return np.concatenate(parts)


def _some(formulas: Any, params: Any, n: int, days: float, rng: np.random.Generator) -> FloatArray:
    """Return some customers."""
    periods = np.floor((_DAYS - rng.integers(0, 365, n)) / days)
    nothing = np.zeros(n)
    drawn = formulas.simulate(params, nothing, nothing, nothing, periods * days, random_state=rng)
    period = np.ceil(drawn.time / days)
    is_new = np.ones(period.size, dtype=np.bool_)
    is_new[1:] = (drawn.customer[1:] != drawn.customer[:-1]) | (period[1:] != period[:-1])
    frequency = np.bincount(drawn.customer[is_new], minlength=n).astype(np.float64)
    recency = np.zeros(n)
    recency[drawn.customer] = period * days  # ascending within a customer: the last one stays
    return np.column_stack([frequency, recency, periods * days])


def stored(folder: Path, name: str, values: FloatArray) -> Path:
    """Keep customers in a file that a fresh process reads."""
    path = folder / f"{name}.npy"
    np.save(path, values)
    return path


def transactions(n_customers: int, seed: int = 0) -> pd.DataFrame:
    """Purchases of two years by the BG/NBD story: gamma rates, beta dropout after each purchase."""
    rng = np.random.default_rng(seed)
    born = rng.integers(0, 365, n_customers)
    rate = rng.gamma(0.8, 1 / 40, n_customers)
    dropout = rng.beta(0.8, 2.4, n_customers)
    lived = rng.geometric(np.clip(dropout, 1e-6, 1))
    who = np.repeat(np.arange(n_customers), np.minimum(lived, 200))
    wait = rng.exponential(1 / rate[who])
    first = np.r_[True, who[1:] != who[:-1]]
    wait[first] = born[who[first]]
    day = pd.Series(wait).groupby(who).cumsum().to_numpy()
    kept = day <= _DAYS
    amount = np.round(rng.gamma(6, 5, kept.sum()), 2)
    when = pd.Timestamp("2023-01-01") + pd.to_timedelta(day[kept].astype("int64"), unit="D")
    return pd.DataFrame({"customer_id": who[kept], "timestamp": when, "amount": amount})
