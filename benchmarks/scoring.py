"""Answers through MLflow against LightGBM alone, and `habitue score` from records to scores.

What stands behind the bare prediction is said in each line: the churn model of the template (LightGBM, early
stopping, calibration) answers with ``p_alive`` of BG/NBD beside it, and every column is checked on the way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.boosting import customers, served, timed
from benchmarks.measuring import REPEATS, Measured, Row
from habitue.models import BGNBD, BoostedChurnClassifier, ChurnAnswers

HORIZON = 91
FEATURES = 48
"""Features that transactions alone allow."""
_LEARNED_FROM = 50_000
_DAYS, _FIRST = 730, np.datetime64("2023-01-01", "D")


class Turns(NamedTuple):
    """Several pieces of work, done in turns: what else the machine does falls on all alike.

    Attributes
    ----------
    wall : dict of float
        Shortest wall time of each, in seconds.
    work : dict of float
        Shortest processor time of all threads of each, in seconds.
    """

    wall: dict[str, float]
    work: dict[str, float]


def in_turns(works: dict[str, Callable[[], object]], repeats: int = REPEATS) -> Turns:
    """Do each piece of work so often, and tell what it took at best."""
    took = [{name: timed(work) for name, work in works.items()} for _ in range(repeats)]
    return Turns(
        {name: min(turn[name].seconds for turn in took) for name in works},
        {name: min(turn[name].worked for turn in took) for name in works},
    )


def churn_model() -> Any:
    """Return the template's LightGBM churn model, as it comes back from the registry."""
    X, churned, _ = customers(_LEARNED_FROM, FEATURES, seed=1)
    settings: dict[str, Any] = {"n_estimators": 500, "learning_rate": 0.05, "num_leaves": 15, "max_depth": 5}
    trees = BoostedChurnClassifier(**settings, horizon=HORIZON).fit(X, churned)
    answers = ChurnAnswers(classifier=trees, purchases=BGNBD().fit(X), horizon=HORIZON)
    return served(answers, X.head(10))


def rows(folder: Path, *, quick: bool, long: bool) -> Iterator[Row]:
    """Yield the comparisons."""
    model, X = churn_model(), customers(20_000 if quick else 200_000, FEATURES, seed=2).X
    yield overhead(model, X)
    yield reasons(model, X)
    if long:
        yield from end_to_end(folder, n_customers=1_500_000, n_transactions=20_000_000)


def overhead(model: Any, X: pd.DataFrame) -> Row:
    """Return our answers against ``Booster.predict`` of the same trees on a matrix that is ready."""
    booster = model.answers.classifier.booster_
    frame = X.loc[:, model.input_columns]
    matrix = np.ascontiguousarray(frame[booster_columns(model)])
    took = in_turns(
        {
            "bare": lambda: booster.predict(matrix),
            "pyfunc": lambda: model.pyfunc.predict(frame),
            "whole": lambda: model.predict(frame),
            "p_alive": lambda: model.answers.purchases.p_alive(frame),
            "probabilities": lambda: model.answers.classifier.predict_proba(frame),
        },
        2 * REPEATS,
    )
    clock, processor = (
        {name: seconds / one["bare"] for name, seconds in one.items()} for one in (took.wall, took.work)
    )
    told = (
        f"{booster.num_trees()} trees, the same threads, best of {2 * REPEATS} turns. Over the bare "
        f"prediction, as a batch asks: {clock['whole']:.2f} by the clock, {processor['whole']:.2f} by the "
        f"processor. There MLflow's own predict on floats is {processor['pyfunc']:.2f}, the trees with "
        f"reading and calibration {processor['probabilities']:.2f}, p_alive of BG/NBD "
        f"{processor['p_alive']:.2f}; the rest is MLflow's check of the schema, and ours of every column."
    )
    what = f"churn and p_alive as pyfunc, {frame.shape[1]} features: {len(X):,} customers"
    theirs = Measured(took.wall["bare"], None, {})
    return Row(what, Measured(took.wall["whole"], None, {}), "LightGBM's predict alone", theirs, None, told)


def booster_columns(model: Any) -> list[str]:
    """Return the columns that the trees read, in their order."""
    return [str(name) for name in model.answers.classifier.feature_names_in_]


def reasons(model: Any, X: pd.DataFrame) -> Row:
    """Return answers with reasons against answers without."""
    wall, work = in_turns(
        {"without": lambda: model.predict(X), "with": lambda: model.predict(X, reasons=True)}, 1
    )
    told = (
        f"Reasons take {(work['with'] - work['without']) / len(X) * 1e6:.0f} microseconds of processor time "
        "a customer, on one core: the shares of the trees, and the sentences of all values that differ."
    )
    theirs = Measured(wall["without"], None, {})
    return Row(
        f"the same with three reasons each: {len(X):,} customers",
        Measured(wall["with"], None, {}),
        "without reasons",
        theirs,
        None,
        told,
    )


def write_orders(to: Path, n_customers: int, n_transactions: int, *, seed: int = 0) -> int:
    """Write transactions in order of day, by the story of BG/NBD-like buyers; return how many."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, _DAYS * 2 // 3, n_customers)
    left = np.minimum(start + rng.exponential(300.0, n_customers), _DAYS - 1)
    mean = (left - start) * rng.gamma(0.7, 1.0, n_customers)
    count = 1 + rng.poisson(mean * (n_transactions - n_customers) / mean.sum())
    who = np.repeat(np.arange(n_customers, dtype=np.int32), count)
    day = start[who] + rng.uniform(size=len(who)) * (left - start)[who]
    day[np.cumsum(count) - count] = start
    amount = np.round(rng.gamma(3.0, 10.0, len(who)) * rng.gamma(5.0, 0.2, n_customers)[who] + 1.0, 2)
    order = np.argsort(day.astype(np.int32), kind="stable")
    ids = pa.array([f"c{one:07d}" for one in range(n_customers)])
    schema = pa.schema([("customer_id", pa.string()), ("timestamp", pa.date32()), ("amount", pa.float64())])
    with pq.ParquetWriter(to, schema, compression="zstd") as writer:
        for some in np.array_split(order, max(1, len(order) // 1_000_000)):
            days = pa.array(_FIRST + day[some].astype(np.int64))
            writer.write_table(pa.table([ids.take(pa.array(who[some])), days, amount[some]], schema=schema))
    return len(who)


class Job(NamedTuple):
    """A command in a process of its own: wall and processor seconds, peak memory, seconds of its steps."""

    seconds: float
    worked: float
    megabytes: float
    steps: dict[str, float]


def run(folder: Path, *arguments: str) -> Job:
    """Run a command of habitue in a folder."""
    log = folder / "job.log"
    log.unlink(missing_ok=True)
    logged = ["--log", str(log)] if arguments[0] == "score" else []
    command = [sys.executable, "-m", "habitue", *arguments, *logged]
    began = time.time()
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{(folder / 'said.txt').read_text()}")
    seconds = time.time() - began
    worked = usage.ru_utime + usage.ru_stime
    return Job(seconds, worked, usage.ru_maxrss / 1024, _steps(log, began, seconds) if logged else {})


def _steps(log: Path, began: float, seconds: float) -> dict[str, float]:
    """Return how long each step took; customers are one step, however many parts it had."""
    told = [json.loads(one) for one in log.read_text(encoding="utf-8").splitlines()]
    steps = [
        (datetime.fromisoformat(one["at"]).timestamp(), one["text"]) for one in told if one["event"] == "step"
    ]
    took: dict[str, float] = {}
    ends = [at for at, _ in steps[1:]] + [began + seconds]
    for (at, text), end in zip(steps, ends, strict=True):
        name = "answers" if text.startswith("customers ") else text
        took[name] = took.get(name, 0.0) + end - at
    return took


def end_to_end(folder: Path, *, n_customers: int, n_transactions: int) -> Iterator[Row]:
    """Yield `habitue score` from transactions in Parquet to scores in Parquet, with reasons and without."""
    write_orders(folder / "sample.parquet", 15_000, 200_000, seed=1)
    n = write_orders(folder / "orders.parquet", n_customers, n_transactions)
    run(folder, "init", "sample.parquet")
    for recipe in ("churn", "clv"):
        run(folder, "train", f"models/{recipe}.toml")
    settings = folder / "habitue.toml"
    settings.write_text(settings.read_text().replace("sample.parquet", "orders.parquet"))
    without = run(folder, "score", "--no-reasons", "--output", "bare.parquet")
    whole = run(folder, "score", "--output", "scores.parquet")
    steps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in whole.steps.items() if seconds >= 1.0)
    told = (
        f"Processor time {whole.worked:.0f} s with reasons, {without.worked:.0f} s without; peak memory "
        f"{whole.megabytes:,.0f} MB. By the clock: {steps}. Models learned from a sample of 15,000 customers."
    )
    yield Row(
        f"`habitue score`: {n:,} transactions in Parquet to {n_customers:,} customers scored",
        Measured(whole.seconds, whole.megabytes, {}),
        "without reasons",
        Measured(without.seconds, without.megabytes, {}),
        None,
        told,
    )
