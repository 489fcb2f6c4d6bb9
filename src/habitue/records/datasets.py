"""Real logs to try things on.

CDNOW is read from the files that the installed ``lifetimes`` distribution carries; the package itself is
never imported here (its loader does not work with current tools).
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from habitue.errors import DataError
from habitue.records.customer_log import CustomerLog
from habitue.records.door import Reading
from habitue.records.engine import DuckDBEngine
from habitue.records.sources import open_source

__all__ = ["cdnow"]


def cdnow(*, sample: bool = False) -> CustomerLog:
    """Return the CDNOW log: everybody who first bought at an online music shop in early 1997.

    Parameters
    ----------
    sample : bool
        The 1/10 sample of 2,357 customers that most papers use, instead of all 23,570.

    Returns
    -------
    CustomerLog
        69,659 transactions (6,919 in the sample) from 1997-01-01 to 1998-06-30.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2001). Forecasting repeat sales at CDNOW: a case study.
       Interfaces 31(3), S94-S107.

    Examples
    --------
    >>> cdnow(sample=True)
    CustomerLog of 2,357 customers, 1997-01-01 to 1998-06-30
      transactions: 6,919 records
    """
    name, columns = (
        ("CDNOW_sample.txt", ["master_id", "customer_id", "timestamp", "quantity", "amount"])
        if sample
        else ("CDNOW_master.txt", ["customer_id", "timestamp", "quantity", "amount"])
    )
    frame = pd.read_csv(
        _data_file(name), sep=r"\s+", names=columns, header=None if sample else 0, dtype={"timestamp": "str"}
    )
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], format="%Y%m%d")
    engine = DuckDBEngine()
    relation = replace(open_source(engine, frame), described="CDNOW, 1/10 sample" if sample else "CDNOW")
    return CustomerLog.from_relations(engine, [("transactions", relation, {}, Reading())])


def _data_file(name: str) -> Path:
    spec = find_spec("lifetimes")
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0]) / "datasets" / name if folders else Path(name)
    if not path.is_file():
        raise DataError(f"{name} was not found: it comes with the package lifetimes (pip install lifetimes).")
    return path
