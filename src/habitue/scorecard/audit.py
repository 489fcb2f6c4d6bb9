"""The customer-base audit, first two lenses: one period, and two periods compared.

What is shared out here is counted, not estimated: every table sums to the whole, and the steps from one
period's profit to the next one's sum to the change. The other lenses are in
`habitue.scorecard.audit_cohorts`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.numerics.arrays import FloatArray
from habitue.numerics.product_changes import product_contributions
from habitue.scorecard.decile_transitions import RETURNED_ONLY, value_deciles

__all__ = [
    "base_changes",
    "decile_table",
    "growth_drivers",
    "order_distribution",
    "profit_bridge",
    "value_quantiles",
]

_QUANTILES = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
_STATES = ("stayed", "left", "came", "came back", RETURNED_ONLY)


def decile_table(values: pd.DataFrame) -> pd.DataFrame:
    """Return what the best tenth of customers bought, the second tenth, and so on (lens 1).

    Parameters
    ----------
    values : DataFrame
        Of `habitue.scorecard.audit_records.customer_values`.

    Returns
    -------
    DataFrame
        A row a decile by spend, 1 the best: ``decile`` (text), ``n_customers``, ``n_orders``, ``spend`` and
        ``margin`` (money; margin where it is on record), each sum's share of the whole (``share_...``),
        ``least_spend`` (of one customer), ``spend_per_customer``, ``orders_per_customer`` and
        ``spend_per_order``. A last row "returns only" where some ordered nothing. Sums are of everybody.

    Raises
    ------
    DataError
        Where nobody is in the period.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press.

    Examples
    --------
    >>> values = pd.DataFrame({"n_orders": [1, 2, 3, 4], "spend": [10.0, 20.0, 30.0, 140.0]})
    >>> decile_table(values)[["decile", "n_customers", "spend", "share_spend"]].to_numpy().tolist()
    [['1', 1, 140.0, 0.7], ['3', 1, 30.0, 0.15], ['6', 1, 20.0, 0.1], ['8', 1, 10.0, 0.05]]
    """
    _some(values)
    sums = [name for name in ("n_orders", "spend", "margin") if name in values]
    grouped = values.assign(decile=value_deciles(values)).groupby("decile", observed=True)
    table = pd.DataFrame(grouped[sums].sum())
    table.insert(0, "n_customers", grouped.size())
    for name in ("n_customers", *sums):
        whole = _sum(table, name)
        table[f"share_{name.removeprefix('n_')}"] = table[name] / (whole or np.nan)
    table["least_spend"] = grouped["spend"].min()
    return _rates(table).reset_index().astype({"decile": str})


def order_distribution(values: pd.DataFrame, *, most: int = 10) -> pd.DataFrame:
    """Return how many customers ordered once, twice and so on, and what they spent (lens 1).

    Parameters
    ----------
    values : DataFrame
        Of `habitue.scorecard.audit_records.customer_values`.
    most : int
        So many orders and more stand in one row, at least 1.

    Returns
    -------
    DataFrame
        ``n_orders`` (text, such as "3" or "10+"), ``n_customers``, ``spend`` (money), ``share_customers`` and
        ``share_spend``. A row "0" where some only returned something.

    Raises
    ------
    DataError
        Where nobody is in the period.
    SettingsError
        Where `most` is below 1.

    Examples
    --------
    >>> values = pd.DataFrame({"n_orders": [1, 1, 3, 12], "spend": [10.0, 20.0, 30.0, 140.0]})
    >>> order_distribution(values, most=3).to_numpy().tolist()
    [['1', 2, 30.0, 0.5, 0.15], ['2', 0, 0.0, 0.0, 0.0], ['3+', 2, 170.0, 0.5, 0.85]]
    """
    _some(values)
    if most < 1:
        raise SettingsError(f"most must be 1 order or more; got {most}.")
    count = np.minimum(values["n_orders"].to_numpy(np.int64), most)
    rows = range(0 if (count == 0).any() else 1, most + 1)
    grouped = values.groupby(count)["spend"]
    table = pd.DataFrame({"n_customers": grouped.size(), "spend": grouped.sum()}).reindex(rows, fill_value=0)
    names = [f"{one}+" if one == most else str(one) for one in rows]
    whole = _sum(table, "spend")
    return pd.DataFrame(
        {
            "n_orders": names,
            "n_customers": table["n_customers"].to_numpy(np.int64),
            "spend": table["spend"].to_numpy(np.float64),
            "share_customers": (table["n_customers"] / len(values)).to_numpy(np.float64),
            "share_spend": (table["spend"] / (whole or np.nan)).to_numpy(np.float64),
        }
    )


def value_quantiles(values: pd.DataFrame) -> pd.DataFrame:
    """Return how customers are spread by spend, orders and margin (lens 1).

    Parameters
    ----------
    values : DataFrame
        Of `habitue.scorecard.audit_records.customer_values`.

    Returns
    -------
    DataFrame
        ``share`` (of customers at or below, in [0, 1]) and a column each for ``n_orders``, ``spend`` and
        ``margin`` (money).

    Raises
    ------
    DataError
        Where nobody is in the period.

    Examples
    --------
    >>> values = pd.DataFrame({"n_orders": [1, 1, 3], "spend": [10.0, 20.0, 30.0]})
    >>> value_quantiles(values).set_index("share").loc[0.5].to_dict()
    {'n_orders': 1.0, 'spend': 20.0}
    """
    _some(values)
    kept = [name for name in ("n_orders", "spend", "margin") if name in values]
    return values[kept].quantile(list(_QUANTILES)).rename_axis("share").reset_index()


def base_changes(both: pd.DataFrame) -> pd.DataFrame:
    """Return who stayed, left, came and came back between two periods, and what they spent (lens 2).

    Parameters
    ----------
    both : DataFrame
        Of `habitue.scorecard.audit_records.two_periods`.

    Returns
    -------
    DataFrame
        ``state`` ("stayed", "left", "came", "came back" (an older customer who had not ordered in the first
        period), "returns only"), ``n_customers``, and ``n_orders``, ``spend`` and ``margin`` (money; margin
        where it is on record) with ``_1`` and ``_2`` for the periods. All five rows are there.

    Raises
    ------
    DataError
        Where nobody is in either period.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press.

    Examples
    --------
    >>> both = pd.DataFrame({"n_orders_1": [2, 1, 0], "n_orders_2": [3, 0, 1], "spend_1": [20.0, 9.0, 0.0],
    ...                      "spend_2": [33.0, 0.0, 7.0], "is_new": [False, False, True]})
    >>> base_changes(both)[["state", "n_customers", "spend_1", "spend_2"]].head(3).to_numpy().tolist()
    [['stayed', 1, 20.0, 33.0], ['left', 1, 9.0, 0.0], ['came', 1, 0.0, 7.0]]
    """
    _some(both)
    sums = [
        f"{name}_{n}" for n in (1, 2) for name in ("n_orders", "spend", "margin") if f"{name}_{n}" in both
    ]
    grouped = both.assign(state=_states(both)).groupby("state")
    table = pd.DataFrame(grouped[sums].sum()).reindex(list(_STATES), fill_value=0)
    table.insert(0, "n_customers", grouped.size().reindex(list(_STATES), fill_value=0))
    return table.rename_axis("state").reset_index()


def profit_bridge(both: pd.DataFrame) -> pd.DataFrame:
    """Return the steps from one period's profit to the next: who came, who left, what stayers did (lens 2).

    Parameters
    ----------
    both : DataFrame
        Of `habitue.scorecard.audit_records.two_periods`.

    Returns
    -------
    DataFrame
        ``step``, ``n_customers`` and ``amount`` (money): first the first period's total and last the second
        one's, between them the steps, which sum to the change. Money is margin where it is on record, else
        spend; ``money`` says which.

    Raises
    ------
    DataError
        Where nobody is in either period.

    Notes
    -----
    What changed with who stayed is shared out among orders per customer, spend per order and the share of
    spend that is margin by `habitue.numerics.product_changes.product_contributions`, which leaves no rest.
    Where stayers' spend is not above 0 in both periods, margin per order takes the place of the last two.

    References
    ----------
    Fader, Hardie, and Ross (2022), The Customer-Base Audit, Wharton School Press.

    Examples
    --------
    >>> both = pd.DataFrame({"n_orders_1": [2, 1, 0], "n_orders_2": [3, 0, 1], "spend_1": [20.0, 9.0, 0.0],
    ...                      "spend_2": [33.0, 0.0, 7.0], "is_new": [False, False, True]})
    >>> bridge = profit_bridge(both)
    >>> dict(zip(bridge.step[:4], bridge.amount[:4].tolist()))
    {'first period': 29.0, 'left': -9.0, 'came': 7.0, 'came back': 0.0}
    >>> dict(zip(bridge.step[5:], bridge.amount[5:].tolist()))
    {'stayed: orders per customer': 10.5, 'stayed: spend per order': 2.5, 'second period': 40.0}
    """
    changes = base_changes(both).set_index("state")
    money = _money(both)
    change = dict(zip(_STATES, _column(changes, f"{money}_2") - _column(changes, f"{money}_1"), strict=True))
    n = dict(zip(_STATES, changes["n_customers"].tolist(), strict=True))
    others = [(state, n[state], change[state]) for state in _STATES[1:]]
    stayers = both.loc[_states(both) == "stayed"]
    stayed = _parts(stayers, stayers, money)
    steps = [(f"stayed: {name}", n["stayed"], part) for name, _, _, part in stayed[1:]]
    ends = [
        (
            f"{name} period",
            int((_column(both, f"n_orders_{place}") > 0).sum()),
            _sum(both, f"{money}_{place}"),
        )
        for place, name in ((1, "first"), (2, "second"))
    ]
    rows = [ends[0], *others, *steps, ends[1]]
    return pd.DataFrame(rows, columns=["step", "n_customers", "amount"]).assign(money=money)


def growth_drivers(both: pd.DataFrame) -> pd.DataFrame:
    """Return whether more customers, more orders or dearer ones made the difference of two periods (lens 2).

    Parameters
    ----------
    both : DataFrame
        Of `habitue.scorecard.audit_records.two_periods`.

    Returns
    -------
    DataFrame
        ``factor`` ("customers", "orders per customer", "spend per order", "margin of spend"), its value in
        the ``first`` and in the ``second`` period, and ``amount``: what it added (money, as
        `profit_bridge`). A last row "returns only" holds what came from who ordered nothing in a period; the
        amounts sum to the change.

    Raises
    ------
    DataError
        Where nobody is in either period.

    Examples
    --------
    >>> both = pd.DataFrame({"n_orders_1": [2, 2, 0], "n_orders_2": [3, 0, 3], "spend_1": [20.0, 20.0, 0.0],
    ...                      "spend_2": [30.0, 0.0, 30.0], "is_new": [False, False, True]})
    >>> growth_drivers(both)[["factor", "first", "second", "amount"]].to_numpy().tolist()[:2]
    [['customers', 2.0, 2.0, 0.0], ['orders per customer', 2.0, 3.0, 20.0]]
    """
    _some(both)
    money = _money(both)
    active = [both.loc[both[f"n_orders_{n}"] > 0] for n in (1, 2)]
    parts = _parts(active[0], active[1], money)
    rest = [_sum(both, f"{money}_{n}") - _sum(active[n - 1], f"{money}_{n}") for n in (1, 2)]
    rows = [*parts, (RETURNED_ONLY, rest[0], rest[1], rest[1] - rest[0])]
    return pd.DataFrame(rows, columns=["factor", "first", "second", "amount"]).assign(money=money)


def _money(both: pd.DataFrame) -> str:
    return "margin" if "margin_1" in both else "spend"


def _parts(first: pd.DataFrame, second: pd.DataFrame, money: str) -> list[tuple[str, float, float, float]]:
    """Take money apart into factors: name, value in either period, and what its change added."""
    sums = [
        {name: _sum(one, f"{name}_{n}") for name in ("n_orders", "spend", money)}
        for n, one in ((1, first), (2, second))
    ]
    if money == "spend":
        chain = ["n_orders", "spend"]
        names = ["customers", "orders per customer", "spend per order"]
    elif all(one["spend"] > 0.0 for one in sums):
        chain = ["n_orders", "spend", money]
        names = ["customers", "orders per customer", "spend per order", "margin of spend"]
    else:
        chain = ["n_orders", money]
        names = ["customers", "orders per customer", "margin per order"]
    factors = [
        _chained(len(who), [one[name] for name in chain])
        for who, one in zip((first, second), sums, strict=True)
    ]
    added = product_contributions(*factors)
    return [
        (name, before, after, float(part))
        for name, before, after, part in zip(names, *factors, added, strict=True)
    ]


def _chained(count: int, sums: list[float]) -> list[float]:
    """Return factors whose product is the last sum; 0 where there is nothing to divide by."""
    bases = [float(count), *sums]
    return [
        bases[0],
        *(after / before if before else 0.0 for before, after in zip(bases, sums, strict=False)),
    ]


def _states(both: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    first, second = both["n_orders_1"] > 0, both["n_orders_2"] > 0
    came = second & ~first
    conditions = [first & second, first & ~second, came & both["is_new"], came & ~both["is_new"]]
    return np.select([one.to_numpy(bool) for one in conditions], list(_STATES[:4]), _STATES[4]).astype(object)


def _rates(table: pd.DataFrame) -> pd.DataFrame:
    n_orders = table["n_orders"].where(table["n_orders"] > 0)
    return table.assign(
        spend_per_customer=table["spend"] / table["n_customers"],
        orders_per_customer=table["n_orders"] / table["n_customers"],
        spend_per_order=table["spend"] / n_orders,
    )


def _column(table: pd.DataFrame, name: str) -> FloatArray:
    return table[name].to_numpy(np.float64)


def _sum(table: pd.DataFrame, name: str) -> float:
    return float(_column(table, name).sum())


def _some(values: pd.DataFrame) -> None:
    if values.empty:
        raise DataError("Nobody has a record in the period; choose one in which customers bought something.")
