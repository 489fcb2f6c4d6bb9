"""What `habitue init` guesses from names and values: shops' exports as they come."""

from __future__ import annotations

from typing import Any

import pytest

from habitue.errors import SchemaError
from habitue.pipelines.columns import guess_columns, guess_decimal, one_spelling

DAY, NUMBER, TEXT, WHOLE = (
    ("DATE", ["2024-01-03"]),
    ("DOUBLE", [12.5]),
    ("VARCHAR", ["blue"]),
    ("BIGINT", [7]),
)
DAY_AS_TEXT, MONEY = ("VARCHAR", ["03.01.2024", "14.01.2024"]), ("VARCHAR", ["€ 1.234,50", "12,00 €"])

SHOPIFY = {
    "Name": TEXT, "Email": TEXT, "Financial Status": TEXT, "Paid at": DAY, "Fulfilled at": DAY,
    "Accepts Marketing": TEXT, "Currency": TEXT, "Subtotal": NUMBER, "Shipping": NUMBER, "Taxes": NUMBER,
    "Total": NUMBER, "Discount Code": TEXT, "Discount Amount": NUMBER, "Shipping Method": TEXT,
    "Created at": DAY,
    "Lineitem quantity": WHOLE, "Lineitem name": TEXT, "Lineitem price": NUMBER, "Billing Name": TEXT,
    "Cancelled at": DAY, "Refunded Amount": NUMBER, "Outstanding Balance": NUMBER, "Id": WHOLE, "Phone": TEXT,
}  # fmt: skip
WOOCOMMERCE = {
    "order_id": WHOLE, "order_number": WHOLE, "date_modified_gmt": DAY, "date_created": DAY, "date_paid": DAY,
    "status": TEXT, "shipping_total": NUMBER, "tax_total": NUMBER, "discount_total": NUMBER,
    "order_total": NUMBER,
    "order_currency": TEXT, "customer_id": WHOLE, "customer_note": TEXT, "billing_email": TEXT,
}  # fmt: skip
STRIPE = {
    "id": TEXT, "Created (UTC)": DAY, "Amount": NUMBER, "Amount Refunded": NUMBER, "Currency": TEXT,
    "Converted Amount": NUMBER, "Fee": NUMBER, "Customer Description": TEXT, "Customer Email": TEXT,
    "Customer ID": TEXT, "Refunded date (UTC)": DAY,
}  # fmt: skip
OLIST = {
    "order_id": TEXT, "customer_id": TEXT, "order_status": TEXT, "order_estimated_delivery_date": DAY,
    "order_approved_at": DAY, "order_purchase_timestamp": DAY, "order_delivered_customer_date": DAY,
    "payment_sequential": WHOLE, "payment_installments": WHOLE, "payment_value": NUMBER,
    "freight_value": NUMBER,
}  # fmt: skip
SAP = {
    "VBELN": WHOLE,
    "ERDAT": DAY,
    "AUDAT": DAY,
    "KUNNR": WHOLE,
    "MWSBP": NUMBER,
    "NETWR": NUMBER,
    "WAERK": TEXT,
}
SAP_GERMAN = {
    "Belegnummer": WHOLE, "Kundennummer": WHOLE, "Kundenname": TEXT, "Geburtsdatum": DAY,
    "Lieferdatum": DAY_AS_TEXT,
    "Belegdatum": DAY_AS_TEXT, "Einzelpreis": MONEY, "MwSt-Betrag": MONEY, "Nettobetrag": MONEY,
    "Menge": WHOLE,
}  # fmt: skip
FRENCH = {
    "Numéro client": WHOLE, "Nom du client": TEXT, "Date de naissance": DAY, "Date de livraison": DAY,
    "Date de commande": DAY, "Quantité": WHOLE, "Prix unitaire": NUMBER, "Montant TVA": NUMBER,
    "Montant total": NUMBER,
}  # fmt: skip
SPANISH = {
    "id_cliente": WHOLE, "fecha_nacimiento": DAY, "fecha_pedido": DAY, "precio_unitario": NUMBER,
    "importe": NUMBER,
}  # fmt: skip
ONLINE_RETAIL = {
    "Invoice": TEXT, "StockCode": TEXT, "Description": TEXT, "Quantity": WHOLE, "InvoiceDate": DAY,
    "Price": NUMBER,
    "Customer ID": NUMBER, "Country": TEXT,
}  # fmt: skip
CAMEL = {
    "transactionId": WHOLE, "userId": WHOLE, "userName": TEXT, "updatedAt": DAY, "createdAt": DAY,
    "birthDate": DAY,
    "taxAmount": NUMBER, "unitPrice": NUMBER, "totalAmount": NUMBER,
}  # fmt: skip
LINES = {
    "order id": WHOLE, "client no": WHOLE, "order date": DAY, "ship date": DAY, "units": WHOLE,
    "unit price": NUMBER,
    "discount": NUMBER,
}  # fmt: skip
LINE_TOTALS = {
    "cust_nr": WHOLE, "signup_date": DAY, "sold_on": DAY, "order_total": NUMBER, "line_total": NUMBER,
    "net_line_tax": NUMBER,
}  # fmt: skip
NET_AND_GROSS = {
    "member_id": WHOLE,
    "dt": DAY,
    "gross_amount": NUMBER,
    "vat_amount": NUMBER,
    "net_amount": NUMBER,
}
LAST_RESORT = {"who_email": TEXT, "updated_at": DAY, "price": NUMBER}

CASES: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "Shopify": (SHOPIFY, ("Email", "Created at", "Total")),
    "WooCommerce": (WOOCOMMERCE, ("customer_id", "date_created", "order_total")),
    "Stripe": (STRIPE, ("Customer ID", "Created (UTC)", "Amount")),
    "Olist": (OLIST, ("customer_id", "order_purchase_timestamp", "payment_value")),
    "SAP": (SAP, ("KUNNR", "AUDAT", "NETWR")),
    "German": (SAP_GERMAN, ("Kundennummer", "Belegdatum", "Nettobetrag")),
    "French": (FRENCH, ("Numéro client", "Date de commande", "Montant total")),
    "Spanish": (SPANISH, ("id_cliente", "fecha_pedido", "importe")),
    "Online Retail II": (ONLINE_RETAIL, ("Customer ID", "InvoiceDate", "Quantity * Price")),
    "camel case": (CAMEL, ("userId", "createdAt", "totalAmount")),
    "with spaces": (LINES, ("client no", "order date", 'units * "unit price"')),
    "line totals": (LINE_TOTALS, ("cust_nr", "sold_on", "line_total")),
    "net and gross": (NET_AND_GROSS, ("member_id", "dt", "net_amount")),
    "last resort": (LAST_RESORT, ("who_email", "updated_at", "price")),
}


def guess(columns: dict[str, Any], **given: str) -> dict[str, str]:
    types = {name: kind for name, (kind, _) in columns.items()}
    values = {name: some for name, (_, some) in columns.items()}
    return guess_columns(types, values, given)


@pytest.mark.parametrize("case", CASES)
def test_shops_exports_are_read(case: str) -> None:
    columns, expected = CASES[case]
    assert tuple(guess(columns).values()) == expected


@pytest.mark.parametrize("case", CASES)
def test_order_of_columns_does_not_matter(case: str) -> None:
    columns, expected = CASES[case]
    assert tuple(guess(dict(reversed(columns.items()))).values()) == expected


def test_what_was_given_is_taken() -> None:
    assert guess(SHOPIFY, amount="Subtotal", customer_id="Phone") == {
        "customer_id": "Phone", "timestamp": "Created at", "amount": "Subtotal",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"colour": TEXT, "day": DAY, "amount": NUMBER}, "customer_id.*colour, day, amount.*--customer-id"),
        ({"customer": TEXT, "amount": NUMBER}, "timestamp.*--timestamp"),
        ({"customer": TEXT, "birth_date": DAY, "amount": NUMBER}, "timestamp"),
        ({"customer": TEXT, "day": DAY, "tax": NUMBER, "year": WHOLE}, "amount.*--amount"),
        ({"a": TEXT}, "customer_id or timestamp or amount"),
    ],
)
def test_nothing_is_taken_for_want_of_better(columns: dict[str, Any], told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        guess(columns)


def test_key_that_looks_like_a_day_is_no_day() -> None:
    assert guess({"customer": ("BIGINT", [20_135_099, 20_129_903]), "day": DAY, "total": NUMBER})[
        "customer_id"
    ] == ("customer")


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["1.234,50", "12,00"], ","), (["1,234.50", "12.00"], None), (["€ 5,5"], ","), ([1.5, 2.5], None),
        (["100", "200"], None), ([], None),
    ],
)  # fmt: skip
def test_decimal_sign(values: list[Any], decimal: str | None) -> None:
    assert guess_decimal(values) == decimal


@pytest.mark.parametrize(
    ("name", "spelt"),
    [
        ("HTTPStatusCode", "http_status_code"),
        ("N° client", "n_client"),
        ("  Order  Date ", "order_date"),
        ("€", ""),
    ],
)
def test_one_spelling(name: str, spelt: str) -> None:
    assert one_spelling(name) == spelt
