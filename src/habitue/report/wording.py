"""How numbers are said: one way to write a count, a share, a sum of money and a date.

Every sentence and every cell of the report goes through these few functions, so that the same number never
appears in two spellings. This is deliberately not a translation layer: the report speaks English.
"""

from __future__ import annotations

import math
from datetime import date

__all__ = ["DASH", "band", "count", "day", "figure", "listing", "money", "percent", "score"]

DASH = "–"
"""What stands where there is no number."""

_NARROW = "\N{NO-BREAK SPACE}"
_MILLION = 1_000_000
_MANY_DIGITS = 100


def _absent(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def count(value: float | None) -> str:
    """Write a whole number with thousands separated.

    Parameters
    ----------
    value : float or None
        A count; None or not finite is written as a dash.

    Returns
    -------
    str

    Examples
    --------
    >>> count(20000), count(None)
    ('20,000', '–')
    """
    return DASH if value is None or _absent(value) else _minus(f"{value:,.0f}")


def percent(share: float | None, *, digits: int = 0) -> str:
    """Write a share of one as a percentage.

    Parameters
    ----------
    share : float or None
        Between 0 and 1 as a rule; None or not finite is written as a dash.
    digits : int
        Digits after the decimal point.

    Returns
    -------
    str

    Notes
    -----
    What is small but not nothing is never rounded to "0 %", nor what is nearly all to "100 %".

    Examples
    --------
    >>> [percent(share).replace(chr(160), " ") for share in (0.5, 0.001, 0.999, 0.0)]
    ['50 %', '< 1 %', '> 99 %', '0 %']
    """
    if share is None or _absent(share):
        return DASH
    value, half = 100.0 * share, 0.5 * 10.0**-digits
    step = 10.0**-digits
    if 0.0 < value < half:
        return f"<{_NARROW}{step:.{digits}f}{_NARROW}%"
    if 100.0 - half <= value < 100.0:
        return f">{_NARROW}{100.0 - step:.{digits}f}{_NARROW}%"
    return _minus(f"{value:.{digits}f}{_NARROW}%")


def money(value: float | None, currency: str) -> str:
    """Write a sum of money, short enough to be read aloud.

    Parameters
    ----------
    value : float or None
        The sum; None or not finite is written as a dash.
    currency : str
        A symbol is set right before the number, a code is set off by a space.

    Returns
    -------
    str

    Examples
    --------
    >>> money(1234.5, "$"), money(2_345_678.0, "£"), money(3.0, "€")
    ('$1,234', '£2.35 million', '€3.00')
    >>> money(-12.0, "USD").replace(chr(160), " ")
    '−USD 12.00'
    """
    if value is None or _absent(value):
        return DASH
    size = abs(value)
    if size >= _MILLION:
        words = f"{size / _MILLION:,.2f} million"
    else:
        words = f"{size:,.0f}" if size >= _MANY_DIGITS else f"{size:,.2f}"
    gap = _NARROW if currency[-1:].isalpha() else ""
    return f"{'−' if value < 0.0 else ''}{currency}{gap}{words}"


def figure(value: float | None) -> str:
    """Write a plain number with as many digits as its size deserves.

    Parameters
    ----------
    value : float or None
        Any number; None or not finite is written as a dash.

    Returns
    -------
    str

    Examples
    --------
    >>> figure(1234.5), figure(12.345), figure(0.012), figure(3.0)
    ('1,234', '12.3', '0.012', '3')
    """
    if value is None or _absent(value):
        return DASH
    if value == round(value) or abs(value) >= _MANY_DIGITS:
        return _minus(f"{value:,.0f}")
    return _minus(f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.3g}")


def score(value: float | None) -> str:
    """Write the score of a model so that two of them can be compared digit by digit.

    Parameters
    ----------
    value : float or None
        The score; None or not finite is written as a dash.

    Returns
    -------
    str

    Examples
    --------
    >>> score(0.78123), score(12.3456), score(-1234.5)
    ('0.781', '12.35', '−1,234')
    """
    if value is None or _absent(value):
        return DASH
    if abs(value) >= _MANY_DIGITS:
        return _minus(f"{value:,.0f}")
    return _minus(f"{value:,.2f}" if abs(value) >= 1.5 else f"{value:.3f}")


def day(value: date | None) -> str:
    """Write a date with the month in letters, so that nobody reads it the other way round.

    Parameters
    ----------
    value : datetime.date or None
        The day; None is written as a dash.

    Returns
    -------
    str

    Examples
    --------
    >>> day(date(2026, 6, 30))
    '30 June 2026'
    """
    return DASH if value is None else f"{value.day} {value:%B} {value.year}"


def band(lower: float | None, upper: float | None) -> str:
    """Write the band between two numbers; a missing end is said in words.

    Parameters
    ----------
    lower, upper : float or None
        The ends; None is an open end.

    Returns
    -------
    str

    Examples
    --------
    >>> band(None, 5), band(5, 10), band(500, None), band(None, None)
    ('under 5', '5–10', '500 and more', 'all')
    """
    if lower is None:
        return "all" if upper is None else f"under {figure(upper)}"
    return f"{figure(lower)} and more" if upper is None else f"{figure(lower)}–{figure(upper)}"


def listing(words: list[str]) -> str:
    """Join words as a sentence does.

    Parameters
    ----------
    words : list of str
        What is listed.

    Returns
    -------
    str

    Examples
    --------
    >>> listing(["a"]), listing(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _minus(text: str) -> str:
    """Set a real minus sign; "-0" is nought."""
    bare = text.lstrip("-")
    if bare == text or not bare.strip("0.,% \N{NO-BREAK SPACE}"):
        return bare
    return f"−{bare}"
