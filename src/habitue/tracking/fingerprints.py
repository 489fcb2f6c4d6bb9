"""Fingerprints: of the rows a model saw, and of every file of a registered model.

What it is for: noticing that data or files are not what they were. MLflow's own digest of a data set looks at
the first 10,000 rows only; these look at everything.

What it deliberately is not: a signature. Who may write to both the registry and the files can change both;
what can't be changed that way is which code is run, see `habitue.tracking.verification`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pandas as pd
from pandas.util import hash_pandas_object

from habitue.files import sha256_of

__all__ = ["checksums", "content_hash"]

_hashes = cast("Callable[..., pd.Series]", hash_pandas_object)  # pandas leaves its type open


def content_hash(frame: pd.DataFrame) -> str:
    """Return a fingerprint of a table's whole content.

    Parameters
    ----------
    frame : DataFrame
        Any table with hashable values.

    Returns
    -------
    str
        64 hexadecimal digits. They change with any value, the index, a name, a type, or the order of rows
        or columns.

    Examples
    --------
    >>> table = pd.DataFrame({"spend": [12.5, 3.0]})
    >>> content_hash(table) == content_hash(table.copy())
    True
    >>> content_hash(table) == content_hash(table.iloc[::-1])
    False
    """
    digest = hashlib.sha256()
    digest.update(repr([(str(name), str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
    # Column by column: pandas' hash of a whole row does not tell which column a value stood in.
    digest.update(_hashes(frame.index, index=False).to_numpy().tobytes())
    for i in range(frame.shape[1]):
        digest.update(_hashes(frame.iloc[:, i], index=False).to_numpy().tobytes())
    return digest.hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder and its subfolders.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    dict of str to str
        Path relative to the folder, with forward slashes, to 64 hexadecimal digits; sorted by path.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}
