"""Every reference value of every family, in one table: none is left out, and each holds to nine digits."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from habitue.numerics import (
    bgbb,
    bgcnbdk,
    bgnbd,
    gamma_gamma,
    ggompertz_nbd,
    mbgcnbdk,
    mbgnbd,
    pareto_nbd,
    sbg,
)

MODULES: dict[str, ModuleType] = {
    "BG/NBD": bgnbd,
    "MBG/NBD": mbgnbd,
    "BG/CNBD-2": bgcnbdk,
    "MBG/CNBD-2": mbgcnbdk,
    "Pareto/NBD": pareto_nbd,
    "GGompertz/NBD (r,alpha,b,s,beta)": ggompertz_nbd,
    "BG/BB": bgbb,
    "sBG": sbg,
    "Gamma-Gamma": gamma_gamma,
}

Inputs = dict[str, float]


def history(given: Inputs) -> tuple[float, float, float]:
    return given["x"], given["t_x"], given["T"] if "T" in given else given["n"]


def rate(given: Inputs) -> float:
    """Return the continuous rate: given as such, or as what one period takes off."""
    return given["delta"] if "delta" in given else math.log1p(given["d"])


READ: dict[str, Callable[..., float]] = {
    "loglik": lambda m, p, g: (
        m.log_likelihood(p, g["x"], g["zbar"])
        if m is gamma_gamma
        else m.log_likelihood(p, *history(g), *([g["litt"]] if "litt" in g else []))
    ),
    "p_alive": lambda m, p, g: m.p_alive(p, *history(g)),
    "p_alive_at_n+1": lambda m, p, g: m.p_alive(p, *history(g)),
    "p_alive_at_T+t": lambda m, p, g: m.p_alive_at(p, *history(g), g["t"]),
    "cond_expected_purchases": lambda m, p, g: m.expected_purchases(p, *history(g), g.get("t", g.get("m"))),
    "cond_expected_purchases_EXACT": lambda m, p, g: m.expected_purchases(p, *history(g), g["t"]),
    "expected_purchases_new_customer": lambda m, p, g: m.expected_purchases_new(p, g.get("t", g.get("n"))),
    "p_no_purchase_in_horizon": lambda m, p, g: m.p_no_purchase(p, *history(g), g["t"]),
    "cond_pmf": lambda m, p, g: m.purchase_pmf(p, *history(g), g["t"], g["n"]),
    "pmf": lambda m, p, g: m.purchase_pmf_new(p, g["t"], g["n"]),
    "DERT": lambda m, p, g: m.residual_transactions(p, *history(g), rate(g)),
    "DERT_continuous": lambda m, p, g: m.residual_transactions(p, *history(g), rate(g)),
    "survival": lambda m, p, g: m.survival(p, g["t"]),
    "retention": lambda m, p, g: m.retention_rate(p, g["t"]),
    "DEL": lambda m, p, g: m.lifetime_value(p, rate(g)),
    "DERL": lambda m, p, g: m.residual_lifetime_value(p, g["n"] - 1, rate(g)),
    "cond_mean": lambda m, p, g: m.expected_spend(p, g["x"], g.get("zbar", math.nan)),
}


def read(text: str) -> Inputs:
    """Return the numbers of ``x=2,t_x=30.43 (words)``."""
    return {name: float(value) for name, value in re.findall(r"(\w+)=([-+.\deE]+)", text)}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_reference_value_of_every_family(shared_data: Path) -> None:
    done: Counter[tuple[str, str]] = Counter()
    for row in rows(shared_data / "golden" / "btyd_values.csv"):
        family, given = MODULES[row["model"]], read(row["inputs"])
        numbers = [float(value) for value in row["params"].split(";")]
        params = family.Params(*([int(given["k"])] if "k" in given else []), *numbers)
        # In a row of a conditional pmf n is the number of purchases; in BG/BB it is the opportunities so far.
        got = float(READ[row["quantity"]](family, params, given))
        assert got == pytest.approx(float(row["value"]), rel=1e-9, abs=1e-300), row
        done[row["model"], row["quantity"]] += 1
    assert done.total() == 890
    assert {family for family, _ in done} == set(MODULES)
