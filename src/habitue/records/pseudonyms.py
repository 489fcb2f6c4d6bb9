"""Pseudonyms in place of customer ids, and personal columns left out, before data go anywhere.

A pseudonym is a keyed BLAKE2b hash (RFC 7693) of the id as the door reads it: with one key the same customer
has the same pseudonym in every file, so that tables still join, and without the key ids cannot be guessed by
trying them all. A source of any size is copied in chunks, in bounded memory.

It deliberately is no anonymiser: days and amounts can tell who somebody is without a name.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.records.customer_ids import NO_VALUE
from habitue.records.engine import DuckDBEngine, literal, quoted
from habitue.records.sources import Relation

__all__ = ["Pseudonymised", "as_customer_id", "check_key", "copy_pseudonymised", "pseudonym"]

_DIGEST_BYTES = 16
_SHORTEST_KEY, _LONGEST_KEY = 16, 64  # BLAKE2b itself takes no more than 64
_CHUNK = 50_000
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.0+)?")
_SPACE = " \t\r\n\u00a0"


def as_customer_id(value: object) -> str | None:
    """Write one id as the door does, whatever the source made of it; None where there is none.

    Parameters
    ----------
    value : object
        Text or a number; None is no id.

    Examples
    --------
    >>> [as_customer_id(one) for one in (1, "1.0", " 1 ", "00123", "NaN")]
    ['1', '1', '1', '00123', None]
    """
    text = str(value).strip(_SPACE)
    if value is None or not text or text.lower() in NO_VALUE:
        return None
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def check_key(key: bytes) -> None:
    """Refuse a key that is too short to keep ids from being guessed, or longer than BLAKE2b takes.

    Parameters
    ----------
    key : bytes
        The secret; it is never part of a message.

    Raises
    ------
    SettingsError
        Where it has fewer than 16 or more than 64 bytes.
    """
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise SettingsError(
            f"The key for pseudonyms must have {_SHORTEST_KEY} to {_LONGEST_KEY} bytes; it has {len(key)}. "
            'Make one with: python -c "import secrets; print(secrets.token_hex(32))" > habitue.key'
        )


def pseudonym(key: bytes, customer_id: str | int) -> str:
    """Return the pseudonym of a customer: 32 hexadecimal digits.

    Parameters
    ----------
    key : bytes
        The secret, 16 to 64 bytes.
    customer_id : str or int
        The id; ``1``, ``"1.0"`` and ``" 1"`` are one customer, ``"01"`` is another.

    Raises
    ------
    SettingsError
        Where the key is too short or too long.
    DataError
        Where the id is empty, or one of the words that programs write for no value.

    References
    ----------
    RFC 7693, The BLAKE2 Cryptographic Hash and Message Authentication Code, section 2.9 (keyed hashing).

    Examples
    --------
    >>> key = b"an example only: make your own"
    >>> pseudonym(key, 42)
    'ae33d3f4571e70e20c90a1f85f0624de'
    >>> pseudonym(key, 42) == pseudonym(key, " 42.0")
    True
    """
    check_key(key)
    told = as_customer_id(customer_id)
    if told is None:
        raise DataError(f"{customer_id!r} is no customer id, but how programs write that there is none.")
    return _hashed(key, told)


def _hashed(key: bytes, told: str) -> str:
    # Lone surrogates are no text that UTF-8 can write; they come from damaged files and must not stop it.
    text = told.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES, key=key).hexdigest()


@dataclass(frozen=True)
class Pseudonymised:
    """What was copied, and what was not.

    Attributes
    ----------
    source : str
        The source, as messages name it.
    n_rows : int
        Rows written.
    replaced : Mapping[str, int]
        Id column to number of ids replaced.
    missing : Mapping[str, int]
        Id column to number of rows without an id there; they stay empty.
    dropped, kept : tuple of str
        Columns left out, and columns copied as they are.
    left_out : Mapping[str, int]
        Lines of a CSV file that are no rows and so could not be copied: reason to number.
    """

    source: str
    n_rows: int
    replaced: Mapping[str, int]
    missing: Mapping[str, int]
    dropped: tuple[str, ...]
    kept: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])


def copy_pseudonymised(
    engine: DuckDBEngine,
    relation: Relation,
    target: Path,
    *,
    key: bytes,
    ids: Sequence[str],
    drop: Sequence[str] = (),
    file_format: Literal["csv", "parquet"] = "parquet",
) -> Pseudonymised:
    """Copy a source to a file with pseudonyms for ids and without personal columns, in bounded memory.

    Rows keep their order and the other columns their values. A CSV file keeps its delimiter, is written as
    UTF-8, and its values stay the text that they were.

    Parameters
    ----------
    engine : DuckDBEngine
        Where the source can be read; its memory limit bounds the copy.
    relation : Relation
        Of `habitue.records.sources.open_source`.
    target : Path
        What is written; the caller gives it its name when it is whole.
    key : bytes
        The secret, 16 to 64 bytes.
    ids : sequence of str
        Columns that hold customer ids.
    drop : sequence of str
        Columns to leave out. They are not even read.
    file_format : {"csv", "parquet"}
        What to write.

    Returns
    -------
    Pseudonymised

    Raises
    ------
    SchemaError
        Where the source lacks a column.
    SettingsError
        Where the key is too short, no id column is named, or one is to be dropped.
    DataError
        Where the source is damaged, or a column has a type that a CSV file cannot hold.
    """
    check_key(key)
    names = list(relation.types(engine))
    _check_columns(relation.described, names, ids, drop)
    kept = [name for name in names if name not in drop]
    with tempfile.TemporaryDirectory(prefix="habitue-") as folder:
        # DuckDB, which reads every source and spills, hands over through a file; pyarrow takes it by chunks.
        handed_over = Path(folder) / "rows.parquet"
        left_out = _hand_over(engine, relation, kept, ids, handed_over)
        delimiter = relation.csv.dialect.delimiter if relation.csv is not None else ","
        try:
            replaced, missing, n_rows = _copy(handed_over, target, key, ids, file_format, delimiter)
        except pa.ArrowException as error:
            raise DataError(
                f"{relation.described} could not be written as {file_format}: {str(error).splitlines()[0]}."
            ) from error
    return Pseudonymised(
        source=relation.described,
        n_rows=n_rows,
        replaced=replaced,
        missing=missing,
        dropped=tuple(name for name in names if name in drop),
        kept=tuple(name for name in kept if name not in ids),
        left_out=left_out,
    )


def _check_columns(described: str, names: Sequence[str], ids: Sequence[str], drop: Sequence[str]) -> None:
    both = sorted(set(ids) & set(drop))
    if not ids or both:
        told = f"{', '.join(both)} cannot be both" if both else "none is named"
        raise SettingsError(f"Say which columns hold customer ids and which to drop; {told}.")
    missing = [name for name in [*ids, *drop] if name not in names]
    if missing:
        raise SchemaError(
            f"{described}: missing {', '.join(missing)}. The columns there are: {', '.join(names)}."
        )


def _hand_over(
    engine: DuckDBEngine, relation: Relation, names: Sequence[str], ids: Sequence[str], to: Path
) -> dict[str, int]:
    """Write the wanted columns as Parquet, ids as text; count the lines that are no rows, by reason."""
    selected = ", ".join(
        f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" if name in ids else quoted(name)
        for name in names
    )
    origin, unreadable = relation.sql, Counter[str]()
    try:
        if relation.csv is not None:
            # A CSV file is read by the door's own reader, so that a broken line costs that line only.
            unreadable.update(line.reason for line in relation.copy_rows(engine, names))
            origin = "raw_rows"
        engine.execute(f"COPY (SELECT {selected} FROM {origin}) TO {literal(str(to))} (FORMAT parquet)")
    except duckdb.Error as error:
        raise DataError(f"{relation.described} could not be read: {str(error).splitlines()[0]}") from error
    finally:
        engine.execute("DROP TABLE IF EXISTS raw_rows")
    return dict(unreadable)


def _copy(
    source: Path,
    target: Path,
    key: bytes,
    ids: Sequence[str],
    file_format: Literal["csv", "parquet"],
    delimiter: str,
) -> tuple[dict[str, int], dict[str, int], int]:
    """Copy chunk by chunk with the ids replaced; count ids replaced and missing by column, and rows."""
    replaced, missing, n_rows = dict.fromkeys(ids, 0), dict.fromkeys(ids, 0), 0
    # Without pre-buffering: it keeps all that was read until the end.
    with pq.ParquetFile(source, pre_buffer=False) as table:
        schema = table.schema_arrow
        places = {name: schema.get_field_index(name) for name in ids}
        for name, place in places.items():
            schema = schema.set(place, pa.field(name, pa.string()))
        with _writer(target, schema, file_format, delimiter) as out:
            for batch in table.iter_batches(batch_size=_CHUNK):
                columns = batch.columns
                for name, place in places.items():
                    columns[place] = _pseudonyms(key, columns[place])
                    missing[name] += columns[place].null_count
                    replaced[name] += batch.num_rows - columns[place].null_count
                out.write_batch(pa.record_batch(columns, schema=schema))
                n_rows += batch.num_rows
    return replaced, missing, n_rows


def _writer(
    target: Path, schema: pa.Schema, file_format: Literal["csv", "parquet"], delimiter: str
) -> pa_csv.CSVWriter | pq.ParquetWriter:
    if file_format == "csv":
        return pa_csv.CSVWriter(target, schema, write_options=pa_csv.WriteOptions(delimiter=delimiter))
    return pq.ParquetWriter(target, schema)


def _pseudonyms(key: bytes, ids: pa.Array) -> pa.Array:
    """Return the pseudonym of each id, null where there is none; each distinct id is hashed once."""
    encoded = ids.dictionary_encode()
    told = [as_customer_id(one) for one in encoded.dictionary.to_pylist()]
    hashed = pa.array([None if one is None else _hashed(key, one) for one in told], pa.string())
    return hashed.take(encoded.indices)
