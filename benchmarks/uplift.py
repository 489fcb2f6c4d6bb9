"""Measures uplift learners against causalml's and scikit-uplift's, on the same splits of the same customers.

``python -m benchmarks.uplift DATA``, where DATA is the folder of data sets: Hillstrom's e-mails (women's,
men's; visits and spend) and Starbucks' promotion (purchases, money at 10 a purchase and 0.15 a promotion),
five random 70/30 splits. ``BENCH_UPLIFT_PYTHON`` names the interpreter of an environment with the peers
(``make bench-uplift`` makes one); without it only habitue runs. ``--splits N`` takes fewer, ``--tasks NAME``
some. It prints tables in Markdown.

Peers get the same small trees for every part of theirs (see uplift_peer.py), one-hot categories, and the
share of the treated as the chance of treatment. An interval draws customers with replacement, each in all
splits that test it at once: it holds what the choice of test customers does, not what that of the learned
ones does (the spread over splits hints at that).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from habitue.evaluation.bootstrap import percentile_interval, weight_chunks
from habitue.evaluation.policies import by_effect, for_all, random_like
from habitue.evaluation.policy_value import policy_value
from habitue.evaluation.uplift_scores import LIBRARY_SCORES, UPLIFT_SCORES
from habitue.models.uplift.model import UpliftModel
from habitue.numerics.uplift_curve import down_the_ranking

PEER_PYTHON = "BENCH_UPLIFT_PYTHON"
OURS = ("DR", "R", "X", "T")
REFERENCE = "habitue DR"
N_REPLICATES = 300


class Task(NamedTuple):
    """One outcome of one experiment; rows of the treatment and the control only."""

    name: str
    X: pd.DataFrame
    y: np.ndarray
    is_treated: np.ndarray
    cost: float
    """Of a treatment, in the unit of y."""
    worth: float
    """Of one unit of y, in the money that policies are valued in."""


class Split(NamedTuple):
    """Who was tested, and what each learner predicted."""

    test: np.ndarray
    effects: dict[str, np.ndarray]
    seconds: dict[str, float]
    scores: dict[str, dict[str, float]]


def tasks(data: Path) -> dict[str, Task]:
    """Return the tasks by name."""
    found: dict[str, Task] = {}
    mail = pd.read_parquet(data / "hillstrom" / "hillstrom.parquet")
    features = mail[["recency", "history", "mens", "womens", "newbie", "zip_code", "channel"]]
    features = features.astype({"zip_code": "category", "channel": "category"})
    for who in ("Womens", "Mens"):
        kept = mail["segment"].isin([f"{who} E-Mail", "No E-Mail"]).to_numpy()
        treated = (mail["segment"] == f"{who} E-Mail").to_numpy()[kept]
        for outcome in ("visit", "spend"):
            name = f"hillstrom {who.lower()} {outcome}"
            y = mail[outcome].to_numpy(dtype=float)[kept]
            found[name] = Task(name, features[kept].reset_index(drop=True), y, treated, 0.0, 1.0)
    shop = pd.read_parquet(data / "starbucks_promo" / "starbucks_train.parquet")
    X = shop[[f"V{place}" for place in range(1, 8)]].astype({"V1": "category", "V4": "category"})
    y, treated = shop["purchase"].to_numpy(dtype=float), (shop["Promotion"] == "Yes").to_numpy()
    found["starbucks purchase"] = Task("starbucks purchase", X, y, treated, 0.15, 10.0)
    return found


def split(task: Task, seed: int, peer: str | None) -> Split:
    """Fit everybody on 70 % and predict for the rest."""
    drawn = np.random.default_rng(seed).permutation(task.y.size)
    train, test = np.split(drawn, [round(0.7 * drawn.size)])
    effects, seconds, scores = ours(task, train, test)
    if peer:
        theirs = peers(task, train, test, peer)
        effects |= theirs.effects
        seconds |= theirs.seconds
        scores |= theirs.scores
    return Split(test, effects, seconds, scores)


def ours(
    task: Task, train: np.ndarray, test: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, dict[str, float]]]:
    """Fit our learners."""
    arm = np.where(task.is_treated, "mail", "control")
    effects: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    for learner in OURS:
        start = time.perf_counter()
        model = UpliftModel(learner=learner, n_replicates=0, n_jobs=2)
        model.fit(task.X.iloc[train], task.y[train], arm[train])
        effects[f"habitue {learner}"] = model.predict(task.X.iloc[test])["mail"].to_numpy()
        seconds[f"habitue {learner}"] = time.perf_counter() - start
    return effects, seconds, {}


def peers(task: Task, train: np.ndarray, test: np.ndarray, python: str) -> Split:
    """Fit the peers' in their own process."""
    table = pd.get_dummies(task.X, dtype=float).assign(y=task.y, w=task.is_treated.astype(int))
    table.columns = [str(name).replace("-", "_").replace(" ", "_") for name in table.columns]
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("train", train), ("test", test)):
            table.iloc[rows].reset_index(drop=True).to_parquet(Path(folder) / f"{name}.parquet")
        script = Path(__file__).with_name("uplift_peer.py")
        ran = subprocess.run([python, str(script), folder], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"the peers failed:\n{ran.stderr[-3000:]}")
        told = json.loads(ran.stdout.splitlines()[-1])
        effects = pd.read_parquet(Path(folder) / "effects.parquet")
    for name, why in told["failed"].items():
        print(f"    {name} failed: {why}", flush=True)
    return Split(
        test, {str(name): effects[name].to_numpy() for name in effects}, told["seconds"], told["scores"]
    )


def scored(task: Task, one: Split, effect: np.ndarray, name: str, counts: np.ndarray) -> np.ndarray:
    """Return a score of one ranking, for each way of counting the customers."""
    score = (UPLIFT_SCORES | LIBRARY_SCORES)[name]
    ranked = down_the_ranking(
        task.y[one.test],
        task.is_treated[one.test],
        effect,
        weight=np.ones(one.test.size),
        counts=counts,
    )
    return score.function(ranked)


def auuc0(task: Task, one: Split, name: str, counts: np.ndarray | None = None) -> np.ndarray:
    """Return our area of one learner's ranking."""
    ways = np.ones((1, one.test.size)) if counts is None else counts
    return scored(task, one, one.effects[name], "auuc0", ways)


def money(task: Task, one: Split, effect: np.ndarray) -> tuple[float, float]:
    """Return what treating the best 30 % brings over a random 30 %, and all who pay over nobody."""
    arm = np.where(task.is_treated[one.test], "mail", "control")
    share, y = task.is_treated.mean(), task.y[one.test] * task.worth
    chances = np.where(arm == "mail", share, 1.0 - share)
    said, costs = pd.DataFrame({"mail": effect * task.worth}), {"mail": task.cost}

    def value(policy: pd.DataFrame) -> float:
        return policy_value(y, arm, chances, policy, costs=costs).value

    best = by_effect(said, costs=costs, share=0.3, even_losses=True)
    nobody = for_all("control", index=said.index, arms=["control", "mail"])
    paying = by_effect(said, costs=costs)
    return value(best) - value(random_like(best)), value(paying) - value(nobody)


def report(task: Task, splits: list[Split]) -> None:
    """Print the table of one task."""
    names = list(splits[0].effects)
    area = {name: np.concatenate([auuc0(task, s, name) for s in splits]) for name in names}
    draws: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for counts in weight_chunks(task.y.size, n_replicates=N_REPLICATES, random_state=0):
        for name in names:
            of_each = [auuc0(task, s, name, counts[:, s.test]) for s in splits]
            draws[name].append(np.mean(of_each, axis=0))
    drawn = {name: np.concatenate(parts) for name, parts in draws.items()}
    print(f"\n### {task.name}: {task.y.size:,} customers, {len(splits)} splits\n")
    print(
        "| learner | AUUC0 x 1e4 | sd over splits | 95 % | DR less this, 95 % | uplift at 30 % x 1e4"
        " | best 30 % over random | those who pay over nobody | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in names:
        print(_line(task, splits, name, area, drawn), flush=True)
    _check_library_scores(task, splits)


def _line(
    task: Task,
    splits: list[Split],
    name: str,
    area: dict[str, np.ndarray],
    drawn: dict[str, np.ndarray],
) -> str:
    lower, upper = percentile_interval(drawn[name], 0.95)
    ahead = float((area[REFERENCE] - area[name]).mean())
    below, above = percentile_interval(drawn[REFERENCE] - drawn[name], 0.95)
    top = np.mean(
        [scored(task, s, s.effects[name], "uplift_at_30", np.ones((1, s.test.size)))[0] for s in splits]
    )
    best, paying = np.mean([money(task, s, s.effects[name]) for s in splits], axis=0)
    seconds = np.mean([s.seconds[name] for s in splits])
    compared = "" if name == REFERENCE else f"{1e4 * ahead:+.1f} ({1e4 * below:.1f} to {1e4 * above:.1f})"
    spread = area[name].std(ddof=1) if len(splits) > 1 else np.nan
    return (
        f"| {name} | {1e4 * area[name].mean():.1f} | {1e4 * spread:.1f}"
        f" | {1e4 * lower:.1f} to {1e4 * upper:.1f} | {compared} | {1e4 * top:.0f}"
        f" | {best:.4f} | {paying:.4f} | {seconds:.1f} |"
    )


def _check_library_scores(task: Task, splits: list[Split]) -> None:
    """Print how far our variants are from what the libraries say of the same rankings."""
    apart: dict[str, list[float]] = {}
    for one in splits:
        for learner, told in one.scores.items():
            for name, theirs in told.items():
                mine = scored(task, one, one.effects[learner], name, np.ones((1, one.test.size)))[0]
                apart.setdefault(name, []).append(abs(float(mine) - theirs))
    for name, gaps in apart.items():
        print(f"    {name}: ours and theirs differ by at most {max(gaps):.2g}, {len(gaps)} rankings")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uplift")
    parser.add_argument("data", type=Path, help="folder of data sets")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="some tasks, e.g. 'starbucks purchase'")
    asked: Any = parser.parse_args()
    warnings.simplefilter("ignore")
    there, peer = tasks(asked.data), os.environ.get(PEER_PYTHON)
    if not peer:
        print(f"{PEER_PYTHON} is not set: only habitue runs (see make bench-uplift)")
    for name in asked.tasks or there:
        splits = []
        for seed in range(asked.splits):
            splits.append(split(there[name], seed, peer))
            took = ", ".join(f"{one} {seconds:.0f}" for one, seconds in splits[-1].seconds.items())
            print(f"    {name}, split {seed}: {took} s", flush=True)
        report(there[name], splits)


if __name__ == "__main__":
    main()
