"""The facts of a report: plain data that a test can read, before any of it is drawn.

:func:`build_facts` turns scores, leaderboards and curves into one frozen :class:`Facts`;
:meth:`Facts.to_dict` is JSON-able. No chart, no HTML, no clock and no disk: the moment of writing is handed
in, and the page is made by :mod:`habitue.report.page`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta

import pandas as pd

from habitue.errors import SchemaError, SettingsError
from habitue.report.answered import sentences_on
from habitue.report.checked import Champion, DataCheck, KindCheck, Published
from habitue.report.curves import Curves, read_curves
from habitue.report.customers import Base, describe_base
from habitue.report.glossary import Term, glossary
from habitue.report.in_short import in_short
from habitue.report.looked import Looked
from habitue.report.loop_facts import Loop
from habitue.report.plain_data import plain
from habitue.report.rivals import Leaderboard, read_leaderboard
from habitue.report.scores import read_scores
from habitue.report.wording import count, day, money, percent
from habitue.vocabulary import one_or_many

__all__ = ["Champion", "DataCheck", "Facts", "KindCheck", "Loop", "Published", "build_facts"]

TABLES = ("churn", "value")


@dataclass(frozen=True)
class Facts:
    """Everything a report says, as plain data.

    Attributes
    ----------
    title, source, currency : str
        The heading, where the records come from, and the symbol or code of the money.
    cutoff, end : datetime.date
        The last day known and the last day predicted.
    horizon : int
        Days from one to the other.
    generated_at : datetime.datetime
        When the report was made.
    finding : tuple of str
        The main result in plain sentences.
    base : Base
        Headline numbers, distributions, concentration, reasons and the customer list.
    leaderboards : tuple of Leaderboard
        One for churn, one for value, as far as given.
    curves : Curves
        Calibration, gains and value by decile.
    champions : tuple of Champion
    data_check : DataCheck
    published : Published or None
    glossary : tuple of Term
    interval_level : float or None
        Level of the ranges of the customers' expected spend.
    trained_for : int
        Days ahead that the models learned, and were tested on.
    discount_rate : float
        What a year took off money that comes later.
    answered : tuple of str
        Who answered for how many customers, in sentences.
    loop : Loop
        Scorecard, drivers, plan and proof, as far as they were handed in.
    in_short : tuple of str
        The same in a few sentences.
    looked : tuple of Looked
        What `habitue monitor` last found of the champions.
    """

    title: str
    source: str
    currency: str
    cutoff: date
    end: date
    horizon: int
    generated_at: datetime
    finding: tuple[str, ...]
    base: Base
    leaderboards: tuple[Leaderboard, ...]
    curves: Curves
    champions: tuple[Champion, ...]
    data_check: DataCheck
    published: Published | None
    glossary: tuple[Term, ...]
    interval_level: float | None
    trained_for: int
    discount_rate: float
    answered: tuple[str, ...]
    loop: Loop = field(default_factory=Loop)
    in_short: tuple[str, ...] = ()
    looked: tuple[Looked, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the facts as dictionaries, lists, strings, numbers and None: what JSON can hold.

        Returns
        -------
        dict

        Notes
        -----
        Dates become ISO strings; a number that is not finite becomes None.
        """
        return {name.name: plain(getattr(self, name.name)) for name in fields(self)}


def build_facts(
    *,
    title: str,
    source: str,
    currency: str,
    cutoff: date,
    horizon: int,
    scores: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    curves: Mapping[str, pd.DataFrame],
    champions: Sequence[Champion],
    data_check: DataCheck,
    generated_at: datetime,
    published: pd.DataFrame | None = None,
    n_customers_shown: int = 500,
    interval_level: float | None = None,
    trained_for: int | None = None,
    discount_rate: float = 0.0,
    loop: Loop | None = None,
    looked: Sequence[Looked] = (),
) -> Facts:
    """Gather everything a report says about who will leave and what customers are worth.

    Parameters
    ----------
    title, source, currency : str
        The heading, where the records come from, and the symbol or code of the money.
    cutoff : datetime.date
        The last day that was known.
    horizon : int
        How far ahead is looked, in days, at least 1.
    scores : pandas.DataFrame
        One row per customer: customer_id, and churn_probability, clv or both; and as far as known p_alive,
        expected_purchases, clv_lower, clv_upper, decile, reason_1 to reason_3, frequency, inactivity,
        spend_total, expected_residual_lifetime_365d, answered_by, clv_answered_by.
    tables : mapping of str to pandas.DataFrame
        Leaderboards "churn" and "value": see :func:`habitue.report.rivals.read_leaderboard`.
    curves : mapping of str to pandas.DataFrame
        "reliability", "gains", "deciles": see :func:`habitue.report.curves.read_curves`.
    champions : sequence of Champion
        The models that made the scores.
    data_check : DataCheck
        What the records looked like.
    generated_at : datetime.datetime
        When the report is made.
    published : pandas.DataFrame or None
        Published figures beside ours, shown as they are.
    n_customers_shown : int
        At most so many customers are named.
    interval_level : float or None
        Level of clv_lower and clv_upper, e.g. 0.95, where it is known.
    trained_for : int or None
        Days ahead that the models learned and were tested on; the horizon where None.
    discount_rate : float
        What a year took off money that comes later: 0.10 for ten percent.
    loop : Loop or None
        Scorecard, drivers, plan and proof: of :func:`habitue.report.loop_facts.read_loop`.
    looked : sequence of Looked
        What `habitue monitor` last found of the champions; nothing is said of those that it never saw.

    Returns
    -------
    Facts

    Raises
    ------
    SchemaError
        If a needed column is missing, or a table or curve has a name that the report does not know.
    DataError
        If the scores are empty, name a customer twice or hold a probability outside [0, 1].
    SettingsError
        If the horizon, the number of customers shown or the level is impossible.

    Examples
    --------
    >>> facts = build_facts(
    ...     title="Customers", source="shop", currency="$", cutoff=date(2026, 6, 30), horizon=90,
    ...     scores=pd.DataFrame({"customer_id": ["a", "b"], "churn_probability": [0.9, 0.1], "clv": [1, 9]}),
    ...     tables={}, curves={}, champions=[], data_check=DataCheck(9, 2, None, None, 0),
    ...     generated_at=datetime(2026, 7, 1))
    >>> facts.base.headline.expected_spend, facts.to_dict()["end"]
    (10.0, '2026-09-28')
    """
    _check_settings(horizon, n_customers_shown, interval_level)
    _check_names(tables)
    read, told = read_scores(scores), loop or Loop()
    base = describe_base(read, n_shown=n_customers_shown)
    names = {
        role: [n for c in champions if c.role == role for n in (c.model, c.name)] for role in ("churn", "clv")
    }
    roles = {"churn": names["churn"], "value": names["clv"]}
    boards = tuple(
        read_leaderboard(tables[question], question=question, champions=roles[question])
        for question in TABLES
        if question in tables and not tables[question].empty
    )
    return Facts(
        title=title,
        source=source,
        currency=currency,
        cutoff=cutoff,
        end=cutoff + timedelta(days=horizon),
        horizon=horizon,
        generated_at=generated_at,
        finding=tuple(_finding(base, boards, currency, cutoff, horizon, told)),
        base=base,
        leaderboards=boards,
        curves=read_curves(curves, churn_champions=names["churn"], value_champions=names["clv"]),
        champions=tuple(champions),
        data_check=data_check,
        published=None if published is None or published.empty else _published(published),
        glossary=glossary(
            cutoff=cutoff,
            horizon=horizon,
            currency=currency,
            interval_level=interval_level,
            discount_rate=discount_rate,
            there=read.numbers,
        ),
        interval_level=interval_level,
        trained_for=trained_for or horizon,
        discount_rate=discount_rate,
        answered=sentences_on(base.answered),
        loop=told,
        in_short=tuple(in_short(told, currency)),
        looked=tuple(looked),
    )


def _check_settings(horizon: int, n_customers_shown: int, interval_level: float | None) -> None:
    if horizon < 1:
        raise SettingsError(f"horizon must be at least 1 day; got {horizon}.")
    if n_customers_shown < 0:
        raise SettingsError(f"n_customers_shown must be 0 or more; got {n_customers_shown}.")
    if interval_level is not None and not 0.0 < interval_level < 1.0:
        raise SettingsError(f"interval_level must lie between 0 and 1, e.g. 0.95; got {interval_level}.")


def _check_names(tables: Mapping[str, pd.DataFrame]) -> None:
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise SchemaError(
            f"No leaderboard is called {', '.join(unknown)}; the report shows: {', '.join(TABLES)}."
        )


def _finding(
    base: Base, boards: Sequence[Leaderboard], currency: str, cutoff: date, horizon: int, loop: Loop
) -> list[str]:
    head, sentences = base.headline, list[str]()
    end = day(cutoff + timedelta(days=horizon))
    if head.churn_mean is not None and head.n_at_risk is not None:
        are = "is" if head.n_at_risk == 1 else "are"
        sentences.append(
            f"Of {one_or_many(head.n_with_churn, 'customer')}, {percent(head.churn_mean)} are expected to "
            f"leave by {end}; {count(head.n_at_risk)} {are} more likely to leave than to stay."
        )
    if head.expected_spend is not None and loop == Loop():
        same = head.n_with_churn == head.n_with_value > 1
        everybody = one_or_many(head.n_with_value, "customer is", plural="customers are")
        who = "Together they are" if same else everybody
        spend = money(head.expected_spend, currency)
        sentences.append(f"{who} expected to spend {spend} by {end}{_top_tenth(base)}.")
    if head.value_at_risk is not None and head.value_at_risk_share is not None:
        of = "that" if loop == Loop() else f"the {money(head.expected_spend, currency)} expected of all"
        sentences.append(
            f"{money(head.value_at_risk, currency)} of {of} ({percent(head.value_at_risk_share)}) "
            "hangs on those who are more likely to leave than to stay."
        )
    if loop != Loop():
        # What the models are worth stands further down, once there is something to do.
        return sentences
    asked = {"churn": "who leaves", "value": "what they spend"}
    verdicts = [(asked[board.question], board.verdict) for board in boards if board.verdict is not None]
    return sentences + [f"Tested on the past for {asked}, {verdict}." for asked, verdict in verdicts]


def _top_tenth(base: Base) -> str:
    """Speak of a tenth only where there are ten customers."""
    if base.concentration is None or base.headline.n_with_value < 10:
        return ""
    return f", and the most valuable tenth holds {percent(base.concentration.top_tenth_share)} of it"


def _published(frame: pd.DataFrame) -> Published:
    rows = tuple(
        tuple(_cell(value) for value in row)
        for row in frame.astype(object).itertuples(index=False, name=None)
    )
    return Published(tuple(map(str, frame.columns)), rows)


def _cell(value: object) -> str | float | None:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float | int) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    return str(value)
