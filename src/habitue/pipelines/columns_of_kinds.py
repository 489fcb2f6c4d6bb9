"""Which columns mean what, for every kind of record: a guess from names and values, for a person to check.

Columns that a kind needs are guessed by patterns, as in `habitue.pipelines.columns`. Optional ones are taken
where their name is the canonical one or one of a few that mean nothing else: a wrong guess there would go
unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from habitue.errors import SchemaError
from habitue.pipelines.columns import (
    best_name,
    guess_columns,
    guess_customer,
    guess_decimal,
    is_date,
    is_number,
    one_spelling,
)
from habitue.records import SCHEMAS
from habitue.records.schema import RECORDED_AT, Column
from habitue.records.yes_or_no import as_answers

__all__ = ["consent_hints", "guess_decimal_of", "guess_kind"]


class _Rule(NamedTuple):
    """Patterns for a needed column's name, the best first, and for names that are not meant."""

    patterns: tuple[str, ...]
    never: str = r"$^"


_DAY = r"(date|datum|fecha|time|timestamp|day|tag|at|on|am)"
_PLAIN_DAY = rf"^({_DAY}|datetime|date_time|ts|dt|when)$"
_NO_INSTANT = r"birth|dob$|updat|modif|expir|valid|due|(^|_)(first|last|next)(_|$)|sign_?up|regist|recorded"
_WHEN = (
    _PLAIN_DAY,
    rf"(occurr|happen|event|visit|usage|used|activity|answer|submit|respon|review|sent|contact|send).*{_DAY}",
    r"created|logged|posted|earned|erstellt",
    rf"(^|_){_DAY}$|^{_DAY}_",
)

_NEEDED: Mapping[str, Mapping[str, _Rule]] = {
    "contracts": {
        "started_at": _Rule(
            (
                r"^started|(^|_)start",
                r"begin|activat|effective|signed|commence|debut|inicio|desde",
                r"since|joined|created",
                _PLAIN_DAY,
            ),
            r"end|trial|bill|cancel|expir|birth|updat|renew|next|last",
        ),
        "price": _Rule(
            (
                r"^price$|(^|_)mrr(_|$)|^monthly_?(price|fee|charges?|amount|rate|revenue)$",
                r"price|preis|prix|precio",
                r"amount|fee|charge|betrag|montant|importe|revenue|premium|beitrag",
                r"(^|_)arr(_|$)|value",
            ),
            r"terminat|cancel|set_?up|discount|tax|vat|seats|total|refund|penalt|lifetime|year",
        ),
    },
    "events": {
        "timestamp": _Rule(_WHEN, _NO_INSTANT),
        "event": _Rule(
            (
                r"^event(_?(name|type|kind))?$|^ereignis$",
                r"^(action|activity|aktion|type)(_?(name|type))?$",
                r"^(feature|page|screen|verb)(_?(name|type|view))?$",
            )
        ),
    },
    "feedback": {
        "timestamp": _Rule(_WHEN, _NO_INSTANT),
        "survey": _Rule(
            (
                r"^survey(_?(name|type|kind|id))?$|^umfrage$",
                r"(survey|feedback|question(naire)?|metric|score)_?(type|name|kind)$",
                r"^(type|kind|questionnaire|instrument|metric|source)$",
            )
        ),
        "score": _Rule(
            (
                r"^(score|rating|note|bewertung|stars?|grade)$",
                r"score|rating|stars|bewertung|(^|_)(nps|csat)(_|$)",
            ),
            r"min|max|scale|sentiment|type|(^|_)(id|count)$",
        ),
    },
    "tickets": {
        "opened_at": _Rule(
            (
                r"^(opened|submitted|created|raised|reported|eroffnet|erstellt|ouvert|abierto)",
                r"open|submi|creat|report|receiv|rais|erfasst",
                rf"{_PLAIN_DAY}|^ticket_?{_DAY}$",
            ),
            r"clos|resol|solv|updat|respon|due|purchas|birth|end|reopen|escal|recorded|sign_?up",
        ),
    },
    "rewards": {
        "timestamp": _Rule(_WHEN, _NO_INSTANT),
        "points": _Rule(
            (r"^(points?|punkte|puntos|miles)$", r"points?(_|$)|punkte|miles", r"^(amount|change|delta)$"),
            r"balance|total|before|after|saldo|expir",
        ),
    },
    "contacts": {
        "timestamp": _Rule(_WHEN, rf"{_NO_INSTANT}|respon|open|click|conver|unsub|bounce"),
        "campaign": _Rule(
            (
                r"^campaign(_?(name|id|code|key))?$|^kampagne$",
                r"campaign|kampagne|campagne|campana",
                r"^(mailing|promotion|promo|newsletter)(_?(name|id))?$",
            )
        ),
    },
    "customers": {},
}

_ALSO: Mapping[str, Mapping[str, str]] = {
    "transactions": {
        "order_id": r"(order|invoice|receipt|basket)_?(id|no|nr|number|key)"
        r"|(bestell|rechnungs|beleg|auftrags)_?(nr|nummer)",
        "product_id": r"(product|item|article)(_?(id|no|nr|code|key|number|sku))?|sku|stock_?code"
        r"|artikel(_?(nr|nummer))?",
        "category": r"(product_?)?(category|group)(_name)?|kategorie|warengruppe|department",
        "quantity": r"qty|menge|anzahl|units|quantite|cantidad",
        "list_price": r"(regular|original|full)_price|rrp|msrp|listenpreis",
        "discount": r"discount_(amount|value|total)|rabatt(_?betrag)?|remise|descuento",
        "margin": r"margin_amount|gross_(margin|profit)|profit|marge|deckungsbeitrag",
        "channel": r"(sales|order)_channel|(vertriebs)?kanal|canal",
        "return_reason": r"refund_reason|reason_for_return|retourengrund",
        "currency": r"(order_)?currency(_code)?|wahrung|waehrung|devise|moneda",
    },
    "contracts": {
        "ended_at": rf"(end|ends|ended|cancel|cancell?ed|cancell?ation|terminat(ed|ion)|expir(ed|y)|churned)"
        rf"_?{_DAY}|end|ended|ende|vertragsende|kundigungsdatum|valid_(to|until)",
        "plan": r"plan_?(name|tier|type|code)|tier|product(_name)?|package|tarif"
        r"|(subscription|contract)_(type|plan|tier)",
        "billing_period_days": r"billing_(period|cycle|interval)_days|period_days",
        "auto_renew": r"(is_)?(auto_?renew(al|s|ing)?|automatic_renewal)(_flag|_enabled)?",
        "termination_fee": r"(early_)?(termination|cancell?ation|exit)_fee",
        "ended_reason": r"((end|cancel|cancell?ation|churn|termination)_?)?reason(_code)?|kundigungsgrund",
    },
    "events": {
        "value": r"event_value|(usage_|event_)?count|wert",
        "channel": r"platform|device(_type)?|kanal|canal",
    },
    "feedback": {
        "scale_min": r"(score|rating)_min|min_(score|rating)",
        "scale_max": r"(score|rating)_max|max_(score|rating)",
        "text": r"comments?|verbatim|(review|feedback)(_(text|body|comment))?|kommentar|free_text",
        "product_id": r"(product|item|article)(_?(id|no|nr|code|sku))?|sku|artikel(_?(nr|nummer))?",
        "sentiment": r"sentiment_score",
    },
    "tickets": {
        "closed_at": rf"(closed|close|resolved|solved|resolution|geschlossen)_?{_DAY}|closed|resolved",
        "first_response_at": rf"first_(response|reply|answer)(_?{_DAY})?|first_responded_{_DAY}",
        "topic": r"(ticket_)?(type|category|subject|reason)|issue(_type)?|thema",
        "severity": r"(ticket_)?(priority|urgency|severity)|prioritat",
        "escalated": r"(is_|was_)?escalat(ed|ion)(_flag)?",
        "reopened": r"(is_|was_)?re_?open(ed)?(_flag)?",
    },
    "rewards": {
        "tier": r"(loyalty_)?(tier|level)(_name)?|stufe",
        "expires_at": rf"(expir(es|y|ation|ed)|expire)_?{_DAY}|expires|expiry|valid_until",
    },
    "contacts": {
        "channel": r"medium|kanal|canal",
        "offer": r"(offer|promo|promotion|coupon)(_?(id|name|code))?|angebot",
        "cost": r"contact_cost|kosten",
        "arm": r"(treatment|test)_?(group|arm|cell)|variant|treatment",
        "propensity": r"propensity_score|assignment_probability",
        "randomised": r"(is_)?randomi[sz]ed",
        "responded_at": rf"(responded|response|click|clicked|converted|conversion)_?{_DAY}",
    },
    "customers": {
        "acquired_at": rf"(acquired|acquisition|sign_?up|signed_up|registered|registration|joined|created)"
        rf"_?{_DAY}"
        r"|(customer_|member_)?since|joined",
        "segment": r"customer_(segment|group)|segment_name",
        "consent": r"(data|analytics|profiling|processing|gdpr|privacy)_?consent|consented",
        "contactable": r"(marketing|e?mail|contact)_?(consent|opt_?in|permission|allowed)"
        r"|(may|can)_(be_)?contact(ed)?|opt(ed)?_?in|subscribed",
    },
}
"""Names that mean an optional column, beside its own."""

_MISSING = {
    "survey": "a column that says which survey was answered, such as nps, csat or review",
    "event": "a column that says what the customer did",
}
_CONSENT = (
    r"consent|opt_?in(_|$)|permission|agrees?(_|$)|einwillig|einverstanden|zustimmung|erlaubnis|consenso"
    r"|toestemming|gdpr|dsgvo|rgpd|avg_|contactable|may_contact"
)
_OPT_OUT = r"opt(ed)?_?out|unsubscri|do_not_(contact|call|mail)|werbe_?sperre|widerspruch|widerruf|abgemeldet"


def guess_kind(
    kind: str,
    types: Mapping[str, str],
    values: Mapping[str, Sequence[Any]],
    given: Mapping[str, str],
    *,
    source: str = "FILE",
) -> dict[str, str]:
    """Guess the columns of one kind of record that are not given.

    Parameters
    ----------
    kind : str
        Kind of record.
    types : Mapping[str, str]
        SQL type by column.
    values : Mapping[str, sequence]
        Some values of each column, empty ones left out.
    given : Mapping[str, str]
        Canonical column to what the user said that the source calls it.
    source : str
        The source, as messages name it.

    Returns
    -------
    dict of str
        Canonical column to the source's.

    Raises
    ------
    SchemaError
        Where no column looks like one that is needed: names those there are, and how to say which.

    Examples
    --------
    >>> types = {"Ticket ID": "BIGINT", "Account ID": "VARCHAR", "Submitted": "DATE", "Priority": "VARCHAR"}
    >>> guess_kind("tickets", types, dict.fromkeys(types, ["x1"]), {})
    {'customer_id': 'Account ID', 'opened_at': 'Submitted', 'severity': 'Priority'}
    """
    found = guess_columns(types, values, given) if kind == "transactions" else {}
    found |= given
    # A column is taken once: what says the event is not its channel too.
    free = [name for name in types if name not in found.values()]
    for column in SCHEMAS[kind].columns:
        if column.name in found:
            continue
        fitting = [name for name in free if _fits(column, types[name], values[name])]
        name = _needed(kind, column, fitting, values) if column.required else _optional(kind, column, fitting)
        if name is not None:
            found[column.name] = name
            free.remove(name)
        elif column.required:
            _refuse(kind, column.name, list(types), source)
    order = [column.name for column in SCHEMAS[kind].columns]
    return {name: found[name] for name in sorted(found, key=order.index)}


def consent_hints(names: Iterable[str]) -> dict[str, str]:
    """Say of attributes of customers whose name speaks of consent what they may mean, for a person to decide.

    Nothing is made of them: who did not consent is not in the records at all.

    Parameters
    ----------
    names : iterable of str
        Columns that are attributes so far.

    Returns
    -------
    dict of str
        Column to the keys that it could be named by.

    Examples
    --------
    >>> consent_hints(["Tarif", "Werbeeinwilligung", "Opt-out"])
    {'Werbeeinwilligung': 'contactable or consent in [records.customers]', 'Opt-out': 'opt_out in [decide]'}
    """
    hints: dict[str, str] = {}
    for name in names:
        if re.search(_OPT_OUT, one_spelling(name)):
            hints[name] = "opt_out in [decide]"
        elif re.search(_CONSENT, one_spelling(name)):
            hints[name] = "contactable or consent in [records.customers]"
    return hints


def guess_decimal_of(
    kind: str, mapping: Mapping[str, str], types: Mapping[str, str], values: Mapping[str, Sequence[Any]]
) -> str | None:
    """Return "," where the numbers of a kind have a decimal comma, None where the default will do.

    Parameters
    ----------
    kind : str
        Kind of record.
    mapping : Mapping[str, str]
        Canonical column to the source's.
    types : Mapping[str, str]
        SQL type by column.
    values : Mapping[str, sequence]
        Some values of each column.
    """
    numbers = {column.name for column in SCHEMAS[kind].columns if column.kind in {"money", "number"}}
    named = [given for name, given in mapping.items() if name in numbers]
    if kind == "customers":  # its attributes are numbers too
        named = [name for name in types if is_number(types[name], values[name])]
    return guess_decimal([value for name in named for value in values.get(name, ())])


def _fits(column: Column, sql_type: str, values: Sequence[Any]) -> bool:
    """Tell whether a column's values may be what they would have to be; without values all may."""
    if sql_type == "VARCHAR" and not values:
        return True
    dated = is_date(sql_type, values)
    if column.kind in {"instant", "day"}:
        return dated
    if column.kind == "flag":
        return sql_type == "BOOLEAN" or bool(as_answers(pd.Series(values, dtype=object)).notna().all())
    if column.kind in {"money", "number"}:
        return not dated and is_number(sql_type, values)
    return not dated


def _needed(
    kind: str, column: Column, names: Sequence[str], values: Mapping[str, Sequence[Any]]
) -> str | None:
    own = next((name for name in names if one_spelling(name) == column.name), None)
    if own is not None:
        return own
    if column.kind == "id":
        return guess_customer(names, values) or (_own_key(names, values) if kind == "customers" else None)
    patterns, never = _NEEDED[kind][column.name]
    possible = [name for name in names if not re.search(never, one_spelling(name))]
    # A single date can only be the one that is needed, whatever it is called.
    only = possible[0] if column.kind == "instant" and len(possible) == 1 else None
    return best_name(possible, patterns) or only


def _own_key(names: Sequence[str], values: Mapping[str, Sequence[Any]]) -> str | None:
    """Return a table's own key, which of customers says who they are."""
    keys = (name for name in names if re.search(r"(^|_)(id|key|code|uuid|guid)$", one_spelling(name)))
    return next((name for name in keys if len(set(map(str, values[name]))) == len(values[name])), None)


def _optional(kind: str, column: Column, names: Sequence[str]) -> str | None:
    also = "" if column.name == RECORDED_AT else _ALSO[kind].get(column.name, "")
    patterns = [rf"^{column.name}$", *([rf"^({also})$"] if also else [])]
    return best_name(names, patterns)


def _refuse(kind: str, name: str, columns: Sequence[str], source: str) -> None:
    what = f": {kind} need {_MISSING[name]}" if name in _MISSING else ""
    there = ", ".join(columns)
    raise SchemaError(
        f"{source}: no column looks like {name} of {kind}{what}. The columns there are: {there}. "
        f"Say which, for example: --set {kind}.{name}=COLUMN"
    )
