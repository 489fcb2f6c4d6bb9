"""The customer base at a cutoff: X, and y where the future is known.

This is the only place where outcomes are read. X comes from a `History` and cannot hold the future; y is read
from the records after the cutoff and joined by customer.

Churn is told by one of two kinds of record. By transactions: who bought nothing within the horizon, of all
who ever bought. By contracts: who has none left at the end of the horizon, of those with one that runs at the
cutoff; who left before has nothing to cancel, and is not in the base.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.features import FEATURES, LITERATURE, Feature, build, build_each
from habitue.records import CustomerLog
from habitue.records.history import MAIN_KINDS, Histories, History
from habitue.snapshots.population import Population
from habitue.snapshots.window import Window
from habitue.vocabulary import one_or_many

__all__ = [
    "FEW_RECORDS",
    "Snapshot",
    "churn_told_by",
    "history_of",
    "stack",
    "take_snapshot",
    "take_snapshots",
    "training_cutoffs",
]

FEW_RECORDS = 1_500_000
"""Of so many records, times cutoffs, several cutoffs are described in one pass, which takes half the time or
less. Of ten million it takes longer than one pass each."""

_OUTCOMES = """
SELECT customer_id,
    COUNT(DISTINCT day) FILTER (WHERE amount >= 0) AS n_purchases,
    CAST(SUM(amount) AS DOUBLE) AS spend
FROM transactions
WHERE day > $cutoff AND day <= $end
GROUP BY customer_id
"""

_CANCELLED = """
SELECT customer_id, COUNT(*) FILTER (
    WHERE day <= $end AND (ended_at IS NULL OR CAST(ended_at AS DATE) > $end)
) = 0 AS churned{reason}
FROM contracts
GROUP BY customer_id
"""

# Of several contracts that ended, the last one's reason: with it the customer was lost.
_REASON = """,
    ARG_MAX(ended_reason, ended_at) FILTER (
        WHERE CAST(ended_at AS DATE) > $cutoff AND CAST(ended_at AS DATE) <= $end
    ) AS churn_reason"""


@dataclass(frozen=True)
class Snapshot:
    """The customer base at a cutoff.

    Attributes
    ----------
    window : Window
        Cutoff and horizon.
    X : DataFrame of float64, shape (n_customers, n_features)
        What was known, indexed by customer_id: frequency, recency, T, monetary_value and all other features.
    y : DataFrame or None
        What came to be, same index: n_purchases (days with a purchase), spend (money, returns taken off) and
        churned (no purchase); where contracts tell churn: churned (no contract runs at the end of the window)
        and, where they say why they ended, churn_reason (the last one's; missing for those who stay). None
        where the log ends before the window does.
    features : tuple of Feature
        What the columns of X are: meaning, unit, pillar, SQL.
    """

    window: Window
    X: pd.DataFrame
    y: pd.DataFrame | None
    features: tuple[Feature, ...] = field(default=(), repr=False)

    @property
    def outcomes(self) -> pd.DataFrame:
        """`y`, where it has to be known.

        Raises
        ------
        DataError
            Where the window reaches beyond the log.
        """
        if self.y is None:
            raise DataError(
                f"What happens in {self.window} is not known yet: the log ends before. Choose an earlier "
                "cutoff or a shorter horizon."
            )
        return self.y


def take_snapshot(
    log: CustomerLog,
    window: Window,
    features: Sequence[str | Feature] | None = None,
    *,
    population: Population | None = None,
    churn: str | None = None,
) -> Snapshot:
    """Describe every customer as known at the cutoff, and what they did afterwards where that is known.

    Parameters
    ----------
    log : CustomerLog
        The records.
    window : Window
        Cutoff and horizon.
    features : sequence of str or Feature, optional
        Columns of X besides the literature's four, which are always there where there are transactions; all
        that the log's records allow where None.
    population : Population, optional
        What was learned from a population before (usual prices, levels of attributes); without it features
        that need it are left out.
    churn : {"transactions", "contracts"}, optional
        The records that tell who is a customer and who churned; transactions where None and there are any.

    Returns
    -------
    Snapshot
        One row per customer who had bought by the cutoff, in order of customer_id; where contracts tell
        churn, per customer with a contract that runs at the cutoff.

    Raises
    ------
    DataError
        Where the cutoff is before the first or after the last day of the log, or nobody is a customer yet.
    SettingsError
        Where a feature is unknown, or the log lacks the records that are to tell churn.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> snapshot = take_snapshot(cdnow(sample=True), Window("1997-09-30", horizon=273))
    >>> snapshot.X[["frequency", "recency", "T"]].head(2)
                 frequency  recency      T
    customer_id
    1                  2.0    213.0  272.0
    2                  1.0     12.0  272.0
    >>> int(snapshot.y["n_purchases"].sum())
    1882
    """
    return take_snapshots(log, [window], features, population=population, churn=churn)[0]


def take_snapshots(
    log: CustomerLog,
    windows: Sequence[Window],
    features: Sequence[str | Feature] | None = None,
    *,
    population: Population | None = None,
    churn: str | None = None,
) -> list[Snapshot]:
    """Take the snapshots of several windows; of few records in one pass, which is cheaper.

    Parameters
    ----------
    log : CustomerLog
        The records.
    windows : sequence of Window
        In the order of the snapshots.
    features : sequence of str or Feature, optional
        As `take_snapshot`.
    population : Population, optional
        As `take_snapshot`.
    churn : {"transactions", "contracts"}, optional
        As `take_snapshot`.

    Returns
    -------
    list of Snapshot
        Bit for bit what `take_snapshot` returns for each.

    Raises
    ------
    DataError, SettingsError
        As `take_snapshot`.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> windows = [Window(cutoff, horizon=91) for cutoff in ("1997-09-30", "1997-12-31")]
    >>> [len(snapshot.X) for snapshot in take_snapshots(cdnow(sample=True), windows)]
    [2357, 2357]
    """
    told_by = churn_told_by(log, churn)
    histories = [history_of(log, window.cutoff, told_by) for window in windows]
    if not histories:
        return []
    population = population or Population()
    possible = population.features(histories[0])
    chosen = possible if features is None else _chosen(features, possible, log.kinds)
    with population.readable_in(log.engine):
        if _are_few(log, windows):
            cutoffs = tuple(window.cutoff for window in windows)
            together = Histories(log.engine, cutoffs, histories[0].kinds)
            found = build_each(together, chosen, horizon=windows[0].horizon)
        else:
            pairs = zip(histories, windows, strict=True)
            found = [build(history, chosen, horizon=window.horizon) for history, window in pairs]
    outcomes = [
        None if window.end > log.observed_until else _outcomes(log, window, X.index, told_by)
        for window, X in zip(windows, found, strict=True)
    ]
    return [Snapshot(*taken, chosen) for taken in zip(windows, found, outcomes, strict=True)]


def churn_told_by(log: CustomerLog, churn: str | None = None) -> str:
    """Return the kind of record that tells who is a customer and who churned.

    Parameters
    ----------
    log : CustomerLog
        The records.
    churn : {"transactions", "contracts"}, optional
        What was asked for; transactions where None and there are any, else contracts.

    Raises
    ------
    SettingsError
        Where it is neither, or the log has none of them.

    Examples
    --------
    >>> from habitue.records.datasets import cdnow
    >>> churn_told_by(cdnow(sample=True))
    'transactions'
    """
    there = [kind for kind in MAIN_KINDS if kind in log.kinds]
    if churn is None:
        return there[0]
    if churn not in there:
        raise SettingsError(
            f"churn says which records tell who leaves: {' or '.join(there)} in this log; got {churn!r}."
        )
    return churn


def history_of(log: CustomerLog, cutoff: date, told_by: str) -> History:
    """Return what was known at a cutoff, read with the kind of record first that tells who is a customer.

    Parameters
    ----------
    log : CustomerLog
        The records.
    cutoff : date
        The last day whose records may be read.
    told_by : str
        Of `churn_told_by`.

    Raises
    ------
    DataError
        Where the cutoff is before the first or after the last day of the log.
    """
    history = log.until(cutoff)
    return replace(history, kinds=tuple(sorted(history.kinds, key=lambda kind: kind != told_by)))


def _are_few(log: CustomerLog, windows: Sequence[Window]) -> bool:
    """Tell whether several windows can be described in one pass, and are better so."""
    n_records = sum(check.n_admitted for check in log.checks.values())
    alike = len({window.horizon for window in windows}) == 1 and len(set(windows)) == len(windows)
    return len(windows) > 1 and alike and n_records * len(windows) <= FEW_RECORDS


def _outcomes(log: CustomerLog, window: Window, customers: pd.Index, told_by: str) -> pd.DataFrame:
    """Return what came to be: purchases, or contracts that go on."""
    days = {"cutoff": window.cutoff, "end": window.end}
    if told_by == "contracts":
        return _cancelled(log, days).reindex(customers)
    found = log.engine.frame(_OUTCOMES, days).set_index("customer_id")
    y = found.reindex(customers).fillna(0.0)
    y["n_purchases"] = y["n_purchases"].astype("int64")
    y["churned"] = y["n_purchases"] == 0
    return y


def _cancelled(log: CustomerLog, days: Mapping[str, date]) -> pd.DataFrame:
    """Return of everybody who ever had a contract whether none is left, and why it ended."""
    there = log.engine.columns("contracts")
    if "ended_at" not in there:
        sql, asked = _CANCELLED.format(reason="").replace("ended_at", "NULL"), {"end": days["end"]}
    elif "ended_reason" not in there:
        sql, asked = _CANCELLED.format(reason=""), {"end": days["end"]}
    else:
        sql, asked = _CANCELLED.format(reason=_REASON), days
    y = log.engine.frame(sql, asked).set_index("customer_id").astype({"churned": "bool"})
    if "churn_reason" in y:
        y["churn_reason"] = y["churn_reason"].where(y["churned"])
    return y


def _chosen(
    features: Sequence[str | Feature], possible: Sequence[Feature], kinds: Sequence[str]
) -> tuple[Feature, ...]:
    # What the log does not allow is known too: `build` says what is missing for it.
    known = {feature.name: feature for feature in (*FEATURES, *possible)}
    unknown = [name for name in features if isinstance(name, str) and name not in known]
    if unknown:
        raise SettingsError(f"There is no feature {', '.join(unknown)}. Known are: {', '.join(known)}.")
    wanted = [known[name] if isinstance(name, str) else name for name in features]
    always = [feature for feature in LITERATURE if feature.kind in kinds]
    return tuple(dict.fromkeys([*always, *wanted]))


def stack(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Put several snapshots of one horizon on top of each other, to learn from all of them.

    Parameters
    ----------
    snapshots : sequence of Snapshot
        At least one, each with known outcomes.

    Returns
    -------
    Snapshot
        Indexed by (cutoff, customer_id); its window is the last one.

    Raises
    ------
    SettingsError
        Where there is none.
    DataError
        Where the outcomes of one are not known.
    """
    if not snapshots:
        raise SettingsError("There is nothing to stack; give at least one snapshot.")
    keys = [snapshot.window.cutoff for snapshot in snapshots]
    X = pd.concat([snapshot.X for snapshot in snapshots], keys=keys, names=["cutoff"])
    y = pd.concat([snapshot.outcomes for snapshot in snapshots], keys=keys, names=["cutoff"])
    last = max((snapshot.window for snapshot in snapshots), key=lambda one: one.cutoff)
    return Snapshot(last, X, y, snapshots[0].features)


def training_cutoffs(
    log: CustomerLog, window: Window, *, n_cutoffs: int = 4, step: int | None = None
) -> list[date]:
    """Return cutoffs whose outcomes were known at the window's cutoff, so that no model sees its own test.

    Parameters
    ----------
    log : CustomerLog
        Says where records begin.
    window : Window
        The window to predict; training windows have its horizon and end on or before its cutoff.
    n_cutoffs : int
        At most so many.
    step : int, optional
        Days between them; half the horizon where None.

    Returns
    -------
    list of date
        In order of time; the last is one horizon before the window's cutoff.

    Raises
    ------
    SettingsError
        Where `n_cutoffs` or `step` is below 1.
    DataError
        Where the log is too short for a single one.
    """
    if n_cutoffs < 1 or (step is not None and step < 1):
        raise SettingsError(f"n_cutoffs and step must be 1 or more; got {n_cutoffs!r} and {step!r}.")
    step = max(1, window.horizon // 2) if step is None else step
    last = window.cutoff - timedelta(days=window.horizon)
    # A cutoff needs some history to learn from: at least one horizon where there is that much, else one day.
    cutoffs = [last - timedelta(days=step * place) for place in range(n_cutoffs)]
    known = [cutoff for cutoff in cutoffs if cutoff >= log.first_day + timedelta(days=window.horizon)]
    known = known or [cutoff for cutoff in cutoffs[:1] if cutoff > log.first_day]
    if not known:
        raise DataError(
            f"The log begins on {log.first_day}: too late to learn what happens within "
            f"{one_or_many(window.horizon, 'day')} and to test it at {window.cutoff}. Choose a "
            "shorter horizon or a later cutoff."
        )
    return sorted(known)
