"""Who may have which offer: conditions, consent, days and how often somebody was contacted already.

What is not known of a customer speaks against contacting: where a condition has no value the customer is not
eligible, and where an exclusion has none the customer is excluded. Who opted out is left out of every list by
the pipeline, whatever an offer says; nothing here says who gains from what.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.decisions.conditions import Condition, read_condition
from habitue.decisions.offers import Fatigue, Offer, check_offers
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records.engine import quoted

__all__ = ["eligible_for", "holds", "not_tired"]

BoolArray = npt.NDArray[np.bool_]


def eligible_for(
    customers: pd.DataFrame,
    offers: Sequence[Offer],
    *,
    protected: Collection[str] = (),
    consent: str | None = None,
    on: date | None = None,
) -> pd.DataFrame:
    """Return which customers may have which offer.

    Parameters
    ----------
    customers : DataFrame of shape (n_customers, n_columns)
        Indexed by customer: scores, features and attributes that conditions may name.
    offers : sequence of Offer
        With different names.
    protected : collection of str
        Protected attributes, see `habitue.decisions.conditions`.
    consent : str, optional
        Column that says who consented to be contacted; needed by offers that need consent.
    on : date, optional
        Day of the contact: offers that do not run on it are for nobody; not checked where None.

    Returns
    -------
    DataFrame of bool of shape (n_customers, n_offers)
        Indexed as the customers.

    Raises
    ------
    SettingsError
        As `read_condition`; or where a condition is no statement that is true or false, or consent is needed
        and no column says who gave it.
    SchemaError
        Where the column of consent is not there, or two columns differ in capitals only.

    Examples
    --------
    >>> from habitue.decisions.beliefs import Share
    >>> customers = pd.DataFrame({"clv": [10.0, 90.0], "n_tickets": [0.0, None]}, index=["a", "b"])
    >>> rich = Offer("rich", saves=Share(0.5), eligible="clv > 50")
    >>> calm = Offer("calm", saves=Share(0.5), excluded="n_tickets > 2")
    >>> eligible_for(customers, [rich, calm])
        rich   calm
    a  False   True
    b   True  False
    """
    may = {}
    for offer in check_offers(offers):
        met = np.ones(len(customers), dtype=np.bool_)
        for key, unknown in (("eligible", False), ("excluded", True)):
            text = getattr(offer, key)
            if text.strip():
                condition = read_condition(
                    text,
                    columns=[str(name) for name in customers.columns],
                    protected=protected,
                    declared_for=offer.declared_for,
                    of=f"The condition {key} of offer {offer.name!r}",
                )
                says = holds(condition, customers, unknown=unknown)
                met &= ~says if unknown else says
        if offer.needs_consent:
            met &= _consented(customers, consent, offer)
        may[offer.name] = met if on is None or offer.runs_on(on) else np.zeros_like(met)
    return pd.DataFrame(may, index=customers.index)


def holds(condition: Condition, customers: pd.DataFrame, *, unknown: bool = False) -> BoolArray:
    """Return of which customers a condition holds.

    Parameters
    ----------
    condition : Condition
        That was read.
    customers : DataFrame of shape (n_customers, n_columns)
        With the columns that it names.
    unknown : bool, default False
        What is taken for the answer where there is none.

    Returns
    -------
    ndarray of bool of shape (n_customers,)

    Raises
    ------
    SettingsError
        Where it is neither true nor false, or compares what cannot be compared.
    SchemaError
        Where a column that it names is missing, or two differ in capitals only.

    Examples
    --------
    >>> holds(read_condition("a / b >= 2"), pd.DataFrame({"a": [4.0, 1.0], "b": [2.0, 0.0]}))
    array([ True, False])
    """
    if lacking := [name for name in condition.columns if name not in customers.columns]:
        raise SchemaError(f"The condition {condition.sql} needs {', '.join(lacking)}, which are not there.")
    if len({name.casefold() for name in condition.columns}) < len(condition.columns):
        raise SchemaError(
            f"Columns {', '.join(condition.columns)} differ in capitals only, which a condition cannot; "
            "rename one."
        )
    # A copy, as the engine cannot read a column backwards, which is what a reversed frame holds.
    table = customers.loc[:, list(condition.columns)].reset_index(drop=True).copy()
    if not condition.columns:
        table = pd.DataFrame({"_": np.zeros(len(customers))})
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        connection.register("customers", table)
        try:
            asked = connection.sql(f"SELECT ({condition.sql}) AS {quoted('met')} FROM customers")
            if str(asked.types[0]) != "BOOLEAN":
                raise SettingsError(f"{condition.sql} is neither true nor false; compare it with something.")
            met = asked.df()["met"]
        except duckdb.Error as error:
            told = str(error).splitlines()[0]
            raise SettingsError(
                f"The condition {condition.sql} cannot be told of customers: {told}"
            ) from error
    return met.fillna(unknown).to_numpy(dtype=np.bool_)


def _consented(customers: pd.DataFrame, consent: str | None, offer: Offer) -> BoolArray:
    if consent is None:
        raise SettingsError(
            f"Offer {offer.name!r} needs consent, and no column says who gave it: name it as "
            "consent in [decide]."
        )
    if consent not in customers.columns:
        raise SchemaError(f"There is no column {consent!r} of consent among the customers' attributes.")
    given = customers[consent]
    if pd.api.types.is_numeric_dtype(given.dtype) or pd.api.types.is_bool_dtype(given.dtype):
        return (given == 1).fillna(False).to_numpy(dtype=np.bool_)
    said = given.astype("string").str.strip().str.casefold()
    return said.isin(["true", "yes", "y", "1", "t"]).to_numpy(dtype=np.bool_)


def not_tired(
    customers: pd.Index, offers: Sequence[Offer], contacts: pd.DataFrame, *, on: date
) -> pd.DataFrame:
    """Return which customers were not yet contacted too often for which offer.

    Parameters
    ----------
    customers : Index
        Ids.
    offers : sequence of Offer
        With their fatigue limits.
    contacts : DataFrame
        Records of contacts: customer_id, timestamp; channel and offer where limits are over them. Those of a
        control arm, who were not contacted, must not be among them.
    on : date
        Day of the next contact; contacts of that day and of the ``days - 1`` before count.

    Returns
    -------
    DataFrame of bool of shape (n_customers, n_offers)

    Raises
    ------
    SchemaError
        Where a column that a limit counts over is missing.
    DataError
        Where the times of contacts cannot be read.

    Examples
    --------
    >>> from habitue.decisions.beliefs import Share
    >>> offer = Offer("call", saves=Share(0.5), channel="phone", fatigue=(Fatigue(1, 30, "channel"),))
    >>> contacts = pd.DataFrame({"customer_id": ["a", "b"], "timestamp": ["2025-01-20", "2025-01-20"],
    ...                          "channel": ["phone", "email"]})
    >>> not_tired(pd.Index(["a", "b"]), [offer], contacts, on=date(2025, 1, 31))["call"].tolist()
    [False, True]
    """
    may = {
        offer.name: np.logical_and.reduce(
            [np.ones(len(customers), dtype=np.bool_)]
            + [_seldom(customers, offer, limit, contacts, on) for limit in offer.fatigue]
        )
        for offer in check_offers(offers)
    }
    return pd.DataFrame(may, index=customers)


def _seldom(customers: pd.Index, offer: Offer, limit: Fatigue, contacts: pd.DataFrame, on: date) -> BoolArray:
    needed = {"customer_id", "timestamp"} | ({limit.over} - {"all"})
    if lacking := sorted(needed - set(contacts.columns)):
        raise SchemaError(f"To count contacts over {limit.over} their records need {', '.join(lacking)}.")
    try:
        days = pd.to_datetime(contacts["timestamp"])
    except (TypeError, ValueError) as error:
        raise DataError(f"The times of contacts cannot be read: {error}.") from error
    end = pd.Timestamp(on, tz=days.dt.tz) + pd.Timedelta(days=1)
    counts = (days < end) & (days >= end - pd.Timedelta(days=limit.days))
    if limit.over != "all":
        counts &= contacts[limit.over] == getattr(offer, "name" if limit.over == "offer" else "channel")
    had = contacts.loc[counts.fillna(False), "customer_id"].value_counts()
    return had.reindex(customers, fill_value=0).to_numpy() < limit.at_most
