"""Which law of spend serves, and which interval: all of them out of time on CDNOW and Online Retail.

``python -m benchmarks.value_laws [folder of data sets]`` prints tables in Markdown. CDNOW comes with
habitue's dependencies; Online Retail (UCI 352) is read from ``online_retail/online_retail.parquet`` in the
folder where one is given. Models learn from up to four earlier cutoffs whose outcomes were known by the one
they are tested at.

An interval is learned from predictions for customers that the model had not seen: those of four copies, each
trained on three customers in four.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

import habitue as hb
from habitue.errors import HabitueWarning
from habitue.evaluation.intervals import coverage_table, decile_groups
from habitue.evaluation.learning import what_is_known
from habitue.evaluation.scores import SCORES
from habitue.evaluation.segments import segment_of
from habitue.models import BoostedValueRegressor, ValueInterval
from habitue.models.quantile_interval import QuantileValueInterval
from habitue.models.value_laws import LAWS
from habitue.records import CustomerLog
from habitue.snapshots import Snapshot, Window, stack, training_cutoffs

HORIZON = 91
CONFIDENCE = 0.8
N_COPIES = 4
CUTOFFS = {"CDNOW": ["1997-12-30", "1998-03-31"], "Online Retail": ["2011-06-10", "2011-09-09"]}

FloatArray = npt.NDArray[np.float64]


class Case(NamedTuple):
    """What was learned from, and whom models are tested on."""

    name: str
    past: Snapshot
    now: Snapshot


def logs(folder: Path | None) -> Iterator[tuple[str, CustomerLog]]:
    """Yield the data sets that are here."""
    yield "CDNOW", hb.datasets.cdnow()
    if folder is not None:
        lines = pd.read_parquet(folder / "online_retail" / "online_retail.parquet").dropna(
            subset=["CustomerID"]
        )
        lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
        yield (
            "Online Retail",
            hb.read_log(
                lines[["CustomerID", "InvoiceDate", "amount"]],
                customer_id="CustomerID",
                timestamp="InvoiceDate",
            ),
        )


def cases(folder: Path | None) -> Iterator[Case]:
    """Yield each data set at each cutoff."""
    for name, log in logs(folder):
        for cutoff in CUTOFFS[name]:
            window = Window(cutoff, HORIZON)
            earlier = [Window(one, HORIZON) for one in training_cutoffs(log, window)]
            known = what_is_known(log, window, earlier)
            yield Case(f"{name} {cutoff}", stack(known.past), known.now)


def law_rows(case: Case) -> Iterator[str]:
    """Yield a line of the table of laws for each of them."""
    spent = case.now.outcomes["spend"].to_numpy(dtype=np.float64)
    known = {score.name: score for score in SCORES["spend"]}
    for law in LAWS:
        model = BoostedValueRegressor(law=law, horizon=HORIZON, n_jobs=1)
        model.fit(case.past.X, case.past.outcomes["spend"])
        predicted = model.predict(case.now.X)
        told = " | ".join(f"{score(spent, predicted):.4g}" for score in known.values())
        trees = ", ".join(str(one.num_trees()) for one in model.boosters_.values())
        yield f"| {case.name} | {law} | {trees} | {told} |"


def unseen_predictions(case: Case, model: BoostedValueRegressor) -> FloatArray:
    """Return predictions for the rows learned from, each by a copy that had not seen the customer."""
    X, spent = case.past.X, case.past.outcomes["spend"]
    customer, _ = pd.factorize(X.index.get_level_values("customer_id"))
    predicted = np.zeros(len(X))
    for copy in range(N_COPIES):
        mine = customer % N_COPIES == copy
        predicted[mine] = model.fit(X[~mine], spent[~mine]).predict(X[mine])
    return predicted


def interval_rows(case: Case) -> Iterator[str]:
    """Yield lines of the table of intervals: all customers, tenths by prediction, segments."""
    spent = case.now.outcomes["spend"].to_numpy(dtype=np.float64)
    model = BoostedValueRegressor(
        n_estimators=100, early_stopping=False, horizon=HORIZON, random_state=1, n_jobs=1
    )
    unseen = unseen_predictions(case, model)
    past = case.past.outcomes["spend"].to_numpy(dtype=np.float64)
    predicted = model.fit(case.past.X, past).predict(case.now.X)
    ratio = ValueInterval(confidence=CONFIDENCE).fit(unseen, past)
    trees = QuantileValueInterval(confidence=CONFIDENCE, n_jobs=1).fit(case.past.X, past, unseen)
    segments = segment_of(case.now.X, horizon=HORIZON)
    for name, bounds in (
        ("ratio by level", ratio.bounds(predicted)),
        ("quantile trees", trees.bounds(case.now.X, predicted)),
    ):
        for groups in (None, decile_groups(predicted), segments.to_numpy(dtype=str)):
            table = coverage_table(spent, *bounds, confidence=CONFIDENCE, groups=groups)
            for row in table.to_dict("records"):
                yield (
                    f"| {case.name} | {name} | {row['group']} | {row['n']} | {row['share_inside']:.1%} | "
                    f"{row['share_below']:.1%} | {row['share_above']:.1%} | {row['mean_width']:.4g} | "
                    f"{row['mean_score']:.4g} |"
                )


def main(folder: Path | None) -> None:
    """Print both tables."""
    there = list(cases(folder))
    names = " | ".join(score.name for score in SCORES["spend"])
    print(f"| data, cutoff | law | trees | {names} |\n|{'---|' * (3 + len(SCORES['spend']))}")
    for case in there:
        for line in law_rows(case):
            print(line, flush=True)
    print("\n| data, cutoff | interval | customers | n | inside | below | above | width | interval score |")
    print(f"|{'---|' * 9}")
    for case in there:
        for line in interval_rows(case):
            print(line, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", HabitueWarning)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
