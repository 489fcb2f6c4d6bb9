"""Which columns say who, when and how much: a guess from their names and values, for a person to check.

The rules are lists of patterns, the best first, that are tried on names written in one way (``InvoiceDate``,
``invoice-date`` and ``Invoice date`` are ``invoice_date``; letters lose their accents). They know English,
German, French, Spanish and the names of common shop systems. It deliberately reads nothing into the values
beyond whether they are dates or numbers, and where no rule fits it says so instead of taking any column.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from habitue.errors import SchemaError
from habitue.records.engine import quoted

__all__ = [
    "best_name",
    "guess_columns",
    "guess_customer",
    "guess_decimal",
    "is_date",
    "is_number",
    "one_spelling",
]

_PERSON = (
    r"(customer|client|cliente|kunden?|user|account|member|buyer|shopper|household|guest|"
    r"subscriber|cust|kund)"
)
_KEY = r"(id|no|nr|num|number|nummer|numero|key|code|guid|uuid|ref)"
_WHO = (
    rf"^{_PERSON}_?{_KEY}$",
    rf"^({_KEY}_)?{_PERSON}(_{_KEY})?$|^kunnr$",
    rf"{_PERSON}.*_{_KEY}$|^{_KEY}.*_{_PERSON}|{_PERSON}(id|nr|nummer)$",
    r"e_?mail",
    rf"^{_PERSON}$|^(contact|person|visitor|donor|player|patient|panelist)(_?{_KEY})?$",
)
_NOT_WHO = (
    r"name|phone|country|city|segment|type|age$|agent|gender|zip|post|group|categor|status|"
    r"since|(^|_)count|sales|note"
)

_ORDER = (
    r"(order|invoice|purchase|transaction|trans|sale|sold|receipt|basket|booking|payment|rechnung|"
    r"beleg|buchung|"
    r"bestell|auftrag|kauf|commande|facture|achat|vente|pedido|compra|factura|venta)"
)
_DAY = r"(date|datum|fecha|time|timestamp|day|tag|created|placed|at$|on$)"
_WHEN = (
    rf"{_ORDER}.*{_DAY}|{_DAY}_.*{_ORDER}|{_ORDER}(s|d|ed)?_(at|on)$|^(audat|fkdat|budat)$",
    r"^(date|datetime|date_time|timestamp|time|datum|fecha|day|tag|when|ts|dt|t_dat)$",
    r"created|placed|erstellt|erfasst|^erdat$|creation|creado",
    r"paid|charged|completed|processed",
    rf"(^|_){_DAY}|{_DAY}$",
)
_OTHER_DAY = (
    r"updat|modif|chang|edit|deliver|ship|return|refund|cancel|(^|_)due|expir|valid|estimat|"
    r"approv|fulfil|"
    r"sign_?up|regist|join|since|(^|_)last|(^|_)first|start|(^|_)end|until|lief|livraison|entrega|"
    r"geander|eintritt|inscri|cohort"
)
_NEVER_WHEN = r"birth|dob$|geburt|naissance|nacimiento"

_MONEY = (
    r"(amount|total|revenue|sales|value|spend|spent|betrag|umsatz|wert|montant|importe|turnover|"
    r"paid|gross|brutto|summe|"
    r"dollar|euro|payment|ca$|ttc|ingreso|valor|netwr)"
)
_HOW_MUCH = (
    rf"(^|_)net(to)?_?({_MONEY}|price|preis)|nettobetrag|nettoumsatz|nettowert|(^|_)ht$|^netwr$|^net$",
    r"line_?total|total_?line|(position|zeile)s?n?_?(summe|betrag|wert)|line_?amount|"
    r"extended_?price|item_?total",
    r"(order|grand|invoice|transaction|basket|purchase|sale)s?_(total|amount|value|revenue)|"
    r"^total(_(amount|price|paid|sales))?$",
    r"^(amount|betrag|montant|importe|revenue|sales|umsatz)$",
    rf"(^|_){_MONEY}|{_MONEY}$",
    r"(total|gesamt)_?(price|preis|prix)|prix_total|precio_total|gesamtpreis|subtotal",
)
_NOT_MONEY = (
    r"tax|vat$|vat_|mwst|steuer|tva|(^|_)iva|gst|discount|rabatt|remise|descuento|shipping|"
    r"versand|freight|(^|_)fees?(_|$)|"
    r"rate|percent|pct|year|month|(^|_)(id|no|nr|code|type|status|method|installments|sequential|"
    r"date|count|orders)$|zip|"
    r"refund|balance|(^|_)tip|cost|points|margin|profit|weight|lifetime|items|quantity|qty|units|"
    r"lat$|lon$|per_|unit|einzel"
)
_QUANTITY = (
    r"^(quantity|qty|menge|anzahl|quantite|qte|cantidad|units)$",
    r"quantity|(^|_)qty|menge|quantite|cantidad|units",
)
_UNIT_PRICE = (
    r"unit_?(price|cost)|price_?(per|each)|item_?price|einzelpreis|stuckpreis|prix_?unit|"
    r"precio_?unit|unit_amount",
    r"^(price|preis|prix|precio|sale_price|selling_price)$|(^|_)price$",
)

_DATE_TEXT = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}[ -][A-Za-z]{3}|"
    r"[A-Za-z]{3,9}\.? \d{1,2},? \d{4}"
    r"|(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$"
)
_NUMBER_TEXT = re.compile(r"^[^\d()-]{0,4}\(?-?[^\d()-]{0,4}\d[\d.,' \u00a0\u202f]*[^\d()]{0,5}\)?-?$")
_MOST = 0.8
"""Share of values that must look like a date or number for the column to be one."""


def guess_columns(
    types: Mapping[str, str], values: Mapping[str, Sequence[Any]], given: Mapping[str, str]
) -> dict[str, str]:
    """Guess the columns that are needed and not given.

    Parameters
    ----------
    types : Mapping[str, str]
        SQL type by column.
    values : Mapping[str, sequence]
        Some values of each column, empty ones left out.
    given : Mapping[str, str]
        What the user said already: customer_id, timestamp or amount.

    Returns
    -------
    dict of str
        customer_id, timestamp and amount; the last may be arithmetic.

    Raises
    ------
    SchemaError
        Where no column looks like one of them: names those there are, and how to say which.

    Examples
    --------
    >>> types = {"Kundennr": "BIGINT", "Geburtsdatum": "DATE", "Rechnungsdatum": "DATE", "Menge": "BIGINT",
    ...          "Einzelpreis": "DOUBLE"}
    >>> guess_columns(types, dict.fromkeys(types, [1]), {})
    {'customer_id': 'Kundennr', 'timestamp': 'Rechnungsdatum', 'amount': 'Menge * Einzelpreis'}
    """
    dates = [name for name in types if is_date(types[name], values[name])]
    others = [name for name in types if name not in dates]
    numbers = [name for name in others if is_number(types[name], values[name])]
    found = {
        "customer_id": given.get("customer_id") or guess_customer(others, values),
        "timestamp": given.get("timestamp") or _when(dates),
    }
    left = [name for name in numbers if name not in found.values()]
    found["amount"] = given.get("amount") or _how_much(left)
    missing = [name for name, column in found.items() if column is None]
    if missing:
        option = f"--{missing[0].replace('_', '-')}"
        raise SchemaError(
            f"No column looks like {' or '.join(missing)}. The columns there are: {', '.join(types)}. "
            f"Say which, for example: habitue init FILE {option} {quoted(next(iter(types)))}"
        )
    return {name: column for name, column in found.items() if column is not None}


def one_spelling(name: str) -> str:
    """Write a column's name in lower case, its words joined by underscores, without accents.

    Parameters
    ----------
    name : str
        As the source has it.

    Examples
    --------
    >>> [one_spelling(name) for name in ("CustomerID", "Date d'achat", "Stückpreis", "Created (UTC)")]
    ['customer_id', 'date_d_achat', 'stuckpreis', 'created_utc']
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def guess_decimal(values: Sequence[Any]) -> str | None:
    """Return "," where amounts are written with a decimal comma, None where the default will do.

    Parameters
    ----------
    values : sequence
        Some amounts; only texts are looked at.
    """
    text = [str(value) for value in values if isinstance(value, str)]
    comma = sum(bool(re.search(r",\d{1,2}\D*$", value)) for value in text)
    point = sum(bool(re.search(r"\.\d{1,2}\D*$", value)) for value in text)
    return "," if comma > point else None


def guess_customer(names: Sequence[str], values: Mapping[str, Sequence[Any]]) -> str | None:
    """Return the column that says who the customer is, None where none looks like it.

    Parameters
    ----------
    names : sequence of str
        Columns that may hold ids.
    values : Mapping[str, sequence]
        Some values of each column.
    """
    return best_name(names, _WHO, _NOT_WHO) or _repeated_id(names, values)


def best_name(names: Sequence[str], patterns: Sequence[str], never: str = r"$^") -> str | None:
    """Return the first column that the best pattern fits, None where none does.

    Parameters
    ----------
    names : sequence of str
        Columns.
    patterns : sequence of str
        Regular expressions for names in `one_spelling`, the best first.
    never : str
        A regular expression for names that are not meant.
    """
    spelt = {name: one_spelling(name) for name in names}
    fitting = [name for name in names if not re.search(never, spelt[name])]
    found = (name for pattern in patterns for name in fitting if re.search(pattern, spelt[name]))
    return next(found, None)


def _repeated_id(names: Sequence[str], values: Mapping[str, Sequence[Any]]) -> str | None:
    """Return a column that is only called "id" where its values repeat: a customer's do, a row's do not."""
    plain = (name for name in names if re.fullmatch(_KEY, one_spelling(name)))
    return next((name for name in plain if len(set(map(str, values[name]))) < len(values[name])), None)


def _when(dates: Sequence[str]) -> str | None:
    """Return the day of the purchase; another day of the order, or any, only where there is no better one."""
    possible = [name for name in dates if not re.search(_NEVER_WHEN, one_spelling(name))]
    return best_name(possible, _WHEN, _OTHER_DAY) or best_name(possible, _WHEN) or next(iter(possible), None)


def _how_much(numbers: Sequence[str]) -> str | None:
    """Return a total where there is one, else quantity times unit price, else a price."""
    total = best_name(numbers, _HOW_MUCH, _NOT_MONEY)
    if total:
        return total
    unit, quantity = best_name(numbers, _UNIT_PRICE), best_name(numbers, _QUANTITY, r"price|amount")
    return f"{_operand(quantity)} * {_operand(unit)}" if unit and quantity else unit


def _operand(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else quoted(name)


def is_date(sql_type: str, values: Sequence[Any]) -> bool:
    """Tell whether a column holds days or instants.

    Parameters
    ----------
    sql_type : str
        Its type.
    values : sequence
        Some of its values.
    """
    if sql_type == "DATE" or sql_type.startswith("TIMESTAMP"):
        return True
    return _most(_DATE_TEXT, values)


def is_number(sql_type: str, values: Sequence[Any]) -> bool:
    """Tell whether a column holds numbers.

    Parameters
    ----------
    sql_type : str
        Its type.
    values : sequence
        Some of its values.
    """
    if sql_type != "VARCHAR":
        return bool(re.match(r"DOUBLE|FLOAT|DECIMAL|NUMERIC|.*INT", sql_type))
    return _most(_NUMBER_TEXT, values)


def _most(pattern: re.Pattern[str], values: Sequence[Any]) -> bool:
    fitting = sum(bool(pattern.match(str(value).strip())) for value in values)
    return len(values) > 0 and fitting > _MOST * len(values)
