"""How often monitoring gives a false alarm, and which changes it finds: known businesses, many times.

``python -m benchmarks.monitoring [replications] [customers] [changes]`` prints a table in Markdown. Each
replication simulates two years in which customers come evenly and buy by BG/NBD or by Pareto/NBD, in turn;
trains a model at day 420 with every feature that such a log allows, and monitors it at the end: features,
law, answers, records and matured outcomes. Two numbers are told of a business in which nothing changes: how
often there was any alarm, and how often any p-value, taken together by Holm, fell to a rate whatever the
effect: that is what the rate promises, and the floors of effects come on top. As many of the businesses as
``changes`` says are changed, too.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import beta

from habitue.errors import HabitueWarning
from habitue.evaluation import SCORES, evaluate
from habitue.evaluation.drift import judged
from habitue.models import BGNBD, BTYDChurnClassifier, ChurnAnswers
from habitue.numerics import bgnbd, pareto_nbd
from habitue.numerics.gamma_gamma import GammaGammaParams
from habitue.pipelines.monitoring.model import look
from habitue.pipelines.monitoring.records import records_found
from habitue.pipelines.monitoring.seen import Learned
from habitue.records import CustomerLog
from habitue.records.simulators import PurchaseParams, simulate_log
from habitue.snapshots import Snapshot, Window, stack, take_snapshot
from habitue.snapshots.profile import Profile

LAWS: Final[tuple[PurchaseParams, ...]] = (
    bgnbd.Params(0.8, 40.0, 0.8, 2.4),
    pareto_nbd.Params(0.8, 40.0, 0.6, 60.0),
)
SPEND: Final = GammaGammaParams(6.0, 4.0, 15.0)
START: Final = date(2023, 1, 2)
DAYS, TRAINED, HORIZON = 730, 420, 91
RATES: Final = (0.01, 0.05, 0.2)


class _Reads(ChurnAnswers):
    """A model that reads every feature, so that every feature is watched."""

    reads: tuple[str, ...] = ()

    @property
    def input_columns_(self) -> list[str]:
        return list(self.reads)


class Business(NamedTuple):
    """What happened: purchases, and visits from another source."""

    transactions: pd.DataFrame
    events: pd.DataFrame

    def log(self) -> CustomerLog:
        """Return it as a log, complete up to the last day."""
        end = START + timedelta(days=DAYS - 1)
        return CustomerLog(transactions=self.transactions, events=self.events, observed_until=end)


def business(law: PurchaseParams, n_customers: int, random_state: np.random.Generator) -> Business:
    """Simulate a business in which nothing changes."""
    log = simulate_log(
        law, SPEND, n_customers=n_customers, start=START, days_of_acquisition=DAYS, days_observed=DAYS,
        random_state=random_state,
    ).log  # fmt: skip
    bought = log.engine.frame("SELECT customer_id, timestamp, amount FROM transactions")
    bought["channel"] = random_state.choice(["web", "shop"], len(bought))
    seen = bought.sample(frac=0.8, random_state=random_state)[["customer_id", "timestamp"]]
    return Business(bought, seen.assign(event="visit"))


def price_rise(now: Business, random_state: np.random.Generator) -> Business:
    """Raise all prices by 40 % from the training on."""
    del random_state
    bought, since = now.transactions, _since(now.transactions)
    return now._replace(
        transactions=bought.assign(amount=(bought["amount"] * np.where(since, 1.4, 1.0)).round(2))
    )


def churn_doubled(now: Business, random_state: np.random.Generator) -> Business:
    """Let one customer in a hundred leave each day from the training on, besides those who would anyway."""
    bought, since = now.transactions, _since(now.transactions)
    arrived: Any = bought.groupby("customer_id")["timestamp"].min()
    stays = pd.to_timedelta(random_state.exponential(100.0, len(arrived)), unit="D")
    left = (arrived.clip(lower=_day(TRAINED)) + stays).reindex(bought["customer_id"]).to_numpy()
    return now._replace(transactions=bought.loc[~since | (bought["timestamp"].to_numpy() <= left)])


def source_silent(now: Business, random_state: np.random.Generator) -> Business:
    """Let visits stop three weeks before the end."""
    del random_state
    return now._replace(events=now.events.loc[now.events["timestamp"] < _day(DAYS - 21)])


def column_broken(now: Business, random_state: np.random.Generator) -> Business:
    """Lose the channel in the last four weeks."""
    del random_state
    bought = now.transactions
    return now._replace(
        transactions=bought.assign(channel=bought["channel"].where(bought["timestamp"] < _day(DAYS - 28)))
    )


CHANGES: Final[Mapping[str, Callable[[Business, np.random.Generator], Business]]] = {
    "prices up by 40 %": price_rise,
    "churn doubled": churn_doubled,
    "a source silent for three weeks": source_silent,
    "a column empty for four weeks": column_broken,
}


def _day(place: int) -> Any:
    return pd.Timestamp(START) + pd.Timedelta(days=place)


def _since(bought: pd.DataFrame) -> Any:
    return (bought["timestamp"] >= _day(TRAINED + 1)).to_numpy()


def train(now: Business) -> tuple[_Reads, Learned]:
    """Train as of day 420 on what was known, and promise what the test of that day found."""
    known = CustomerLog(
        transactions=now.transactions.loc[now.transactions["timestamp"] < _day(TRAINED + HORIZON + 1)],
        events=now.events.loc[now.events["timestamp"] < _day(TRAINED + HORIZON + 1)],
        observed_until=START + timedelta(days=TRAINED + HORIZON),
    )
    cutoff = START + timedelta(days=TRAINED)
    earlier = [cutoff - timedelta(days=HORIZON), cutoff - timedelta(days=HORIZON + 45)]
    past: list[Snapshot] = [take_snapshot(known, Window(day, HORIZON)) for day in earlier]
    tested = take_snapshot(known, Window(cutoff, HORIZON))
    model = BTYDChurnClassifier(horizon=HORIZON, purchases=BGNBD(penalizer=0.01)).fit(tested.X)
    said = model.predict_proba(tested.X)[:, 1]
    scores = evaluate(tested.outcomes["churned"].to_numpy(), said, SCORES["churned"], n_replicates=100)
    promised = {
        f"{row['score']}{end}": float(row[name])
        for row in scores.to_dict("records")
        for end, name in (("", "value"), ("_lower", "lower"), ("_upper", "upper"))
    }
    answers = _Reads(
        classifier=model, purchases=model.purchases_, horizon=HORIZON,
        profile=Profile.of(stack(past).X).to_json(),
    )  # fmt: skip
    answers.reads = tuple(map(str, tested.X.columns))
    return answers, Learned(cutoff, tuple(earlier), promised, 1)


def watch(now: Business, answers: _Reads, learned: Learned, *, rate: float = RATES[0]) -> pd.DataFrame:
    """Monitor at the end."""
    log = now.log()
    seen = look(log, answers, learned, log.observed_until)
    return judged([*seen.checks, *records_found(log, log.observed_until).checks], rate=rate)


def _interval(found: int, n: int) -> str:
    """Write a share with the interval of Clopper and Pearson."""
    lower = beta.ppf(0.025, found, n - found + 1) if found else 0.0
    upper = beta.ppf(0.975, found + 1, n - found) if found < n else 1.0
    return f"{found / n:.1%} ({lower:.1%} to {upper:.1%})"


def main() -> None:
    """Print the table."""
    given = [int(one) for one in sys.argv[1:]]
    n_replications, n_customers, n_changes = (*given, *(300, 500, 20)[len(given) :])
    began, loud, below = time.perf_counter(), 0, dict.fromkeys(RATES, 0)
    n_checks = 0
    warnings.simplefilter("ignore", HabitueWarning)
    found = dict.fromkeys(CHANGES, 0)
    kinds: dict[str, set[str]] = {name: set() for name in CHANGES}
    for place, draw in enumerate(np.random.default_rng(6).spawn(n_replications)):
        usual = business(LAWS[place % len(LAWS)], n_customers, draw)
        answers, learned = train(usual)
        table = watch(usual, answers, learned)
        alarms = table.loc[table["alarm"].astype("bool")]
        loud, n_checks = loud + (len(alarms) > 0), len(table)
        for rate in RATES:
            below[rate] += bool(table["adjusted"].to_numpy().min() <= rate)
        if len(alarms):
            print(f"replication {place}: {alarms['told'].tolist()}", file=sys.stderr)
        if place < n_changes:
            for name, change in CHANGES.items():
                alarms = watch(change(usual, draw), answers, learned)
                alarms = alarms.loc[alarms["alarm"].astype("bool")]
                found[name] += len(alarms) > 0
                kinds[name] |= set(alarms["kind"])
        if (place + 1) % 25 == 0:
            print(f"{place + 1}: {loud} with alarms, {below}", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - began
    print(f"{n_replications} stationary businesses of {n_customers} customers, {n_checks} comparisons each; ")
    print(f"{seconds:,.0f} s\n\n| what | of them |\n|---|---|")
    print(f"| any alarm, rate 1 % | {_interval(loud, n_replications)} |")
    for rate, n in below.items():
        print(f"| any p, all taken together, at most {rate:g} | {_interval(n, n_replications)} |")
    for name, n in found.items():
        print(f"| found: {name} | {n} of {n_changes}, as {', '.join(sorted(kinds[name])) or 'nothing'} |")


if __name__ == "__main__":
    main()
