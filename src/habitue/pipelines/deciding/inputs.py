"""What a decision rests on: the newest scores, what is known of customers, and who must be left alone.

Who must not be contacted is found here and nowhere else (`never_contacted`): who opted out, by an event or an
attribute, who is not contactable, and who did not consent where consent is on record.
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
from habitue.errors import DataError, SchemaError, SettingsError
from habitue.experiments.assignment import CONTROL
from habitue.features import FEATURES
from habitue.pipelines.offers import DecideSettings
from habitue.pipelines.scoring.targets import Target
from habitue.records import CustomerLog
from habitue.records.engine import quoted
from habitue.records.history import History
from habitue.records.schema import CONSENT, CONTACTABLE
from habitue.snapshots import Window, take_snapshot

__all__ = ["Known", "Scores", "contacts_made", "known_customers", "never_contacted", "newest_scores"]

_YES = ("true", "yes", "y", "1", "1.0", "t")


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
    """

    frame: pd.DataFrame
    cutoff: date
    horizon: int
    manifest: dict[str, Any]
    label: str

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
    """

    table: pd.DataFrame
    attributes: pd.DataFrame
    never: pd.Index


def newest_scores(target: Target, *, known_until: date) -> Scores:
    """Read the newest batch that holds both a chance of leaving and a value.

    Parameters
    ----------
    target : Target
        Where `habitue score` writes.
    known_until : date
        The last day of the records.

    Raises
    ------
    DataError
        Where there is no such batch, or it is of another day than the records.
    """
    keys = sorted(target.batches(), key=lambda key: (key.cutoff, len(key.models)), reverse=True)
    for key in keys:
        frame = target.read(key)
        if {"churn_probability", "clv"} <= set(frame.columns):
            if key.cutoff != known_until:
                raise DataError(
                    f"The newest scores in {target.label} are as of {key.cutoff}, the records end on "
                    f"{known_until}: what to do now would rest on another day. Score again (habitue score), "
                    f"or name the day of the scores with --cutoff {key.cutoff}."
                )
            manifest = target.finished(key) or {}
            return Scores(frame.set_index("customer_id"), key.cutoff, key.horizon, manifest, key.label)
    raise DataError(
        f"There are no scores in {target.label} with both churn_probability and clv; make them with "
        "`habitue score`, which asks both champions."
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
        Where a column of consent, of opting out or of a limit of fairness is not there.
    """
    attributes = _attributes(log, scores, scores.cutoff)
    table = _as_in(log, scores)
    own = [name for name in attributes.columns if name not in table]
    table = table.join(attributes[own])
    names = _named_features(offers, list(table.columns))
    if names:
        X = take_snapshot(log, Window(scores.cutoff, scores.horizon), names).X
        table = table.join(X[[name for name in names if name in X]])
    # Who refused after the cutoff refused: the last word counts, whatever the day of the scores.
    latest = _attributes(log, scores, log.observed_until)
    return Known(table, attributes, never_contacted(log, table.index, latest, decide))


def never_contacted(
    log: CustomerLog, customers: pd.Index, attributes: pd.DataFrame, decide: DecideSettings
) -> pd.Index:
    """Return who must not be contacted, whatever they are worth.

    Parameters
    ----------
    log : CustomerLog
        The records; an event of opting out counts whenever it was.
    customers : Index
        Who was scored.
    attributes : DataFrame
        Indexed like them: the last that they said.
    decide : DecideSettings
        Names the columns and events.

    Raises
    ------
    SettingsError
        Where a column that is named is not there.
    """
    off = pd.Series(False, index=customers)
    asked = ((decide.opt_out, True), (decide.consent, False), (CONSENT, False), (CONTACTABLE, False))
    for name, says_no in asked:
        if name is None or (name in {CONSENT, CONTACTABLE} and name not in attributes):
            continue
        if name not in attributes:
            raise SettingsError(
                f"[decide] names the column {name!r} of the customers' records, which is not there; there "
                f"are: {', '.join(map(str, attributes.columns)) or 'none'}."
            )
        said = attributes[name].map(_is_yes).fillna(False).astype(bool)
        off |= said if says_no else ~said
    if "events" in log.kinds and decide.opt_out_events:
        words = {f"word_{n}": word.strip().lower() for n, word in enumerate(decide.opt_out_events)}
        places = ", ".join(f"${name}" for name in words)
        sql = f"SELECT DISTINCT customer_id FROM events WHERE lower(trim(event)) IN ({places})"
        off |= customers.isin(log.engine.frame(sql, words)["customer_id"].to_numpy())
    return customers[off.to_numpy()]


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
    return _asked(history, sql)


def _attributes(log: CustomerLog, scores: Scores, until: date) -> pd.DataFrame:
    """Return attributes of the scored customers; who did not consent where that is on record has none."""
    index = _as_in(log, scores).index
    if "customers" not in log.kinds:
        return pd.DataFrame(index=index)
    history = log.until(until)
    names = ", ".join(quoted(name) for name in history.columns("customers"))
    sql = f"SELECT {names} FROM ({history.relation('customers')}) AS customers"
    return _asked(history, sql).set_index("customer_id").reindex(index)


def _asked(history: History, sql: str) -> pd.DataFrame:
    """Ask for rows; a relation need not name the cutoff, and what is not named must not be bound."""
    named = {name: value for name, value in history.values.items() if f"${name}" in sql}
    return history.engine.frame(sql, named)


def _as_in(log: CustomerLog, scores: Scores) -> pd.DataFrame:
    """Return scores with ids as the records have them: a CSV file gives numbers as text."""
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


def _is_yes(value: Any) -> bool:
    if pd.isna(value):
        return False
    return bool(value) if isinstance(value, (bool, int, float)) else str(value).strip().lower() in _YES
