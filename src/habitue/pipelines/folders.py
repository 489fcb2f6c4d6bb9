"""A folder of tables, taken apart: whose records each file holds, by its name and then by its columns.

Nothing is hidden: what is not taken is told with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from habitue.errors import DataError, SchemaError
from habitue.pipelines.columns import one_spelling
from habitue.pipelines.propose import look_at
from habitue.records import SCHEMAS

__all__ = ["TakenApart", "holds_tables", "kind_of_name", "take_apart"]

_CSV = re.compile(r"\.(csv|tsv|txt)(\.(gz|bz2|xz))?$", re.IGNORECASE)
_PARQUET = re.compile(r"\.(parquet|pq)$", re.IGNORECASE)

_WORDS: Mapping[str, str] = {
    "transactions": "transaction order sale purchase invoice receipt payment basket bestellung bestellungen "
    "auftrag auftrage auftraege rechnung rechnungen umsatz umsatze umsaetze kauf kaufe commande achat "
    "facture vente pedido compra venta factura",
    "contracts": "contract subscription membership policy policies abo abonnement vertrag vertrage vertraege "
    "contrat contrato suscripcion suscripciones",
    "events": "event usage click clickstream session visit activity activities view pageview nutzung "
    "ereignis ereignisse",
    "feedback": "feedback survey review rating nps csat bewertung bewertungen umfrage umfragen avis encuesta",
    "tickets": "ticket case complaint incident support anfrage anfragen beschwerde beschwerden reclamation",
    "rewards": "reward point loyalty bonus punkte punto",
    "contacts": "contact campaign mailing newsletter email kampagne kampagnen campagne campana",
    "customers": "customer account client user member subscriber kunde kunden cliente profile",
}
_KIND_OF_WORD = {word: kind for kind, words in _WORDS.items() for word in words.split()}


@dataclass(frozen=True)
class TakenApart:
    """What was found in a folder.

    Attributes
    ----------
    sources : Mapping[str, str]
        Path by kind of record.
    left : Mapping[str, str]
        Name of a file that was not taken, and why.
    """

    sources: Mapping[str, str]
    left: Mapping[str, str]


def kind_of_name(name: str) -> str | None:
    """Return the kind of record that a file's name speaks of: the last word that speaks of one decides.

    Parameters
    ----------
    name : str
        A file's name.

    Examples
    --------
    >>> [kind_of_name(name) for name in ("support_tickets.csv.gz", "CustomerOrders2024.parquet", "notes.csv")]
    ['tickets', 'transactions', None]
    """
    stem = _PARQUET.sub("", _CSV.sub("", name))
    words = re.split(r"_|\d+", one_spelling(stem))
    found = (_KIND_OF_WORD.get(word) or _KIND_OF_WORD.get(word.removesuffix("s")) for word in reversed(words))
    return next((kind for kind in found if kind is not None), None)


def holds_tables(folder: Path) -> bool:
    """Tell whether a folder holds tables of several kinds, and not the parts of a single one.

    Parameters
    ----------
    folder : Path
        A path; what is no folder holds none.
    """
    files = _tables(folder) if folder.is_dir() else []
    kinds = {kind for path in files if (kind := kind_of_name(path.name)) is not None}
    return any(_CSV.search(path.name) for path in files) or len(kinds) > 1


def take_apart(folder: Path, given: Mapping[str, Mapping[str, str]]) -> TakenApart:
    """Find the file of each kind of record in a folder.

    Parameters
    ----------
    folder : Path
        Of CSV and Parquet files, and of folders of Parquet files.
    given : Mapping[str, Mapping[str, str]]
        Settings that the user named already, by kind of record.

    Raises
    ------
    SchemaError
        Where there are neither transactions nor contracts; says why each file was left.
    """
    sources: dict[str, str] = {}
    left: dict[str, str] = {}
    # The plainest name first: orders.csv before orders_2023.csv.
    for path in sorted(_tables(folder), key=lambda one: (len(one.name), one.name)):
        kind = kind_of_name(path.name)
        if kind is None:
            left[path.name] = "its name says no kind of record"
        elif kind in sources:
            left[path.name] = f"{kind} are taken from {Path(sources[kind]).name}"
        else:
            reason = _misfit(kind, path, given.get(kind, {}))
            if reason is None:
                sources[kind] = str(path)
            else:
                left[path.name] = reason
    if not {"transactions", "contracts"} & sources.keys():
        told = "; ".join(f"{name} ({why})" for name, why in left.items()) or "no file that can be read"
        raise SchemaError(
            f"In {folder} no transactions and no contracts were found: {told}. Name them, for example: "
            "habitue init orders.csv --tickets tickets.csv"
        )
    return TakenApart({kind: sources[kind] for kind in SCHEMAS if kind in sources}, left)


def _tables(folder: Path) -> list[Path]:
    """List what may be a table: files by their ending, folders by the Parquet files in them."""
    return [
        path
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".")
        and (
            (path.is_file() and (_is_csv(path) or _PARQUET.search(path.name)))
            or (path.is_dir() and "=" not in path.name and any(path.rglob("*.parquet")))
        )
    ]


def _is_csv(path: Path) -> bool:
    """Tell a table from a text: what ends in .txt counts only where its name speaks of records."""
    found = _CSV.search(path.name)
    return found is not None and (found[1].lower() != "txt" or kind_of_name(path.name) is not None)


def _misfit(kind: str, path: Path, given: Mapping[str, str]) -> str | None:
    """Say why a file cannot hold a kind of record; None where it can."""
    try:
        look_at(kind, str(path), given)
    except DataError as error:
        return str(error).removeprefix(f"{path}: ").partition(". The columns there are")[0]
    return None
