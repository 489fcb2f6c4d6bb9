"""Contacts drawn by chance, made ready for `habitue.snapshots.trials`: one arm a campaign and customer."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import AssumptionWarning, DataError, SchemaError
from habitue.records import CustomerLog
from habitue.snapshots.window import Window
from habitue.vocabulary import one_or_many

__all__ = ["CONTROL", "Drawn", "contradiction", "drawn_contacts"]

CONTROL = "control"
"""What the arm of those who are not contacted is called."""
_TOO_FAR = 5.0  # standard errors between propensities and shares
_FEW_DRAWN = 20  # customers of an arm, below which nothing is held against its propensities
_NAMED = 3  # campaigns told by name in a note

_CONTACTS = """
SELECT customer_id, timestamp, day, campaign, randomised, arm, offer, propensity,
    CASE WHEN arm IN ('control', 'holdout') THEN 'control' ELSE COALESCE(offer, arm, 'unknown') END
        AS trial_arm
FROM (SELECT customer_id, timestamp, day, campaign, {columns} FROM contacts WHERE day <= $last) AS told
"""

# A tie in time is broken by what is told, so that the order of rows means nothing.
_DRAWN = """
SELECT customer_id, day, campaign, arm, offer, propensity, trial_arm, in_two_arms,
    COUNT(*) OVER (PARTITION BY campaign) AS n_campaign,
    COUNT(*) OVER (PARTITION BY campaign, arm) AS n_arm,
    COUNT(*) OVER (PARTITION BY campaign, trial_arm) AS n_trial_arm
FROM (
    SELECT *, MIN(trial_arm) OVER everything < MAX(trial_arm) OVER everything AS in_two_arms,
        ROW_NUMBER() OVER (
            PARTITION BY campaign, customer_id ORDER BY timestamp, trial_arm, arm, offer, propensity
        ) AS nth
    FROM ({contacts}) AS contacts WHERE randomised AND arm IS NOT NULL
    WINDOW everything AS (PARTITION BY campaign, customer_id)
) AS numbered
WHERE nth = 1
ORDER BY campaign, customer_id
"""

_FIRST_DAYS = "SELECT campaign, MIN(day) AS day FROM ({contacts}) AS contacts GROUP BY campaign"
_TOUCHED = "SELECT customer_id, day, campaign FROM ({contacts}) AS contacts WHERE trial_arm <> 'control'"
_CHOSEN = (
    "SELECT COUNT(*) FROM ({contacts}) AS contacts WHERE NOT COALESCE(randomised AND arm IS NOT NULL, FALSE)"
)

BoolArray = npt.NDArray[np.bool_]


class Drawn:
    """First randomised contacts, of which more and more is left out; each time a note says what.

    Parameters
    ----------
    rows : DataFrame
        One row a campaign and customer: customer_id, day, campaign, arm, offer, propensity, trial_arm and
        in_two_arms, and how many customers the campaign, the arm and the arm of the trial have.
    first_days : Mapping[str, date]
        Campaign to the day of its first contact, drawn by chance or not.
    touched : DataFrame
        customer_id, day and campaign of all who were contacted, drawn by chance or not.

    Attributes
    ----------
    notes : list of str
        What was left out, and what was assumed.
    """

    def __init__(self, rows: pd.DataFrame, first_days: Mapping[str, date], touched: pd.DataFrame) -> None:
        self.notes: list[str] = []
        self._first_days, self._touched = first_days, touched
        self._rows: pd.DataFrame = self._with_propensities(rows)

    @property
    def campaigns(self) -> list[str]:
        """Names of the campaigns that are left."""
        return sorted(set(self._rows["campaign"].tolist()))

    def note(self, sentence: str) -> None:
        """Take note of something.

        Parameters
        ----------
        sentence : str
            What.
        """
        self.notes.append(sentence)

    def first_days(self) -> dict[str, date]:
        """Return the day of each campaign's first contact, drawn by chance or not."""
        return {name: self._first_days[name] for name in self.campaigns}

    def of(self, campaign: str) -> pd.DataFrame:
        """Return the customers of a campaign, in order of customer_id.

        Parameters
        ----------
        campaign : str
            Its name.
        """
        mine = self._rows.loc[self._rows["campaign"] == campaign]
        return mine.set_index("customer_id").sort_index()

    def leave_out(self, campaigns: Sequence[str], why: str) -> None:
        """Leave out whole campaigns.

        Parameters
        ----------
        campaigns : sequence of str
            Their names.
        why : str
            What follows after their names.
        """
        if campaigns:
            more = len(campaigns) - _NAMED
            names = ", ".join(repr(name) for name in sorted(campaigns)[:_NAMED])
            told = f"{names} and {more} more" if more > 0 else names
            self.note(f"{one_or_many(len(campaigns), 'campaign')} left out ({told}): {why}.")
            self._rows = self._rows.loc[~self._rows["campaign"].isin(campaigns)]

    def keep_offers(self, offers: Sequence[str]) -> None:
        """Leave out other offers.

        Parameters
        ----------
        offers : sequence of str
            Wanted beside control.

        Raises
        ------
        DataError
            Where no randomised contact made one.
        """
        there = sorted(set(self._rows["trial_arm"].tolist()) - {CONTROL})
        unknown = sorted(set(offers) - set(there))
        if unknown:
            raise DataError(
                f"No randomised contact made the offer {', '.join(unknown)}; known: {', '.join(there)}."
            )
        self._keep(self._rows["trial_arm"].isin([CONTROL, *offers]).to_numpy(), "of other offers")

    def keep_arms(self, least: int) -> None:
        """Leave out small arms, and campaigns in which nothing can be compared.

        Parameters
        ----------
        least : int
            Customers of an arm of a campaign.
        """
        few = f"too few controls or treated (fewer than {least})"
        self._comparable(1, "no controls, or nobody but controls")
        self._comparable(least, few)
        campaign, arm = self._rows["campaign"], self._rows["trial_arm"]
        sizes = pd.crosstab(campaign, arm)
        place = sizes.index.get_indexer(pd.Index(campaign)), sizes.columns.get_indexer(pd.Index(arm))
        self._keep(sizes.to_numpy()[place] >= least, f"in arms of fewer than {least}")
        self._comparable(least, few)

    def keep_days(self, ends: Mapping[str, date]) -> None:
        """Leave out customers whom a campaign reached only after the window of their outcomes.

        Parameters
        ----------
        ends : Mapping[str, date]
            Campaign to the last day of the window.
        """
        end = np.array([ends[name] for name in self._rows["campaign"]], dtype="datetime64[D]")
        day = self._rows["day"].to_numpy().astype("datetime64[D]")
        self._keep(day <= end, "first contacted after the window of the outcome")

    def keep_customers(self, known: Mapping[str, pd.Index]) -> None:
        """Leave out who was no customer yet at the cutoff.

        Parameters
        ----------
        known : Mapping[str, Index]
            Campaign to the customers at its cutoff.
        """
        campaign, customer = self._rows["campaign"].to_numpy(), self._rows["customer_id"]
        is_known = np.zeros(len(customer), dtype=bool)
        for name, customers in known.items():
            is_known |= (campaign == name) & customer.isin(customers.to_list()).to_numpy()
        self._keep(is_known, "for not being a customer at the cutoff")

    def contaminated(self, told: pd.DataFrame, windows: Mapping[str, Window]) -> pd.Series:
        """Tell whose outcome may have other causes.

        Parameters
        ----------
        told : DataFrame
            Rows that are left, indexed by campaign and customer.
        windows : Mapping[str, Window]
            Campaign to its window.
        """
        day, campaign = self._touched["day"].to_numpy().astype("datetime64[D]"), self._touched["campaign"]
        twice = told["in_two_arms"].to_numpy(dtype=bool)
        campaigns, customers = told.index.get_level_values(0), told.index.get_level_values(1)
        found = twice.copy()
        for name, window in windows.items():
            inside = (day > np.datetime64(window.cutoff)) & (day <= np.datetime64(window.end))
            others = self._touched.loc[inside & (campaign != name).to_numpy(), "customer_id"].tolist()
            found |= (campaigns == name) & customers.isin(others)
        if found.any():
            told_of = one_or_many(int(found.sum()), "row is", plural="rows are")
            self.note(
                f"{told_of} contaminated: {int(twice.sum()):,} in two arms of a campaign (the first "
                "counts), the others contacted by another campaign within the window."
            )
        return pd.Series(found, index=told.index, name="contaminated")

    def _comparable(self, least: int, why: str) -> None:
        """Leave out campaigns without so many controls and so many treated."""
        is_control = (self._rows["trial_arm"] == CONTROL).to_numpy()
        campaign = self._rows["campaign"].to_numpy()
        n_controls, n_treated = Counter(campaign[is_control]), Counter(campaign[~is_control])
        lacking = [name for name in self.campaigns if min(n_controls[name], n_treated[name]) < least]
        self.leave_out(lacking, why)

    def _keep(self, wanted: BoolArray, why: str) -> None:
        lost = int((~wanted).sum())
        if lost:
            self.note(f"{one_or_many(lost, 'customer')} left out {why}.")
            self._rows = self._rows.loc[wanted]

    def _with_propensities(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Check the chances on record, fill in those that are missing, and tell offers of one arm apart."""
        p = rows["propensity"].to_numpy(dtype=np.float64, na_value=np.nan)
        if ((p <= 0.0) | (p > 1.0)).any():
            raise DataError(
                "A propensity is the chance of the arm on record, above 0 and up to 1; got "
                f"{np.nanmin(p):g} to {np.nanmax(p):g}. Correct it, or leave it empty where it is not known."
            )
        everybody, within, mine = (
            rows[name].to_numpy(dtype=np.float64) for name in ("n_campaign", "n_arm", "n_trial_arm")
        )
        is_shared = (within > mine) & ~np.isnan(p)
        if is_shared.any():
            self.note("Where one arm made several offers, its propensity is shared out as they were made.")
        missing = int(np.isnan(p).sum())
        if missing:
            self.note(
                f"Of {one_or_many(missing, 'customer')} no propensity is on record: the share of the arm in "
                "the campaign takes its place."
            )
        chance = np.where(np.isnan(p), mine / everybody, np.where(is_shared, p * mine / within, p))
        rows = rows.assign(propensity=chance)
        told = contradiction(rows)
        if told:
            self.note(told)
            warnings.warn(told, AssumptionWarning, stacklevel=5)
        return rows


def contradiction(rows: pd.DataFrame) -> str:
    """Say where customers of an arm, weighted by one over their chance, are not all customers; else nothing.

    Parameters
    ----------
    rows : DataFrame
        campaign, trial_arm, propensity and n_campaign of each customer of each campaign.
    """
    weight = 1.0 / rows["propensity"].to_numpy(dtype=np.float64)
    sums = (
        rows.assign(weight=weight, variance=weight * (weight - 1.0), n=rows["n_campaign"], drawn=1.0)
        .groupby(["campaign", "trial_arm"], sort=True)
        .agg({"weight": "sum", "variance": "sum", "n": "first", "drawn": "sum"})
        .reset_index()
    )
    stands_for, n, drawn = (sums[name].to_numpy(dtype=np.float64) for name in ("weight", "n", "drawn"))
    # The variance is that of all customers of the campaign, guessed from those of the arm: the few of a small
    # arm may all have been likely ones.
    guessed = np.maximum(sums["variance"].to_numpy(dtype=np.float64), n * (stands_for / drawn - 1.0))
    spread = np.sqrt(np.where(drawn < _FEW_DRAWN, np.inf, guessed))
    off = np.flatnonzero(np.abs(stands_for - n) > _TOO_FAR * spread + 1e-6 * n)
    if not off.size:
        return ""
    one = int(off[0])
    names = f"in {sums['campaign'].iloc[one]!r} {sums['trial_arm'].iloc[one]!r}"
    return (
        f"Propensities contradict the sizes of {one_or_many(off.size, 'arm')}: {names} stands for "
        f"{stands_for[one]:,.0f} customers of {n[one]:,.0f}. A propensity is the chance of the arm on "
        "record, for a control that of the control."
    )


def drawn_contacts(log: CustomerLog, last: date) -> Drawn:
    """Return the randomised contacts of a log.

    Parameters
    ----------
    log : CustomerLog
        The records.
    last : datetime.date
        Nothing later is read.

    Raises
    ------
    SchemaError
        Where the log has no contacts, or contacts do not say arm and randomised.
    DataError
        Where a propensity is not in (0, 1].
    """
    if "contacts" not in log.kinds:
        raise SchemaError(f"Trials need contacts; this log has {', '.join(log.kinds)}.")
    there, engine = log.engine.columns("contacts"), log.engine
    missing = [name for name in ("arm", "randomised") if name not in there]
    if missing:
        raise SchemaError(f"Contacts lack {' and '.join(missing)}; they have {', '.join(there)}.")
    optional = {"offer": "VARCHAR", "propensity": "DOUBLE"}
    known = [name if name in there else f"CAST(NULL AS {kind}) AS {name}" for name, kind in optional.items()]
    contacts, values = _CONTACTS.format(columns=", ".join(["arm", "randomised", *known])), {"last": last}
    firsts = engine.rows(_FIRST_DAYS.format(contacts=contacts), values)
    drawn = Drawn(
        engine.frame(_DRAWN.format(contacts=contacts), values),
        dict(firsts),
        engine.frame(_TOUCHED.format(contacts=contacts), values),
    )
    chosen = int(engine.rows(_CHOSEN.format(contacts=contacts), values)[0][0])
    if chosen:
        told = one_or_many(chosen, "contact was", plural="contacts were")
        drawn.note(f"{told} not drawn by chance and {'is' if chosen == 1 else 'are'} not used.")
    return drawn
