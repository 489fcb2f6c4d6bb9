"""What experiments in a log have to tell: who was drawn into which arm, what was known, and what came of it.

Each campaign with randomised contacts is a trial. Customers are described as known on the day before anybody
was contacted, and their outcomes are those of `take_snapshot`. Contacts that were not drawn by chance are
never used: whoever was chosen for a reason differs from others by that reason.

Not here: the design and the readout of an experiment, which are ``habitue.experiments``, nor models of what
an offer does, which are ``habitue.models.uplift.model``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.features import Feature
from habitue.records import CustomerLog
from habitue.records.days import as_day
from habitue.snapshots.population import Population
from habitue.snapshots.snapshot import Snapshot, take_snapshots
from habitue.snapshots.trial_contacts import Drawn, drawn_contacts
from habitue.snapshots.window import Window
from habitue.vocabulary import one_or_many

__all__ = ["Trials", "take_trials"]

_MARGIN = """
SELECT customer_id, CAST(SUM(margin) AS DOUBLE) AS margin, COUNT(*) FILTER (WHERE margin IS NULL) AS untold
FROM transactions
WHERE day > $cutoff AND day <= $end
GROUP BY customer_id
"""


@dataclass(frozen=True)
class Trials:
    """Customers who were drawn into an arm by chance, one row a campaign and customer.

    Everything has the index of `X`: (campaign, customer_id), in order of cutoff, campaign and customer.

    Attributes
    ----------
    horizon : int
        Days of the outcome, from the cutoff on.
    X : DataFrame of float64, shape (n_rows, n_features)
        What was known on the day before the campaign's first contact.
    y : DataFrame
        What came to be within the horizon, as `Snapshot` tells it: n_purchases (days with a purchase), spend
        and churned; margin (money, returns taken off, costs of offers not) where transactions have it.
    arm : Series of str
        "control", or the offer; what the log calls the arm where it names no offer.
    propensity : Series of float
        Chance, in (0, 1], with which the customer was drawn into that arm.
    offer : Series of str
        The offer on record; missing where the log names none.
    cutoff : Series of date
        The last day before the campaign's first contact.
    contaminated : Series of bool
        Whether the customer was in two arms of the campaign, or contacted by another campaign within the
        horizon. Such rows are kept, in the arm drawn first, as the intention to treat asks for.
    features : tuple of Feature
        What the columns of X are.
    notes : tuple of str
        What was left out and why, and what was assumed; one sentence each.
    """

    horizon: int
    X: pd.DataFrame
    y: pd.DataFrame
    arm: pd.Series
    propensity: pd.Series
    offer: pd.Series
    cutoff: pd.Series
    contaminated: pd.Series
    features: tuple[Feature, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()

    @property
    def campaign(self) -> pd.Series:
        """Name of the campaign, of each row."""
        return self._of_index("campaign")

    @property
    def customer_id(self) -> pd.Series:
        """Who, of each row."""
        return self._of_index("customer_id")

    def _of_index(self, name: str) -> pd.Series:
        return pd.Series(self.X.index.get_level_values(name), index=self.X.index, name=name)


def take_trials(
    log: CustomerLog,
    *,
    horizon: int,
    features: Sequence[str | Feature] | None = None,
    offers: Sequence[str] | None = None,
    until: date | str | None = None,
    min_customers: int = 10,
    population: Population | None = None,
    churn: str | None = None,
) -> Trials:
    """Return what the randomised contacts of a log have to tell about offers.

    Parameters
    ----------
    log : CustomerLog
        With contacts that say ``arm`` and ``randomised``.
    horizon : int
        Days of the outcome, from the day before a campaign's first contact.
    features : sequence of str or Feature, optional
        As `take_snapshot`.
    offers : sequence of str, optional
        Arms to compare with control; all where None.
    until : date or str, optional
        Nothing later is used; the last day of the log where None.
    min_customers : int, default 10
        Arms of fewer customers of a campaign are left out.
    population : Population, optional
        As `take_snapshot`.
    churn : {"transactions", "contracts"}, optional
        As `take_snapshot`.

    Returns
    -------
    Trials
        One row a campaign and customer, in the arm of the customer's first randomised contact.

    Raises
    ------
    SchemaError
        Where the log has no contacts, or contacts do not say arm and randomised.
    DataError
        Where a propensity is not in (0, 1], or no campaign has anything to tell: with the reasons.
    SettingsError
        Where the horizon is no number of days, or `min_customers` is below 1.

    Warns
    -----
    AssumptionWarning
        Where propensities on record contradict how many customers are in an arm.

    Notes
    -----
    A campaign is left out where it has no controls or nobody treated, began before the log did, or where its
    outcomes are not all known at `until`; so is a customer who became one only after the cutoff, or was
    first contacted after the window. "holdout" is another word for control.

    Campaigns may have been drawn among different customers: compare an arm with the controls of the campaigns
    that drew it, not with all there are.

    The propensity is the chance of the arm on record. Where the log knows one treated arm that made several
    offers, it is multiplied by the share of the offer within that arm and campaign. Where it is missing,
    the share of the arm in the campaign takes its place.

    Examples
    --------
    >>> from habitue.records.business import simulate_business
    >>> trials = take_trials(simulate_business(n_customers=300).log, horizon=60, features=[])
    >>> sorted(trials.arm.unique())
    ['10% off', 'control', 'double points', 'free shipping']
    >>> list(trials.y), bool(trials.propensity.between(0.1, 0.6).all())
    (['n_purchases', 'spend', 'churned', 'margin'], True)
    """
    if min_customers < 1:
        raise SettingsError(f"min_customers must be 1 or more; got {min_customers!r}.")
    last = log.observed_until if until is None else min(as_day(until, "until"), log.observed_until)
    drawn = drawn_contacts(log, last)
    windows = _matured(drawn, log, horizon, last)
    if offers is not None:
        drawn.keep_offers(offers)
    drawn.keep_arms(min_customers)
    wanted = sorted({windows[name] for name in drawn.campaigns}, key=lambda window: window.cutoff)
    _refuse_none(drawn)
    snapshots = take_snapshots(log, wanted, features, population=population, churn=churn)
    by_window = dict(zip(wanted, snapshots, strict=True))
    drawn.keep_customers({name: by_window[windows[name]].X.index for name in drawn.campaigns})
    drawn.keep_arms(min_customers)
    _refuse_none(drawn)
    names = sorted(drawn.campaigns, key=lambda name: (windows[name].cutoff, name))
    return _assembled(log, drawn, {name: by_window[windows[name]] for name in names}, horizon)


def _matured(drawn: Drawn, log: CustomerLog, horizon: int, last: date) -> dict[str, Window]:
    """Return the windows of campaigns, and leave out those whose outcomes or past are not in the log."""
    windows = {name: Window(day - timedelta(days=1), horizon) for name, day in drawn.first_days().items()}
    early = [name for name, window in windows.items() if window.cutoff < log.first_day]
    drawn.leave_out(early, "began on the first day of the log or before: nothing was known of customers")
    late = [name for name, window in windows.items() if window.end > last and name not in early]
    drawn.leave_out(late, f"had not run for {one_or_many(horizon, 'day')} by {last}")
    drawn.keep_days({name: window.end for name, window in windows.items()})
    return windows


def _refuse_none(drawn: Drawn) -> None:
    if not drawn.campaigns:
        raise DataError(" ".join(["No randomised contacts can be used.", *drawn.notes]))


def _assembled(log: CustomerLog, drawn: Drawn, taken: dict[str, Snapshot], horizon: int) -> Trials:
    """Put the campaigns on top of each other."""
    outcomes = {id(one): _outcomes(log, one) for one in taken.values()}
    people = {name: drawn.of(name) for name in taken}
    X = pd.concat({name: taken[name].X.loc[who.index] for name, who in people.items()}, names=["campaign"])
    y = pd.concat({name: outcomes[id(taken[name])].loc[who.index] for name, who in people.items()})
    told = pd.concat(people)
    y.index = told.index = X.index
    untold = int(y.pop("untold").sum()) if "untold" in y else 0
    if untold:
        drawn.note(f"Of {one_or_many(untold, 'transaction')} no margin is known; they count as 0.")
    cutoff = {name: one.window.cutoff for name, one in taken.items()}
    contaminated = drawn.contaminated(told, {name: one.window for name, one in taken.items()})
    return Trials(
        horizon=horizon,
        X=X,
        y=y,
        arm=pd.Series(told["trial_arm"].array, X.index, name="arm"),
        propensity=pd.Series(told["propensity"].array, X.index, name="propensity"),
        offer=pd.Series(told["offer"].array, X.index, name="offer"),
        cutoff=pd.Series([cutoff[name] for name in X.index.get_level_values(0)], X.index, name="cutoff"),
        contaminated=contaminated,
        features=next(iter(taken.values())).features,
        notes=tuple(drawn.notes),
    )


def _outcomes(log: CustomerLog, snapshot: Snapshot) -> pd.DataFrame:
    """Return the outcomes of a snapshot, margin among them where it is known."""
    y, window = snapshot.outcomes, snapshot.window
    if "transactions" not in log.kinds or "margin" not in log.engine.columns("transactions"):
        return y
    found = log.engine.frame(_MARGIN, {"cutoff": window.cutoff, "end": window.end}).set_index("customer_id")
    return y.join(found.reindex(y.index).fillna(0.0))
