"""Who was assigned to what: lists that `habitue measure assign` or `habitue decide` wrote, or contacts.

A list has the canonical columns of contacts, so that it can be handed in as records, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import pandas as pd

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.experiments.assignment import CONTROL, id_text
from habitue.files import plain_cells, safe_cells
from habitue.pipelines.files import write_beside
from habitue.records import CustomerLog
from habitue.vocabulary import one_or_many

__all__ = [
    "Assignments",
    "as_assignments",
    "contacts_of",
    "experiments_of",
    "read_assignments",
    "read_customers",
    "write_assignments",
]

_NEEDED: Final = ("customer_id", "timestamp", "campaign", "arm")
_FLAGS: Final = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


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
    """

    experiment: str
    frame: pd.DataFrame
    offers: dict[str, str]
    notes: tuple[str, ...] = ()


def read_customers(path: Path) -> pd.DataFrame:
    """Read a list of customers as it is, ids as text.

    Parameters
    ----------
    path : Path
        CSV or Parquet.

    Raises
    ------
    SettingsError
        There is no such file, or it cannot be read.
    SchemaError
        It has no column customer_id.
    """
    if not path.is_file():
        raise SettingsError(f"There is no file {path}; give a CSV or Parquet file with customer_id.")
    try:
        if path.suffix.lower() == ".parquet":
            found = pd.read_parquet(path)
        else:
            found = plain_cells(pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False))
            found = found.mask(found == "")
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise SettingsError(f"{path} could not be read as a table: {error}.") from error
    if "customer_id" not in found.columns:
        raise SchemaError(
            f"{path} needs a column customer_id; it has {', '.join(map(str, found.columns))}. Rename one."
        )
    return found


def read_assignments(paths: Sequence[Path]) -> list[Assignments]:
    """Read lists of who was assigned to what.

    Parameters
    ----------
    paths : sequence of Path
        CSV or Parquet with the columns of contacts.

    Returns
    -------
    list of Assignments
        One an experiment, in the order of their names.

    Raises
    ------
    SettingsError, SchemaError, DataError
        A file or column is missing, or a list cannot be that of an experiment.
    """
    if not paths:
        raise SettingsError("Give at least one list of assignments.")
    return as_assignments(pd.concat([read_customers(path) for path in paths], ignore_index=True))


def as_assignments(found: pd.DataFrame, *, first_counts: bool = False) -> list[Assignments]:
    """Take a list apart into its experiments.

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
        A customer is in two arms, an arm or day is missing, or a propensity is not in (0, 1].
    """
    lacking = [name for name in _NEEDED if name not in found.columns]
    if lacking:
        raise SchemaError(
            f"A list of assignments needs {', '.join(_NEEDED)}; {', '.join(lacking)} missing. Write one with "
            "`habitue measure assign`."
        )
    if found.empty:
        raise DataError("The list of assignments is empty; assign customers first: habitue measure assign.")
    table = _tidy(found)
    parts: list[Assignments] = []
    for name, rows in table.groupby("campaign", sort=True):
        named = rows.loc[rows["arm"] == CONTROL, "offer"]
        if len(named) and named.notna().all():
            parts += [
                _one(f"{name} ({offer})", own, str(offer), first_counts)
                for offer, own in rows.groupby("offer", sort=True)
            ]
        else:
            parts.append(_one(str(name), rows, None, first_counts))
    return parts


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
        }
    )


def _accepted(found: Any) -> Any:
    """Return who took the offer up; missing for all where nobody wrote it down."""
    if "accepted" in found.columns:
        return found["accepted"].astype("string").str.lower().map(_FLAGS).astype("boolean")
    # Where nobody has one, the list was written before anybody could answer.
    if "responded_at" in found.columns and found["responded_at"].notna().any():
        return found["responded_at"].notna().astype("boolean")
    return pd.Series(pd.NA, found.index, dtype="boolean")


def _one(experiment: str, rows: Any, offer: str | None, first_counts: bool) -> Assignments:
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
    return Assignments(experiment, first.loc[:, columns].reset_index(drop=True), offers, tuple(notes))


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


def write_assignments(
    assigned: pd.DataFrame,
    path: Path,
    *,
    experiment: str,
    day: date,
    channel: str | None,
    offers: dict[str, str],
) -> Path:
    """Write who was assigned to what, with the columns of contacts.

    Parameters
    ----------
    assigned : DataFrame
        Of `habitue.experiments.assign`.
    path : Path
        CSV, or Parquet by its name.
    experiment : str
        Its name, written as the campaign.
    day : date
        Of the assignment.
    channel : str or None
        By which customers will be contacted.
    offers : dict of str
        Offer of each arm; the arm's own name where it is not there.

    Returns
    -------
    Path
        The file.
    """
    is_control = assigned["arm"] == CONTROL
    table = pd.DataFrame(
        {
            "customer_id": assigned["customer_id"],
            "timestamp": day.isoformat(),
            "campaign": experiment,
            "channel": pd.Series(channel, assigned.index, dtype="string").mask(is_control),
            "offer": assigned["arm"].map(lambda arm: offers.get(arm, arm)).astype("string").mask(is_control),
            "arm": assigned["arm"].astype("string"),
            "propensity": assigned["propensity"],
            "randomised": True,
        }
    )
    if path.suffix.lower() == ".parquet":
        return write_beside(path, lambda to: table.to_parquet(to, index=False))
    return write_beside(path, lambda to: safe_cells(table).to_csv(to, index=False, lineterminator="\n"))
