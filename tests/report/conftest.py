"""A customer base of 20,000, simulated, scored with the formulas of BG/NBD and tested on its own future."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from habitue.report import Champion, DataCheck, Facts, KindCheck, build_facts, render
from habitue.report.loop_facts import read_loop

HORIZON = 90
R, ALPHA, A, B = 0.6, 45.0, 0.8, 4.0


def _histories(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Buy at random until you leave; leave with some probability after each purchase."""
    T = rng.integers(30, 720, n).astype(float)
    rate, quit_probability = rng.gamma(R, 1.0 / ALPHA, n), rng.beta(A, B, n)
    x, t_x, later, now = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    alive = np.ones(n, dtype=bool)
    for _ in range(400):
        alive &= rng.random(n) >= quit_probability
        now = now + rng.exponential(1.0 / rate)
        past = alive & (now <= T)
        x[past] += 1
        t_x[past] = now[past]
        later[alive & (now > T) & (now <= T + HORIZON)] += 1
        alive &= now <= T + HORIZON
    mean_amount = 18.0 * np.exp(rng.normal(0.5, 0.9, n))
    spent_later = later * mean_amount * np.exp(rng.normal(0.0, 0.25, n))
    return pd.DataFrame(
        {"x": x, "t_x": t_x, "T": T, "later": later, "mean": mean_amount, "spent": spent_later}
    )


def _scores(h: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    odds = np.where(
        h.x > 0, A / (B + np.maximum(h.x, 1) - 1) * ((ALPHA + h["T"]) / (ALPHA + h.t_x)) ** (R + h.x), 0
    )
    p_alive = 1.0 / (1.0 + odds)
    silent = ((ALPHA + h["T"]) / (ALPHA + h["T"] + HORIZON)) ** (R + h.x)
    purchases = p_alive * (R + h.x) / (ALPHA + h["T"]) * HORIZON * 0.93
    clv = purchases * (h["mean"] * h.x + 45.0) / (h.x + 1.0)
    frame = pd.DataFrame(
        {
            "customer_id": [f"C{i:06d}" for i in range(len(h))],
            "cutoff": date(2026, 6, 30),
            "horizon": HORIZON,
            "p_alive": p_alive,
            "churn_probability": 1.0 - p_alive * (1.0 - silent),
            "expected_purchases": purchases,
            "clv": clv,
            "clv_lower": clv * 0.3,
            "clv_upper": clv * 2.1,
            "frequency": h.x,
            "inactivity": h["T"] - h.t_x,
            "spend_total": (h.x + 1) * h["mean"],
        }
    )
    frame["decile"] = np.ceil(10 * frame.clv.rank(ascending=False, method="first") / len(frame)).astype(int)
    reasons = np.array(
        [
            "silent for longer than is usual for this customer",
            "only one purchase so far",
            "buys less often than last quarter",
            "last order was returned",
            "two open complaints",
            "stopped opening e-mails",
        ]
    )
    drawn = rng.random((len(h), 6)) * np.array([3.0, 2.0, 1.6, 1.0, 0.7, 1.2])
    drawn[:, 1] *= (h.x == 0).to_numpy()
    order = np.argsort(-drawn, axis=1)
    for place in range(3):
        frame[f"reason_{place + 1}"] = reasons[order[:, place]]
    return frame


def _with_interval(values: Any, model: str, score: str, of: Any) -> dict[str, object]:
    lower, upper = np.quantile(values, [0.025, 0.975])
    return {"model": model, "score": score, "value": of, "lower": lower, "upper": upper}


def _leaderboard(
    y: Any, predictions: dict[str, Any], scores: dict[str, Any], rng: np.random.Generator
) -> pd.DataFrame:
    draws = [rng.integers(0, len(y), len(y)) for _ in range(30)]
    rows = [
        _with_interval([f(y[i], p[i]) for i in draws], model, score, f(y, p))
        for score, f in scores.items()
        for model, p in predictions.items()
    ]
    return pd.DataFrame(rows)


def _reliability(model: str, p: Any, y: Any) -> pd.DataFrame:
    group = pd.cut(p, np.linspace(0, 1, 11), include_lowest=True)
    table = (
        pd.DataFrame({"p": p, "y": y})
        .groupby(group, observed=True)
        .agg(p=("p", "mean"), y=("y", "mean"), n=("y", "size"))
    )
    half = 1.96 * np.sqrt(table.y * (1 - table.y) / table.n)
    return pd.DataFrame(
        {"model": model, "mean_prediction": table.p, "observed_rate": table.y, "n": table.n,
         "lower": table.y - half, "upper": table.y + half}
    )  # fmt: skip


def _gains(model: str, p: Any, y: Any) -> pd.DataFrame:
    captured = np.concatenate([[0.0], np.cumsum(y[np.argsort(-p, kind="stable")]) / y.sum()])
    return pd.DataFrame(
        {"model": model, "share_contacted": np.linspace(0, 1, len(captured)), "share_captured": captured}
    )


def _deciles(model: str, predicted: Any, actual: Any) -> pd.DataFrame:
    rank = np.empty(len(predicted), dtype=int)
    rank[np.argsort(-predicted, kind="stable")] = np.arange(len(predicted)) * 10 // len(predicted) + 1
    table = (
        pd.DataFrame({"decile": rank, "p": predicted, "a": actual})
        .groupby("decile")
        .agg(n=("a", "size"), mean_prediction=("p", "mean"), mean_actual=("a", "mean"), sd=("a", "std"))
    )
    half = 1.96 * table.sd / np.sqrt(table.n)
    return (
        table.assign(model=model, lower=table.mean_actual - half, upper=table.mean_actual + half)
        .drop(columns="sd")
        .reset_index()
    )


def _simulate(n: int = 20_000) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    h = _histories(n, rng)
    s = _scores(h, rng)
    left, spent = (h.later == 0).to_numpy().astype(float), h.spent.to_numpy()
    p = s.churn_probability.to_numpy()
    churn = {
        "BG/NBD + gamma-gamma": p,
        "boosted trees": np.clip(p + rng.normal(0, 0.03, n), 0.001, 0.999),
        "hiatus heuristic": np.where(s.inactivity > 90, 0.9, 0.5).astype(float),
        "last-period repeat": np.where(s.inactivity > HORIZON, 0.95, 0.3).astype(float),
    }
    value = {
        "BG/NBD + gamma-gamma": s.clv.to_numpy(),
        "x/T*t": (h.x / h["T"] * HORIZON * h["mean"]).to_numpy(),
        "the mean": np.full(n, spent.mean()),
        "zero": np.zeros(n),
    }
    rmse = {"rmse": lambda y, q: np.sqrt(np.mean((y - q) ** 2)), "mae": lambda y, q: np.mean(np.abs(y - q)),
            "bias": lambda y, q: np.mean(q - y)}  # fmt: skip
    return {
        "title": "Who will come back this summer?",
        "source": "Web shop orders, Jan 2024 to Jun 2026",
        "currency": "€",
        "cutoff": date(2026, 6, 30),
        "horizon": HORIZON,
        "scores": s,
        "tables": {
            "churn": _leaderboard(
                left, churn, {"auc": roc_auc_score, "brier": brier_score_loss, "log_loss": log_loss}, rng
            ),
            "value": _leaderboard(spent, value, rmse, rng),
        },
        "curves": {
            "reliability": pd.concat(
                [_reliability(m, churn[m], left) for m in ("BG/NBD + gamma-gamma", "hiatus heuristic")]
            ),
            "gains": pd.concat([_gains(m, churn[m], left) for m in churn]),
            "deciles": pd.concat([_deciles(m, value[m], spent) for m in list(value)[:2]]),
        },
        "champions": [
            Champion("churn", "shop-churn", "4", "9f2c61d0", "BG/NBD + gamma-gamma",
                     "Level with the boosted trees on AUC, better calibrated, and simpler."),
            Champion("clv", "shop-clv", "2", "1b77ae93", "BG/NBD + gamma-gamma",
                     "The smallest error of all models over four cutoffs."),
        ],
        "data_check": DataCheck(
            184_223, n, date(2024, 1, 2), date(2026, 6, 30), 312,
            {"amount is missing": 201, "timestamp lies after the cutoff": 96, "customer_id is empty": 15},
            ["Two customers bought more than 300 times; they may be resellers."],
            [
                KindCheck("contracts", "subscriptions.csv", 31_002, 0, {}, ["Seven contracts overlap."]),
                KindCheck("tickets", "tickets.csv", 9_071, 1, {"opened_at is missing": 1}),
            ],
        ),
        "generated_at": datetime(2026, 7, 1, 6, 30),
        "interval_level": 0.9,
    }  # fmt: skip


@pytest.fixture(scope="session")
def facts(simulated: dict[str, Any]) -> Facts:
    """Return the facts of that base."""
    return build_facts(**simulated)


@pytest.fixture(scope="session")
def page(facts: Facts) -> str:
    """Return the page of that base."""
    return render(facts)


@pytest.fixture(scope="session")
def simulated() -> dict[str, Any]:
    """Return the arguments of build_facts for a simulated base of 20,000 customers."""
    return _simulate()


def loop_of(name: Callable[[str], str] = str) -> dict[str, Any]:
    """Return arguments of read_loop: what the commands wrote, with all names of data through a function.

    The shapes are those of `habitue scorecard`, `decide` and `measure`; tests/pipelines/test_tell_loop.py
    holds the readers against what these commands write today. In the file such names begin with "@".
    """
    told = _named(json.loads(Path(__file__).with_name("loop_files.json").read_text(encoding="utf-8")), name)
    first = told.pop("actions")[0]
    customers = [name(f"C{number:06d}") for number in range(230)]
    actions = [
        first | {"customer_id": one, "expected_gain": 50.0 - 0.1 * number}
        for number, one in enumerate(customers)
    ]
    return told | {"cutoff": date(2026, 6, 30), "actions": actions, "n_actions": len(actions)}


def _named(told: Any, name: Callable[[str], str]) -> Any:
    if isinstance(told, dict):
        return {_named(key, name): _named(value, name) for key, value in told.items()}
    if isinstance(told, list):
        return [_named(one, name) for one in told]
    return name(told[1:]) if isinstance(told, str) and told.startswith("@") else told


@pytest.fixture
def loop_files() -> Callable[..., dict[str, Any]]:
    """Return what makes the files of a loop, as often as wanted."""
    return loop_of


@pytest.fixture(scope="session")
def loop_facts(simulated: dict[str, Any]) -> Facts:
    """Return the facts of the base with all parts of the loop."""
    return build_facts(**simulated, loop=read_loop(**loop_of()))


@pytest.fixture(scope="session")
def loop_page(loop_facts: Facts) -> str:
    """Return the page of the base with all parts of the loop."""
    return render(loop_facts)
