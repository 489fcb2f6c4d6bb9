"""Who gets what: drawn by a hash of the customer's id, so that anybody can draw it again and get the same.

No list has to be kept for a customer to stay in one arm: the same experiment and id give the same arm on any
machine, in any order, and new customers move nobody. Different experiments draw independently.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import DataError, SettingsError
from habitue.records.customer_ids import NO_VALUE

__all__ = ["CONTROL", "assign", "check_arms", "id_text", "uniform_of"]

CONTROL: Final = "control"
"""The arm of those who get nothing."""

_WHOLE: Final = re.compile(r"(-?(?:0|[1-9][0-9]{0,17}))(?:\.0+)?")
_BETWEEN: Final = "\x1f"
"""Between the parts of what is hashed: "a" + "bc" is another draw than "ab" + "c"."""
_BITS: Final = 53
_TOLERANCE: Final = 1e-9


def id_text(value: Any) -> str:
    """Return a customer id as it is hashed: 7, 7.0, "7" and " 7 " are one customer.

    Parameters
    ----------
    value : Any
        A whole number or a text.

    Returns
    -------
    str
        As `habitue.records` reads ids; a leading zero stays.

    Raises
    ------
    DataError
        Where there is no id.

    Examples
    --------
    >>> [id_text(one) for one in (7, 7.0, " 7 ", "7.00", "007", "c-1")]
    ['7', '7', '7', '7', '007', 'c-1']
    """
    text = str(value).strip(" \t\r\n\xa0")
    if not text or text.lower() in NO_VALUE:
        raise DataError(
            f"Every customer needs an id to be assigned; got {value!r}. Leave out rows without one."
        )
    whole = _WHOLE.fullmatch(text)
    return str(int(whole[1])) if whole else text


def uniform_of(texts: Iterable[str], *, experiment: str, salt: str = "") -> npt.NDArray[np.float64]:
    """Return a number for each text that looks drawn at random from [0, 1), and is always the same.

    Parameters
    ----------
    texts : iterable of str
        Such as ids, of `id_text`.
    experiment : str
        Its name: another one draws anew.
    salt : str
        What else makes the draw another one.

    Returns
    -------
    ndarray of shape (n,)
        The first 53 bits of BLAKE2b of experiment, salt and text.

    Examples
    --------
    >>> uniform_of(["7", "8"], experiment="spring").round(4)
    array([0.5442, 0.7006])
    """
    begun = hashlib.blake2b(f"{experiment}{_BETWEEN}{salt}{_BETWEEN}".encode(), digest_size=8)

    def drawn(text: str) -> int:
        own = begun.copy()
        own.update(text.encode("utf-8", "surrogatepass"))
        return int.from_bytes(own.digest(), "big") >> (64 - _BITS)

    return np.fromiter(map(drawn, texts), dtype=np.float64) * 2.0**-_BITS


def check_arms(arms: Mapping[str, float], *, control: str = CONTROL) -> dict[str, float]:
    """Return the arms and their shares, control first, or say what is wrong with them.

    Parameters
    ----------
    arms : Mapping[str, float]
        Share of customers by name of the arm.
    control : str
        Which of them gets nothing.

    Raises
    ------
    SettingsError
        No control or nothing beside it, a share that is not above 0, or a sum other than 1.

    Examples
    --------
    >>> check_arms({"voucher": 0.7, "control": 0.3})
    {'control': 0.3, 'voucher': 0.7}
    """
    if control not in arms:
        raise SettingsError(
            f"An experiment needs an arm {control!r} that gets nothing, to compare with; got "
            f"{', '.join(arms) or 'no arms'}. Add one, for example {control} = 0.1."
        )
    if len(arms) < 2:
        raise SettingsError(
            f"An experiment needs an arm beside {control!r}; name the offer and its share of customers."
        )
    wrong = {name: share for name, share in arms.items() if not 0.0 < share < 1.0}
    if wrong:
        told = ", ".join(f"{name} = {share!r}" for name, share in wrong.items())
        raise SettingsError(
            f"The share of every arm must lie between 0 and 1; got {told}. Leave out arms of 0."
        )
    if not math.isclose(math.fsum(arms.values()), 1.0, abs_tol=_TOLERANCE):
        raise SettingsError(
            f"The shares of all arms must sum to 1; they sum to {math.fsum(arms.values()):.6g}. "
            "Change one of them."
        )
    return {control: float(arms[control])} | {
        name: float(share) for name, share in sorted(arms.items()) if name != control
    }


def assign(
    customer_ids: Sequence[Any] | npt.NDArray[Any] | pd.Series | pd.Index,
    *,
    experiment: str,
    arms: Mapping[str, float],
    strata: npt.ArrayLike | None = None,
    salt: str = "",
    control: str = CONTROL,
) -> pd.DataFrame:
    """Draw an arm for each customer, in a way that can be drawn again.

    Parameters
    ----------
    customer_ids : sequence of shape (n,)
        Each customer once.
    experiment : str
        Its name: the same name draws the same arms, another one independent ones.
    arms : Mapping[str, float]
        Share of customers by name of the arm; one is the control, and all sum to 1.
    strata : array_like of shape (n,), optional
        Segment of each customer, for a fixed list: each arm then gets its share of every segment, to within
        one customer. Somebody who is added to the list later may move others. None draws each customer by
        itself.
    salt : str
        Draws another experiment of the same name.
    control : str
        The arm that gets nothing.

    Returns
    -------
    DataFrame
        customer_id as given, arm, and propensity: the chance of that arm. In the order given.

    Raises
    ------
    DataError
        Where a customer has no id, or comes twice.
    SettingsError
        Where arms are none (see `check_arms`), or the experiment has no name.

    Notes
    -----
    Without strata the arm is where the hash falls among the cumulated shares, arms in the order of their
    names: to add an arm or to change a share is another experiment. With strata the m customers of one are
    put in the order of their hashes, and the r-th falls at (r + u) / m, where u in [0, 1) is the stratum's
    own hash (systematic sampling): so each customer's chance is exactly the share, and the arm's size is m
    times the share, rounded down or up.

    Examples
    --------
    >>> drawn = assign(range(10_000), experiment="spring", arms={"control": 0.2, "voucher": 0.8})
    >>> drawn.head(2)
       customer_id      arm  propensity
    0            0  voucher         0.8
    1            1  voucher         0.8
    >>> int((drawn["arm"] == "control").sum())
    2035
    """
    shares = check_arms(arms, control=control)
    if not experiment:
        raise SettingsError(
            "An experiment needs a name, such as 'spring voucher 2024': arms are drawn by it."
        )
    ids = pd.Series(customer_ids).reset_index(drop=True)
    texts = [id_text(one) for one in ids.tolist()]
    if len(set(texts)) < len(texts):
        twice = texts[int(np.argmax(pd.Series(texts).duplicated().to_numpy()))]
        raise DataError(f"Every customer may come once; {twice!r} comes twice. Drop duplicates first.")
    at = uniform_of(texts, experiment=experiment, salt=salt)
    if strata is not None:
        at = _systematic(at, _labels(strata, len(texts)), experiment=experiment, salt=salt)
    names, sizes = np.array(list(shares), dtype=object), np.array(list(shares.values()))
    place = np.minimum(np.searchsorted(np.cumsum(sizes), at, side="right"), len(names) - 1)
    return pd.DataFrame({"customer_id": ids, "arm": names[place], "propensity": sizes[place]})


def _labels(strata: npt.ArrayLike, n: int) -> list[str]:
    """Return the segment of each customer as text."""
    labels = pd.Series(np.asarray(strata, dtype=object)).reset_index(drop=True)
    if len(labels) != n:
        raise DataError(f"strata must have one segment per customer; got {len(labels)} for {n} customers.")
    # Who has none is a segment, too.
    return labels.astype("string").fillna("").tolist()


def _systematic(
    at: npt.NDArray[np.float64], strata: list[str], *, experiment: str, salt: str
) -> npt.NDArray[np.float64]:
    """Spread the customers of each stratum evenly over [0, 1), in the order of their hashes."""
    code, names = pd.factorize(np.array(strata, dtype=object))
    offset = uniform_of(map(str, names), experiment=experiment, salt=f"{salt}{_BETWEEN}stratum")
    order = np.lexsort((at, code))
    sizes = np.bincount(code, minlength=len(names))
    rank = np.empty(len(at))
    rank[order] = np.arange(len(at)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return (rank + offset[code]) / sizes[code]
