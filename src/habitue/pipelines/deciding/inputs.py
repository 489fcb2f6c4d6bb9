"""What a decision rests on: the newest scores, what is known of customers, and who must be left alone.

Who must not be contacted is for `habitue.pipelines.contact_rules` to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import sqlglot
from sqlglot import exp

from habitue.decisions.offers import Offer
from habitue.errors import DataError, SchemaError
from habitue.experiments.assignment import CONTROL
from habitue.features import FEATURES
from habitue.pipelines.contact_rules import asked_of, customers_at, left_alone
from habitue.pipelines.offers import DecideSettings
from habitue.pipelines.scoring.targets import Target
from habitue.records import CustomerLog
from habitue.snapshots import Window, take_snapshot

__all__ = ["Known", "Scores", "as_in", "contacts_made", "known_customers", "newest_scores"]

_NEEDED = frozenset({"churn_probability", "clv"})


@dataclass(frozen=True)
class Scores:
    """A batch of scores.

    Attributes
    ----------
    frame : DataFrame
        Indexed by customer_id.
    cutoff : date
        As of which day.
    horizon : int
        Days ahead.
    manifest : dict
        What the batch says of itself.
    label : str
        In words.
    value_days : int, optional
        Days ahead within which the clv counts, where it is not the horizon.
    """

    frame: pd.DataFrame
    cutoff: date
    horizon: int
    manifest: dict[str, Any]
    label: str
    value_days: int | None = None

    @property
    def interval(self) -> float | None:
        """Share of customers whose value lies between clv_lower and clv_upper, where the models say it."""
        told = [one.get("interval") for one in self.manifest.get("models", []) if one.get("role") == "clv"]
        return next((float(one) for one in told if one), None)


@dataclass(frozen=True)
class Known:
    """What is known of the scored customers at the cutoff.

    Attributes
    ----------
    table : DataFrame
        Scores, attributes and the features that conditions name, indexed by customer_id.
    attributes : DataFrame
        Attributes alone, same index.
    never : Index
        Customers who must not be contacted.
    notes : tuple of str
        Answers on consent that could not be read.
    """

    table: pd.DataFrame
    attributes: pd.DataFrame
    never: pd.Index
    notes: tuple[str, ...] = ()


def newest_scores(
    target: Target, *, known_until: date, because: str = "the records end on", with_value: bool = True
) -> Scores:
    """Read the batch of a day that holds both a chance of leaving and a value; the newest such.

    Parameters
    ----------
    target : Target
        Where `habitue score` writes.
    known_until : date
        That day: the last one that counts.
    because : str
        Where the day comes from, as the message says it before naming the day.
    with_value : bool
        Whether a value is needed: with contracts alone their prices tell it.

    Raises
    ------
    DataError
        Where there is no such batch.
    """
    needed = _NEEDED if with_value else _NEEDED - {"clv"}
    keys = sorted(target.batches(), key=lambda key: (key.cutoff, len(key.models)), reverse=True)
    for key in [key for key in keys if key.cutoff == known_until]:
        frame = target.read(key)
        if set(frame.columns) >= needed:
            manifest = target.finished(key) or {}
            return Scores(frame.set_index("customer_id"), key.cutoff, key.horizon, manifest, key.label)
    there = next((key.cutoff for key in keys if set(target.read(key).columns) >= needed), None)
    if there is None:
        raise DataError(
            f"There are no whole scores in {target.label} with {' and '.join(sorted(needed))}; make them "
            "with `habitue score`, which asks every champion. A file that was changed since does not count."
        )
    raise DataError(
        f"{because[0].upper()}{because[1:]} {known_until}, the newest scores in {target.label} are as of "
        f"{there}: what to do now would rest on another day. Score that day (habitue score --cutoff "
        f"{known_until}), or decide on the day of the scores (--cutoff {there})."
    )


def known_customers(
    log: CustomerLog, scores: Scores, offers: Sequence[Offer], decide: DecideSettings
) -> Known:
    """Put together what conditions and limits may look at, and who must be left alone.

    Parameters
    ----------
    log : CustomerLog
        The records.
    scores : Scores
        Who was scored.
    offers : sequence of Offer
        Their conditions say which features are needed.
    decide : DecideSettings
        Names the columns of consent and of opting out.

    Raises
    ------
    SchemaError
        Where customers of the scores are not those of the records.
    SettingsError
        Where a column of consent or of opting out is not there, or says nothing that can be read.
    """
    table = as_in(log, scores)
    attributes = customers_at(log, table.index, scores.cutoff)
    own = [name for name in attributes.columns if name not in table]
    table = table.join(attributes[own])
    names = _named_features(offers, list(table.columns))
    if names:
        X = take_snapshot(log, Window(scores.cutoff, scores.horizon), names).X
        table = table.join(X[[name for name in names if name in X]])
    # Who refused after the cutoff refused: the last word counts, whatever the day of the scores.
    alone = left_alone(log, table.index, decide.contact_rules)
    return Known(table, attributes, alone.customers, alone.notes)


def contacts_made(log: CustomerLog, until: date) -> pd.DataFrame | None:
    """Return contacts up to a day, without those of control arms, who were not contacted.

    Parameters
    ----------
    log : CustomerLog
        The records.
    until : date
        The last day.

    Returns
    -------
    DataFrame or None
        customer_id, timestamp, channel, offer; None where contacts are not on record.
    """
    if "contacts" not in log.kinds:
        return None
    history = log.until(until)
    there = history.columns("contacts")
    columns = [name for name in ("customer_id", "timestamp", "channel", "offer") if name in there]
    control = f" WHERE arm IS NULL OR lower(arm) <> '{CONTROL}'" if "arm" in there else ""
    sql = f"SELECT {', '.join(columns)} FROM ({history.relation('contacts')}) AS contacts{control}"
    return asked_of(history, sql)


def as_in(log: CustomerLog, scores: Scores) -> pd.DataFrame:
    """Return scores with ids as the records have them: a CSV file gives numbers as text.

    Parameters
    ----------
    log : CustomerLog
        The records.
    scores : Scores
        Who was scored.

    Returns
    -------
    DataFrame
        In the order of ids.

    Raises
    ------
    SchemaError
        Where customers of the scores are not those of the records.
    """
    kind = "contracts" if "transactions" not in log.kinds else "transactions"
    frame = scores.frame
    if log.engine.columns(kind)["customer_id"] == "BIGINT":
        try:
            frame = frame.set_axis(frame.index.astype("int64"))
        except (TypeError, ValueError) as error:
            raise SchemaError(
                "The scores name customers by text, the records by numbers; they are of two sources. Score "
                "these records (habitue score)."
            ) from error
    else:
        frame = frame.set_axis(frame.index.astype("str"))
    known = log.engine.frame(f"SELECT DISTINCT customer_id FROM {kind}")["customer_id"].to_numpy()
    if len(frame) and not (found := frame.index.isin(known)).all():
        raise SchemaError(
            f"{int((~found).sum()):,} of {len(frame):,} scored customers are not in the records, the first "
            f"is {frame.index[~found][0]}; the scores are of other records. Score these (habitue score)."
        )
    # In the order of ids: that of the scores' rows must not matter.
    return frame.rename_axis("customer_id").sort_index()


def _named_features(offers: Sequence[Offer], there: Sequence[str]) -> list[str]:
    """Return the features that conditions name and nothing else has."""
    known = {str(name).lower() for name in there}
    features = {one.name.lower(): one.name for one in FEATURES}
    named: dict[str, None] = {}
    for offer in offers:
        for text in (offer.eligible, offer.excluded):
            if not text.strip():
                continue
            for column in sqlglot.parse_one(text, read="duckdb").find_all(exp.Column):
                name = column.name.lower()
                if name not in known and name in features:
                    named[features[name]] = None
    return list(named)
