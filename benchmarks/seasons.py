"""What a season does to totals, and what one year can tell of it: a simulated business, and Online Retail.

``python -m benchmarks.seasons [folder of data sets]`` prints tables in Markdown. Online Retail (UCI 352) is
read from ``online_retail/online_retail.parquet`` in the folder where one is given.

Each simulated business has 3,000 customers who buy by BG/NBD with a profile of the year of its own, the same
in every year: coefficients of three harmonics with standard deviations 0.3, 0.15 and 0.1. It is asked on
September 30 of its first, its second and its third year about the 91 days to come. "held" is the share of
intervals of 80 % that did.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import habitue as hb
from habitue.errors import HabitueWarning
from habitue.evaluation.learning import what_is_known
from habitue.evaluation.seasons import season_of, with_day_of_year, with_season
from habitue.models import BoostedValueRegressor, BTYDValueRegressor, LastPeriodRepeatRegressor
from habitue.models.season import YearlySeason
from habitue.models.season_correction import SeasonCorrected
from habitue.models.seasonal_purchases import SeasonalPurchases
from habitue.numerics import bgnbd
from habitue.numerics.seasons import exposure
from habitue.records import CustomerLog
from habitue.snapshots import Snapshot, Window, stack, training_cutoffs

TRUTH = bgnbd.Params(0.9, 40.0, 0.8, 2.8)
N_CUSTOMERS, N_BUSINESSES, HORIZON = 3_000, 12, 91
ASKED = ("2021-09-30", "2022-09-30", "2023-09-30")
RETAIL = (("2011-09-09", 91), ("2011-06-09", 182))


class Total(NamedTuple):
    """A total that was foretold, over what came."""

    asked: str
    model: str
    share: float
    lower: float = np.nan
    upper: float = np.nan
    log_sd: float = np.nan


def season_drawn(random_state: np.random.Generator) -> YearlySeason:
    """Return the profile of a business."""
    spread = 0.3 / np.repeat([1.0, 2.0, 3.0], 2)
    return YearlySeason(tuple((spread * random_state.normal(size=6)).tolist()))


def business(season: YearlySeason, random_state: np.random.Generator) -> CustomerLog:
    """Return the purchases of a business with a season, from 2021 to 2023."""
    n_days = 3 * 365
    first = random_state.uniform(0.0, 900.0, N_CUSTOMERS)
    days = np.arange(0.0, n_days + 1.0)
    clock, began = exposure(season.coefficients, days), exposure(season.coefficients, first)
    zero = np.zeros(N_CUSTOMERS)
    drawn = bgnbd.simulate(TRUTH, zero, zero, zero, clock[-1] - began, random_state=random_state)
    repeats = np.interp(began[drawn.customer] + drawn.time, clock, days)
    when = np.minimum(np.concatenate([first, repeats]), n_days - 0.01)
    table = pd.DataFrame(
        {
            "customer_id": np.concatenate([np.arange(N_CUSTOMERS), drawn.customer]),
            "timestamp": pd.Timestamp("2021-01-01") + pd.to_timedelta(when, "D"),
            "amount": 10.0,
        }
    )
    return CustomerLog(transactions=table, observed_until="2023-12-31")


def purchases_foretold(
    log: CustomerLog, cutoff: str, horizon: int, truth: YearlySeason | None = None
) -> Iterator[Total]:
    """Yield totals of purchases without a season, with the one known at the cutoff, and with the true one."""
    now = with_day_of_year(hb.take_snapshot(log, Window(cutoff, horizon), []))
    came = float(now.outcomes["n_purchases"].sum())
    plain = BTYDValueRegressor(horizon=horizon).fit(now.X).purchases_
    yield Total(cutoff, "BG/NBD", float(plain.expected_purchases(now.X, horizon=horizon).sum()) / came)
    seasons = {"SeasonalPurchases": season_of(log, cutoff)} | (
        {"with the true season": truth} if truth else {}
    )
    for name, season in seasons.items():
        model = SeasonalPurchases(season=season).fit(now.X)
        lower, upper = model.season_interval(now.X, horizon=horizon)
        said = float(model.expected_purchases(now.X, horizon=horizon).sum())
        day = float(now.X["cutoff_day_of_year"].iloc[0])
        doubt = season.factor(day, horizon, history=now.X["T"]).log_sd
        yield Total(cutoff, name, said / came, lower / came, upper / came, doubt)


def past_and_now(log: CustomerLog, cutoff: str, horizon: int, **training: int) -> tuple[Snapshot, Snapshot]:
    """Return what models learn from at a cutoff, and whom they are asked about."""
    window = Window(cutoff, horizon)
    earlier = [Window(one, horizon) for one in training_cutoffs(log, window, **training)]
    known = what_is_known(log, window, earlier, calendar=True)
    return stack(known.past), known.now


def corrected(log: CustomerLog, cutoff: str, horizon: int, inner: Any, **training: int) -> SeasonCorrected:
    """Return a corrected model, fitted to what was known at the cutoff."""
    past, now = past_and_now(log, cutoff, horizon, **training)
    return SeasonCorrected(model=inner, horizon=horizon).fit(past.X, past.outcomes["spend"], now=now.X)


def trees_foretold(log: CustomerLog) -> Iterator[Total]:
    """Yield totals of trees that learned from two years of cutoffs: as they are, told the day, corrected."""
    cutoff = ASKED[-1]
    past, now = past_and_now(log, cutoff, HORIZON, n_cutoffs=8, step=91)
    came, spent = float(now.outcomes["spend"].sum()), past.outcomes["spend"]
    trees = BoostedValueRegressor(horizon=HORIZON, n_estimators=150, n_jobs=1)
    for name, left_out in (("LightGBM", ["cutoff_day_of_year"]), ("LightGBM told the day of the year", [])):
        fitted = trees.fit(past.X.drop(columns=left_out), spent)
        yield Total(cutoff, name, float(fitted.predict(now.X).sum()) / came)
    model = SeasonCorrected(model=trees, horizon=HORIZON).fit(past.X, spent)
    told = model.total_interval(now.X)
    yield Total(cutoff, "LightGBM, SeasonCorrected", *(np.array(told) / came))


def simulated(n_businesses: int) -> Iterator[str]:
    """Yield the table of the simulated business."""
    found: list[Total] = []
    for generator in np.random.default_rng(0).spawn(n_businesses):
        season = season_drawn(generator)
        log = business(season, generator)
        for cutoff in ASKED:
            found.extend(purchases_foretold(log, cutoff, HORIZON, season))
        found.extend(trees_foretold(log))
    table = pd.DataFrame(found)
    for (cutoff, model), rows in table.groupby(["asked", "model"], sort=True):
        off = np.log(rows["share"])
        inside = ((rows["lower"] <= 1.0) & (rows["upper"] >= 1.0)).mean()
        has_interval = bool(rows["lower"].notna().all()) and model != "with the true season"
        held = f"{inside:.0%}" if has_interval else ""
        width = f"x {np.exp(0.5 * np.log(rows['upper'] / rows['lower']).mean()):.2f}" if has_interval else ""
        rms = float(np.sqrt((off**2).mean()))
        yield f"| {cutoff} | {model} | {rms:.3f} | {off.abs().max():.2f} | {width} | {held} |"


def retail(folder: Path) -> Iterator[str]:
    """Yield the table of Online Retail: totals of purchases and of spend, over what came."""
    lines = pd.read_parquet(folder / "online_retail" / "online_retail.parquet").dropna(subset=["CustomerID"])
    lines["amount"] = lines["Quantity"] * lines["UnitPrice"]
    records = lines[["CustomerID", "InvoiceDate", "amount"]]
    log = hb.read_log(records, customer_id="CustomerID", timestamp="InvoiceDate")
    for cutoff, horizon in RETAIL:
        for one in purchases_foretold(log, cutoff, horizon):
            ends = f"{one.lower:.2f} to {one.upper:.2f}" if np.isfinite(one.lower) else ""
            yield f"| {cutoff}, {horizon} d | purchases | {one.model} | {one.share - 1.0:+.1%} | {ends} | |"
        yield from _spend_rows(log, cutoff, horizon)


def _spend_rows(log: CustomerLog, cutoff: str, horizon: int) -> Iterator[str]:
    _, now = past_and_now(log, cutoff, horizon)
    came = float(now.outcomes["spend"].sum())
    seasonal = with_season(BTYDValueRegressor(horizon=horizon, purchases=SeasonalPurchases()), log, cutoff)
    for name, inner in (
        ("BG/NBD + gamma-gamma", BTYDValueRegressor()),
        ("LightGBM Tweedie", BoostedValueRegressor(n_jobs=1)),
        ("last-period repeat", LastPeriodRepeatRegressor()),
    ):
        model = corrected(log, cutoff, horizon, inner)
        alone = float(np.sum(model.model_.predict(now.X)))
        ends = [np.array(model.total_interval(now.X, confidence=share)[1:]) / came for share in (0.8, 0.9)]
        told = " | ".join(f"{lower:.2f} to {upper:.2f}" for lower, upper in ends)
        yield f"| {cutoff}, {horizon} d | spend | {name} | {alone / came - 1.0:+.1%} | {told} |"
        expected = model.total_interval(now.X).expected / came
        yield f"| {cutoff}, {horizon} d | spend | {name}, SeasonCorrected | {expected - 1.0:+.1%} | {told} |"
    said = float(seasonal.fit(now.X).predict(now.X).sum()) / came
    lower, upper = np.array(seasonal.purchases_.season_interval(now.X, horizon=horizon))
    middle = float(seasonal.purchases_.expected_purchases(now.X, horizon=horizon).sum())
    ends = f"{said * lower / middle:.2f} to {said * upper / middle:.2f}"
    name = "BG/NBD + gamma-gamma, SeasonalPurchases"
    yield f"| {cutoff}, {horizon} d | spend | {name} | {said - 1.0:+.1%} | {ends} | |"


def main(folder: Path | None) -> None:
    """Print both tables."""
    if folder is not None:
        print("| Online Retail | total of | model | bias | 80 % interval over what came | 90 % |")
        print("|---|---|---|---|---|---|")
        for line in retail(folder):
            print(line, flush=True)
    print("\n| simulated, asked at | model | rms of log(foretold / came) | worst | mean interval | held |")
    print("|---|---|---|---|---|---|")
    for line in simulated(N_BUSINESSES):
        print(line, flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore", HabitueWarning)
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
