"""What leaves the program: whole files, cells that no spreadsheet runs, addresses without secrets.

What goes wrong with a file is told as the machine tells it, by an OSError: who writes it knows what it was
for, and makes a sentence of that.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DISK_FULL",
    "FORMULA",
    "HARMLESS",
    "has_password",
    "is_running",
    "make_writable",
    "plain_cell",
    "plain_cells",
    "safe_cell",
    "safe_cells",
    "sha256_of",
    "without_password",
    "write_whole",
]

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What an OSError's errno says where there is no room left to write."""

FORMULA = r"'*[=+\-@\t\r\n＝＋－＠]"
"""With what a cell begins that a spreadsheet takes for a formula: signs, white space that it skips, and wide
signs of East Asian keyboards. Where apostrophes stand before it, it is none; these get one more, so that
`plain_cell` can undo it. The regular expression means the same in Python and in DuckDB."""

HARMLESS = r"[-+]?(\d+([.,]\d+)*([eE][-+]?\d+)?%?)?"
"""What begins with a sign and is no more than a number, or the sign alone."""

_FORMULA = re.compile(FORMULA)
_HARMLESS = re.compile(HARMLESS)
# A web address may hold a : and an @ after its host; the password of a database may hold anything.
_CREDENTIALS = (
    re.compile(r"(?P<before>\bhttps?://[^\s/@:?#]*):[^\s/?#]*@"),
    re.compile(r"(?P<before>\b(?!https?:)\w[\w+.-]*://[^\s/@:?#]*):\S*@"),
)
_SECRET_SETTING = re.compile(
    r"(?P<key>\b(?:password|passwd|pwd|sslpassword|token|access_token|api_key|secret)\s*=\s*)"
    r"(?P<value>'[^']*'|[^\s&;'\"]+)",
    re.IGNORECASE,
)


def make_writable(folder: Path) -> Path:
    """Make a folder if need be and make sure that files can be written there.

    Parameters
    ----------
    folder : Path
        Where files are to go.

    Raises
    ------
    OSError
        Where it cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file under another name and give it its own when it is whole.

    A reader sees the old file or the new one, and an interrupted run leaves the old one.

    Parameters
    ----------
    path : Path
        Where it belongs; its folder exists.
    write : callable
        Gets the temporary path and writes there.

    Raises
    ------
    OSError
        Where it cannot be written, or a folder has that name.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        # On disk before it takes its name: a machine that stops leaves no empty file under it.
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def sha256_of(path: Path) -> str:
    """Return the checksum of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        Its SHA-256 in 64 hexadecimal digits.

    Raises
    ------
    OSError
        Where it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_running(pid: int) -> bool:
    """Tell whether a process is still there, such as the one that writes a file.

    Parameters
    ----------
    pid : int
        Its number.

    Examples
    --------
    >>> is_running(os.getpid()), is_running(10**30)
    (True, False)
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def safe_cell(text: str) -> str:
    r"""Return a text that a spreadsheet shows and does not run.

    Parameters
    ----------
    text : str
        A cell of a CSV file, such as the id of a customer.

    Returns
    -------
    str
        With an apostrophe in front where it begins like a formula; numbers stay as they are.

    References
    ----------
    OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection

    Examples
    --------
    >>> safe_cell('=1+1')
    "'=1+1"
    >>> [safe_cell(text) for text in ("-12.5", "c-17", "-", "")]
    ['-12.5', 'c-17', '-', '']
    """
    return f"'{text}" if _FORMULA.match(text) and not _HARMLESS.fullmatch(text) else text


def plain_cell(text: str) -> str:
    """Return what a text was before `safe_cell`, for who reads our own CSV files back.

    Parameters
    ----------
    text : str
        A cell of a CSV file that was written with `safe_cell`.

    Examples
    --------
    >>> [plain_cell(safe_cell(text)) for text in ("=1+1", "'=1+1", "'s Gravenhage", "-5")]
    ['=1+1', "'=1+1", "'s Gravenhage", '-5']
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def safe_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts a spreadsheet shows and does not run; for CSV files only.

    Parameters
    ----------
    frame : DataFrame
        Any table; texts are those of its columns, of its categories and of their names.

    Returns
    -------
    DataFrame
        The same where nothing begins like a formula.
    """
    return _with_texts(frame, safe_cell)


def plain_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it was before `safe_cells`, for who reads our own CSV files back.

    Parameters
    ----------
    frame : DataFrame
        What a CSV file holds that was written with `safe_cells`.

    Returns
    -------
    DataFrame
        With the texts that were written.
    """
    return _with_texts(frame, plain_cell)


def _with_texts(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a table with its texts changed, categories and names of columns too."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    made = frame.copy(deep=False)
    for n, dtype in enumerate(frame.dtypes):
        column = frame.iloc[:, n]
        if dtype.name in {"object", "category"}:
            made.isetitem(n, column.map(changed))
        elif dtype.name in {"str", "string"}:
            # Few texts or none begin like a formula: only these are looked at one by one.
            marked = column.str.match(FORMULA).fillna(False).to_numpy(bool)
            if marked.any():
                column = column.copy()
                column[marked] = column[marked].map(changed).to_numpy()
                made.isetitem(n, column)
    return made.set_axis([changed(name) for name in frame.columns], axis=1)


def has_password(address: str) -> bool:
    """Say whether an address carries a password, in front of the ``@`` or among its settings.

    Parameters
    ----------
    address : str
        Such as ``postgresql://user@host/database``.

    Examples
    --------
    >>> has_password("postgresql://ann:s3cret@host/db"), has_password("postgresql://ann@host/db")
    (True, False)
    """
    return without_password(address) != address


def without_password(text: str) -> str:
    """Return a text with the passwords of the addresses in it blotted out.

    Parameters
    ----------
    text : str
        An address, or a message that may repeat one.

    Returns
    -------
    str
        The same where there is none.

    Examples
    --------
    >>> without_password("can't reach postgresql://ann:s3cret@host/db?sslpassword=key")
    "can't reach postgresql://ann:***@host/db?sslpassword=***"
    >>> without_password("http://127.0.0.1:5000 does not answer")
    'http://127.0.0.1:5000 does not answer'
    """
    for credentials in _CREDENTIALS:
        text = credentials.sub(r"\g<before>:***@", text)
    return _SECRET_SETTING.sub(r"\g<key>***", text)
