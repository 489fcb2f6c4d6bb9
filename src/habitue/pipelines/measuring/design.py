"""Plans of experiments with a log's own customers, and A/A checks on them: nothing was done to those.

What a metric is without an offer is read off the last horizon that the log knows in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.experiments import AACheck, Baseline, Design, design, simulate_aa
from habitue.experiments.design import Correction
from habitue.pipelines.contact_rules import ContactRules, left_alone
from habitue.pipelines.measuring.outcomes import FALLING_HARMS, Observed, observe
from habitue.records import CustomerLog
from habitue.records.history import consenting
from habitue.vocabulary import one_or_many

__all__ = ["Base", "base_of", "design_with", "past_customers", "simulate_with"]

_ACTIVE: Final = """
SELECT DISTINCT customer_id FROM {kind} WHERE day <= $day{more} ORDER BY CAST(customer_id AS VARCHAR)
"""


@dataclass(frozen=True)
class Base:
    """Customers who can be assigned.

    Attributes
    ----------
    customers : DataFrame
        customer_id as text.
    notes : tuple of str
        Who was left out, and answers on consent that could not be read.
    """

    customers: pd.DataFrame
    notes: tuple[str, ...]


def base_of(
    log: CustomerLog,
    *,
    day: date,
    active_within: int | None = None,
    rules: ContactRules | None = None,
) -> Base:
    """Return the customers of a log, without those who must not be contacted.

    Parameters
    ----------
    log : CustomerLog
        The records.
    day : date
        What is recorded later is not known; the log's last day where it is before that.
    active_within : int, optional
        Only customers with a purchase within so many days up to then, or with a contract that runs.
    rules : ContactRules, optional
        Where it stands who must be left alone.

    Raises
    ------
    DataError
        Where nobody is left.
    SettingsError
        As `habitue.pipelines.contact_rules.left_alone`.

    Notes
    -----
    Left out are who opted out by an event up to the day or in a column, who did not say last, where customers
    were asked, that they are `contactable`, and who did not consent.
    """
    known = min(day, log.observed_until)
    ids = _customers(log, known, active_within)
    alone = left_alone(log, ids, rules or ContactRules(), until=known)
    kept = ids.difference(alone.customers, sort=False)
    if kept.empty:
        raise DataError(
            f"Nobody is left to be assigned on {known}: all of {one_or_many(len(ids), 'customer')} opted out "
            "or must not be contacted."
            if len(ids)
            else f"Nobody was a customer on {known}. Choose a later day, or drop the condition."
        )
    n_out = len(ids) - len(kept)
    told = f"{one_or_many(n_out, 'customer')} left out who opted out or must not be contacted."
    notes = (*((told,) if n_out else ()), *alone.notes)
    return Base(pd.DataFrame({"customer_id": kept.astype("str").tolist()}, dtype=object), notes)


def _customers(log: CustomerLog, day: date, active_within: int | None) -> pd.Index:
    values: dict[str, date] = {"day": day}
    agreed = consenting(log.engine, log.kinds)
    agreed = f" AND {agreed}" if agreed else ""
    if "transactions" in log.kinds:
        more = agreed
        if active_within is not None:
            values["first"] = day - timedelta(days=active_within)
            more += " AND day > $first"
        found = log.engine.frame(_ACTIVE.format(kind="transactions", more=more), values)
    else:
        ended = "ended_at" in log.engine.columns("contracts")
        more = agreed + (" AND (ended_at IS NULL OR CAST(ended_at AS DATE) > $day)" if ended else "")
        found = log.engine.frame(_ACTIVE.format(kind="contracts", more=more), values)
    return pd.Index(found["customer_id"])


def past_customers(
    log: CustomerLog,
    *,
    horizon: int,
    cutoff: date | None = None,
    active_within: int | None = None,
    rules: ContactRules | None = None,
) -> Observed:
    """Return what the customers of a past day did afterwards.

    Parameters
    ----------
    log : CustomerLog
        The records.
    horizon : int
        Days.
    cutoff : date, optional
        That day; the last one whose horizon the log knows in full where None.
    active_within : int, optional
        As `base_of`.
    rules : ContactRules, optional
        As `base_of`.

    Raises
    ------
    DataError
        Where the log is too short, or the horizon after the cutoff is not known in full.
    """
    last = log.observed_until - timedelta(days=horizon)
    day = cutoff or last
    if day > last or last < log.first_day:
        raise DataError(
            f"What happens within {one_or_many(horizon, 'day')} after {day} is not known yet; the log tells "
            f"of {log.first_day} to {log.observed_until}. Choose a shorter horizon or an earlier cutoff."
        )
    base = base_of(log, day=day, active_within=active_within, rules=rules)
    ids = base.customers["customer_id"]
    customers = pd.DataFrame({"id": ids, "day": pd.Timestamp(day)}, index=ids.index)
    return observe(log, customers, horizon=horizon, opt_outs=(rules or ContactRules()).opt_out_events)


def _metric(seen: Observed, metric: str) -> Any:
    if metric not in seen.outcomes:
        raise SettingsError(f"This log cannot give {metric}; it gives {', '.join(seen.outcomes)}.")
    return seen.outcomes[metric]


def design_with(
    seen: Observed,
    *,
    metric: str,
    arms: Mapping[str, float],
    effect: float | None = None,
    relative_effect: float | None = None,
    n: int | None = None,
    power: float = 0.8,
    confidence: float = 0.95,
    correction: Correction = "dunnett",
    cap_quantile: float | None = None,
    per_week: float | None = None,
    horizon: int = 0,
) -> Design:
    """Plan an experiment with what past customers did.

    Parameters
    ----------
    seen : Observed
        Of `past_customers`.
    metric : str
        A column of its outcomes.
    arms : Mapping[str, float]
        Share of customers by arm.
    effect : float, optional
        The change that matters.
    relative_effect : float, optional
        The effect over the mean without an offer, instead of `effect`. Without effect and n, the effect is
        told that all these customers can find.
    n : int, optional
        Customers there are, if not all these.
    power, confidence : float
        As `habitue.experiments.design`.
    correction : {"dunnett", "bonferroni", "none"}, default "dunnett"
        How several arms are kept from finding something by chance.
    cap_quantile : float, optional
        Quantile of the metric at which each customer is cut off.
    per_week : float, optional
        Customers who come into it a week.
    horizon : int, default 0
        Days until an outcome is known.

    Raises
    ------
    SettingsError
        Where the log cannot give the metric, or `habitue.experiments.design` refuses.
    """
    values = _metric(seen, metric).to_numpy(dtype=np.float64)
    cap = None if cap_quantile is None else float(np.quantile(values, cap_quantile))
    baseline = Baseline.of_history(metric, values, before=_before(seen), cap=cap)
    if relative_effect is not None:
        effect = relative_effect * baseline.mean
    return design(
        baseline,
        arms=arms,
        effect=effect,
        n=len(values) if effect is None and n is None else n,
        power=power,
        confidence=confidence,
        correction=correction,
        per_week=per_week,
        horizon=horizon,
    )


def _before(seen: Observed) -> np.ndarray[tuple[int, int], np.dtype[np.float64]] | None:
    """Return what was known of the customers, without what does not vary; None where that is too much."""
    before = seen.baseline.to_numpy(dtype=np.float64)
    before = before[:, np.ptp(before, axis=0) > 0.0]
    return before if before.shape[1] and len(before) >= 40 * before.shape[1] else None


def simulate_with(
    seen: Observed,
    *,
    metrics: tuple[str, ...] = (),
    share: float = 0.5,
    n: int | None = None,
    n_splits: int = 500,
    n_looks: int = 10,
    random_state: int = 0,
) -> list[AACheck]:
    """Run experiments in which nothing is done on past customers.

    Parameters
    ----------
    seen : Observed
        Of `past_customers`.
    metrics : tuple of str, default ()
        Which; those that an offer is to move where empty, if they vary.
    share : float, default 0.5
        Of customers in the control.
    n : int, optional
        Customers of each experiment, drawn once; all where None.
    n_splits, n_looks : int
        As `habitue.experiments.simulate_aa`.
    random_state : int, default 0
        Seed.

    Returns
    -------
    list of AACheck
        One a metric.

    Raises
    ------
    DataError
        Where no metric varies.
    """
    rows = np.arange(len(seen.outcomes))
    if n is not None and n < len(rows):
        rows = np.random.default_rng(random_state).choice(rows, n, replace=False)
    before = _before(seen)
    hoped = [name for name in seen.outcomes if name in FALLING_HARMS]
    wanted = metrics or tuple(name for name in hoped if seen.outcomes[name].iloc[rows].nunique() > 1)
    if not wanted:
        raise DataError(
            f"Nothing varies between these {one_or_many(len(rows), 'customer')} within the horizon, so that "
            "there is nothing to be found. Choose another cutoff or a longer horizon."
        )
    return [
        simulate_aa(
            name,
            _metric(seen, name).to_numpy(dtype=np.float64)[rows],
            before=None if before is None else before[rows],
            share=share,
            n_splits=n_splits,
            n_looks=n_looks,
            random_state=random_state,
        )
        for name in wanted
    ]
