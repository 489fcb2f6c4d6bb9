"""Lists of customers and of who was assigned to what, as files.

A list of assignments has the canonical columns of contacts, so that it can be handed in as records, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from habitue.errors import SchemaError, SettingsError
from habitue.experiments.assignment import CONTROL
from habitue.files import plain_cells, safe_cells
from habitue.pipelines.files import write_beside
from habitue.pipelines.measuring.assignments import STRATUM

__all__ = ["read_customers", "read_lists", "write_assignments"]


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


def read_lists(paths: Sequence[Path]) -> pd.DataFrame:
    """Read lists of who was assigned to what, one below the other.

    Parameters
    ----------
    paths : sequence of Path
        CSV or Parquet with the columns of contacts.

    Raises
    ------
    SettingsError, SchemaError
        A file or its column customer_id is missing.
    """
    if not paths:
        raise SettingsError("Give at least one list of assignments.")
    return pd.concat([read_customers(path) for path in paths], ignore_index=True)


def write_assignments(
    assigned: pd.DataFrame,
    path: Path,
    *,
    experiment: str,
    day: date,
    channel: str | None,
    offers: dict[str, str],
    strata: Sequence[Any] | None = None,
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
    strata : sequence, optional
        Segment of each customer within which arms were drawn: written, too, so that it can be read out so.

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
    if strata is not None:
        table[STRATUM] = pd.Series(list(strata), assigned.index, dtype="string")
    if path.suffix.lower() == ".parquet":
        return write_beside(path, lambda to: table.to_parquet(to, index=False))
    return write_beside(path, lambda to: safe_cells(table).to_csv(to, index=False, lineterminator="\n"))
