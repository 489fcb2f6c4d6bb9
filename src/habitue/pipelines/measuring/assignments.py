"""Who was assigned to what: lists that `habitue measure assign` or `habitue decide` wrote, or contacts.

A list of several experiments is taken apart; one that is none does not hide the others (`readable`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from habitue.errors import DataError, SchemaError
from habitue.experiments.assignment import CONTROL, id_text
from habitue.records import CustomerLog
from habitue.records.yes_or_no import as_answers
from habitue.vocabulary import one_or_many

__all__ = ["STRATUM", "Assignments", "as_assignments", "contacts_of", "experiments_of", "readable"]

STRATUM: Final = "stratum"
"""Column of a list with the segment within which arms were drawn."""

_NEEDED: Final = ("customer_id", "timestamp", "campaign", "arm")


@dataclass(frozen=True)
class Assignments:
    """One experiment's customers, each once.

    Attributes
    ----------
    experiment : str
        Its name.
    frame : DataFrame
        id (text), day (datetime64), arm, propensity (NaN where nobody wrote it down) and accepted (True,
        False or missing); one row a customer.
    offers : dict of str
        Offer of each arm but the control.
    notes : tuple of str
        What has to be known about it.
    more : DataFrame
        The other columns of the list, in the same rows.
    """

    experiment: str
    frame: pd.DataFrame
    offers: dict[str, str]
    notes: tuple[str, ...] = ()
    more: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)


def as_assignments(found: pd.DataFrame, *, first_counts: bool = False) -> list[Assignments]:
    """Take a list apart into its experiments, all of which must be readable.

    Parameters
    ----------
    found : DataFrame
        Columns of contacts; `accepted` tells who took the offer up, or else `responded_at`.
    first_counts : bool, default False
        Whether of somebody who was drawn into several arms the first counts, as in contacts drawn one
        by one; else that is an error.

    Returns
    -------
    list of Assignments
        One a campaign; where controls name the offer that they did not get, one a campaign and offer, since
        customers were then drawn within each offer.

    Raises
    ------
    SchemaError
        A column is missing.
    DataError
        A customer is in two arms, an arm or day is missing, a propensity is not in (0, 1], or an experiment
        has no control.
    """
    return [
        _one(name, rows, offer, first_counts, found) for name, offer, rows in _apart(_tidy(_checked(found)))
    ]


def readable(
    found: pd.DataFrame, *, first_counts: bool = False
) -> tuple[list[Assignments], tuple[DataError, ...]]:
    """Take a list apart into its experiments, and say which of them are none.

    Parameters
    ----------
    found : DataFrame
        As `as_assignments`.
    first_counts : bool, default False
        As `as_assignments`.

    Returns
    -------
    tuple of (list of Assignments, tuple of DataError)
        What can be read out, one or more, and what is wrong with each of the others.

    Raises
    ------
    SchemaError, DataError
        As `as_assignments`, where the list cannot be read at all or holds no experiment.
    """
    parts: list[Assignments] = []
    left: list[DataError] = []
    for name, offer, rows in _apart(_tidy(_checked(found))):
        try:
            parts.append(_one(name, rows, offer, first_counts, found))
        except DataError as error:
            left.append(error)
    if not parts:
        raise left[0]
    return parts, tuple(left)


def _checked(found: pd.DataFrame) -> pd.DataFrame:
    lacking = [name for name in _NEEDED if name not in found.columns]
    if lacking:
        raise SchemaError(
            f"A list of assignments needs {', '.join(_NEEDED)}; {', '.join(lacking)} missing. Write one with "
            "`habitue measure assign`."
        )
    if found.empty:
        raise DataError("The list of assignments is empty; assign customers first: habitue measure assign.")
    return found


def _apart(table: pd.DataFrame) -> Iterator[tuple[str, str | None, pd.DataFrame]]:
    """Return each experiment's name, its offer where customers were drawn within one, and its rows."""
    for name, rows in table.groupby("campaign", sort=True):
        named = rows.loc[rows["arm"] == CONTROL, "offer"]
        if len(named) and named.notna().all():
            for offer, own in rows.groupby("offer", sort=True):
                yield f"{name} ({offer})", str(offer), own
        else:
            yield str(name), None, rows


def _tidy(found: Any) -> pd.DataFrame:
    """Return the columns that are needed, read."""
    arm = found["arm"].astype("string").str.strip()
    if arm.isna().any() or found["campaign"].isna().any():
        raise DataError("Every assignment needs a campaign and an arm; leave out who was not assigned.")
    day: Any = pd.to_datetime(
        found["timestamp"].astype("string"), errors="coerce", format="ISO8601", utc=True
    )
    if day.isna().any():
        wrong = found.loc[day.isna(), "timestamp"].iloc[0]
        raise DataError(f"Every assignment needs a day such as 2024-03-01; got {wrong!r}.")
    propensity: Any = pd.to_numeric(
        found.get("propensity", pd.Series(float("nan"), found.index)), errors="coerce"
    )
    off = propensity.notna() & ~((propensity > 0.0) & (propensity <= 1.0))
    if off.any():
        raise DataError(
            f"propensity is the chance of the arm on record, above 0 and up to 1; got "
            f"{propensity[off].iloc[0]:g} for customer {found.loc[off, 'customer_id'].iloc[0]!r}. Who had no "
            "chance of an arm was not randomised: leave those customers out."
        )
    offer = found.get("offer", pd.Series(pd.NA, found.index)).astype("string")
    return pd.DataFrame(
        {
            "id": [id_text(one) for one in found["customer_id"].tolist()],
            "day": day.dt.tz_localize(None).dt.normalize(),
            "campaign": found["campaign"].astype("string"),
            "arm": arm,
            "offer": offer,
            "propensity": propensity.astype("float64"),
            "accepted": _accepted(found),
            "place": range(len(found)),
        }
    )


def _accepted(found: Any) -> Any:
    """Return who took the offer up; missing for all where nobody wrote it down."""
    if "accepted" in found.columns:
        return as_answers(found["accepted"])
    # Where nobody has one, the list was written before anybody could answer.
    if "responded_at" in found.columns and found["responded_at"].notna().any():
        return found["responded_at"].notna().astype("boolean")
    return pd.Series(pd.NA, found.index, dtype="boolean")


def _one(
    experiment: str, rows: Any, offer: str | None, first_counts: bool, found: pd.DataFrame
) -> Assignments:
    """Return one experiment, each customer once."""
    arms = rows.groupby("id")["arm"].nunique()
    if (arms > 1).any() and not first_counts:
        twice = arms.index[arms > 1].tolist()
        raise DataError(
            f"{one_or_many(len(twice), 'customer')} of {experiment!r} in two arms, such as {twice[0]!r}: "
            "what they got cannot be told. Leave them out, or give each experiment its own campaign."
        )
    treated = rows.loc[rows["arm"] != CONTROL]
    if treated.empty or len(treated) == len(rows):
        there = ", ".join(sorted(rows["arm"].unique().tolist()))
        raise DataError(
            f"{experiment!r} needs customers in the arm {CONTROL!r} and in another; it has {there}. Without "
            "a control drawn at random nothing can be said about what an offer did."
        )
    first = rows.sort_values(["day", "id"], kind="stable").drop_duplicates("id")
    n_again, n_both = len(rows) - len(first), int((arms > 1).sum())
    told = f", {one_or_many(n_both, 'customer')} of them to another arm, too" if n_both else ""
    notes = [f"{one_or_many(n_again, 'row')} assigning somebody again{told}; the first counts."] * (
        n_again > 0
    )
    known = treated.dropna(subset=["offer"]).groupby("arm")["offer"]
    several = [str(arm) for arm, names in known if names.nunique() > 1]
    # Which of its offers somebody in an arm got was not drawn, as far as anybody knows.
    notes += [f"The arm {arm!r} got several offers, which are read together." for arm in several]
    offers = {str(arm): str(names.iloc[0]) for arm, names in known if str(arm) not in several}
    offers |= {} if offer is None else {str(arm): offer for arm in treated["arm"].unique()}
    columns = ["id", "day", "arm", "propensity", "accepted"]
    more = found.iloc[first["place"].to_numpy()].reset_index(drop=True)
    return Assignments(experiment, first.loc[:, columns].reset_index(drop=True), offers, tuple(notes), more)


_CONTACTS: Final = """
SELECT CAST(customer_id AS VARCHAR) AS customer_id, day AS timestamp, campaign, arm, {rest}
FROM contacts WHERE randomised AND arm IS NOT NULL{which}
"""


def contacts_of(log: CustomerLog, campaigns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the contacts of a log that were drawn at random.

    Parameters
    ----------
    log : CustomerLog
        With contacts.
    campaigns : sequence of str, default ()
        Only of these; all where none is named.

    Raises
    ------
    DataError
        Where there are none, or none of a campaign.
    """
    columns = log.engine.columns("contacts") if "contacts" in log.kinds else {}
    if not {"arm", "randomised"} <= set(columns):
        raise DataError(
            "The log has no contacts that say their arm and whether it was drawn at random; name a list of "
            "assignments instead."
        )
    kept = [name for name in ("offer", "propensity", "responded_at") if name in columns]
    names = {f"c{place}": name for place, name in enumerate(campaigns)}
    which = f" AND campaign IN ({', '.join(f'${key}' for key in names)})" if names else ""
    found = log.engine.frame(_CONTACTS.format(rest=", ".join(kept) or "NULL", which=which), names)
    lacking = sorted(set(campaigns) - set(found["campaign"].tolist()))
    if lacking or found.empty:
        there = [str(row[0]) for row in log.engine.rows("SELECT DISTINCT campaign FROM contacts ORDER BY 1")]
        raise DataError(
            f"The log has no contacts drawn at random of {', '.join(lacking) or 'any campaign'}; its "
            f"campaigns are {', '.join(there[:10])}{' ...' if len(there) > 10 else ''}."
        )
    return found


def experiments_of(log: CustomerLog, found: list[Assignments]) -> list[Assignments]:
    """Add to lists of assignments who responded, where the log has contacts of the same campaign.

    Parameters
    ----------
    log : CustomerLog
        The records.
    found : list of Assignments
        What was read.
    """
    if "contacts" not in log.kinds or "responded_at" not in log.engine.columns("contacts"):
        return found
    made: list[Assignments] = []
    for one in found:
        sql = (
            "SELECT DISTINCT CAST(customer_id AS VARCHAR) FROM contacts "
            "WHERE campaign = $name AND responded_at IS NOT NULL"
        )
        n = log.engine.rows("SELECT count(*) FROM contacts WHERE campaign = $name", {"name": one.experiment})
        accepted: Any = one.frame["accepted"]
        if accepted.notna().any() or not n[0][0]:
            made.append(one)
            continue
        answered = {str(row[0]) for row in log.engine.rows(sql, {"name": one.experiment})}
        took = one.frame["id"].isin(list(answered)).astype("boolean")
        made.append(replace(one, frame=one.frame.assign(accepted=took)))
    return made
