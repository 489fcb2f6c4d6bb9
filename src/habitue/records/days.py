"""Days, as users write them."""

from __future__ import annotations

from datetime import date, datetime

from habitue.errors import SettingsError

__all__ = ["as_day"]


def as_day(value: date | str, name: str) -> date:
    """Return a calendar day from a date, a timestamp or ISO text.

    Parameters
    ----------
    value : date, datetime, pandas.Timestamp or str
        For example ``"1997-09-30"``.
    name : str
        What it is, for the message.

    Raises
    ------
    SettingsError
        Where it is no day.

    Examples
    --------
    >>> as_day("1997-09-30", "cutoff")
    datetime.date(1997, 9, 30)
    """
    try:
        if isinstance(value, datetime):
            # "Not a time" of pandas is a datetime whose day is none either.
            if isinstance(day := value.date(), datetime):
                raise SettingsError(f"{name} must be a day such as '1997-09-30'; got {value!r}.")
            return day
        if isinstance(value, date):
            return value
        return datetime.fromisoformat(str(value)).date()
    except ValueError as error:
        raise SettingsError(f"{name} must be a day such as '1997-09-30'; got {value!r}.") from error
