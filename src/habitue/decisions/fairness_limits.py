"""Limits on how differently groups of customers may be treated.

What law protects (age, sex, origin) has no place in the gain of an offer. It may be needed to see that a plan
does not leave a group out, and that is all it is used for here: a limit holds shares together, it never says
who is worth an offer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.errors import SettingsError

__all__ = ["FairnessLimit", "Groups", "parity"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True)
class FairnessLimit:
    """How many of a group are to be treated, in shares of those of it who may be.

    Attributes
    ----------
    attribute : str
        Name of the groups, such as ``"age_band"``.
    group : str
        One of them.
    at_least, at_most : float, optional
        Share of the group that is treated, in [0, 1].
    ratio : float, optional
        The group's share is at least this much of that of `of`, in (0, 1]: .8 is the four-fifths rule.
    of : str, optional
        The group that `ratio` compares with; everybody where None.

    Notes
    -----
    The share of a group is the number of offers made to its members over the number of its members for whom
    some offer may be made. With one offer a customer this is the share that is treated.

    Examples
    --------
    >>> FairnessLimit("age_band", "over 65", ratio=0.8, of="under 65").told
    'share of age_band over 65 at least 0.8 of that of under 65'
    """

    attribute: str
    group: str
    at_least: float | None = None
    at_most: float | None = None
    ratio: float | None = None
    of: str | None = None

    @property
    def told(self) -> str:
        """The limit in words."""
        name = f"share of {self.attribute} {self.group}"
        parts = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        parts += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        if self.ratio is not None:
            parts.append(f"at least {self.ratio:g} of that of {self.of or 'everybody'}")
        return f"{name} {' and '.join(parts)}"

    def check(self) -> None:
        """Refuse what cannot be.

        Raises
        ------
        SettingsError
            Where no limit is given, or one is out of range.
        """
        if self.at_least is None and self.at_most is None and self.ratio is None:
            raise SettingsError(
                f"The fairness limit of {self.attribute} {self.group} limits nothing; give at_least, at_most "
                "or ratio."
            )
        for name in ("at_least", "at_most", "ratio"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise SettingsError(
                    f"{name} of {self.attribute} {self.group} must be a share between 0 and 1; got {value!r}."
                )


def parity(attribute: str, groups: Sequence[str], *, ratio: float = 0.8) -> tuple[FairnessLimit, ...]:
    """Hold the shares of all groups together: each at least a part of that of each other.

    Parameters
    ----------
    attribute : str
        Name of the groups.
    groups : sequence of str
        Which; those of whom nothing is known are best left out.
    ratio : float
        The part, in [0, 1]; .8 is the four-fifths rule.

    Returns
    -------
    tuple of FairnessLimit
        One for each ordered pair; more than six groups are each held to the share of everybody, since pairs
        would be too many to be read.

    References
    ----------
    Uniform Guidelines on Employee Selection Procedures (1978), 29 CFR 1607.4 D: the four-fifths rule.

    Examples
    --------
    >>> [limit.told for limit in parity("sex", ["f", "m"])][0]
    'share of sex f at least 0.8 of that of m'
    """
    if len(groups) > 6:
        return tuple(FairnessLimit(attribute, one, ratio=ratio) for one in groups)
    return tuple(
        FairnessLimit(attribute, one, ratio=ratio, of=other) for one, other in permutations(groups, 2)
    )


@dataclass(frozen=True)
class Groups:
    """Customers by the attributes that limits speak of: one code for each combination of levels.

    Attributes
    ----------
    code : ndarray of int, shape (n_customers,)
        Which combination; one for all where there are no attributes.
    levels : Mapping[str, tuple of str]
        Of each attribute, the level of each combination; empty text where it is not known.
    """

    code: IntArray
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, groups: Mapping[str, npt.ArrayLike] | pd.DataFrame | None, n: int) -> Groups:
        """Combine attributes.

        Parameters
        ----------
        groups : mapping of str to array_like of shape (n_customers,), or DataFrame, optional
            Levels by attribute; missing ones are of no group.
        n : int
            Customers.

        Raises
        ------
        SettingsError
            Where an attribute is not of these customers.
        """
        if groups is None or not len(groups.keys()):
            return cls(np.zeros(n, dtype=np.intp), {})
        table = {str(name): _texts(np.asarray(groups[name], dtype=object)) for name in groups}
        for name, texts in table.items():
            if len(texts) != n:
                raise SettingsError(
                    f"The group {name} must name one level a customer, {n}; got {len(texts)}."
                )
        frame = pd.DataFrame(table)
        code, distinct = pd.factorize(pd.MultiIndex.from_frame(frame), sort=True)
        levels = {
            name: tuple(str(row[place]) for row in distinct.tolist()) for place, name in enumerate(table)
        }
        return cls(np.asarray(code, dtype=np.intp), levels)

    @property
    def n_codes(self) -> int:
        """How many combinations there are."""
        return len(next(iter(self.levels.values()))) if self.levels else 1

    def members(self, attribute: str, group: str | None) -> npt.NDArray[np.bool_]:
        """Say which combinations belong to a group.

        Parameters
        ----------
        attribute : str
            Which attribute.
        group : str or None
            Which level; everybody where None.

        Raises
        ------
        SettingsError
            Where there is no such attribute or group.
        """
        if attribute not in self.levels:
            there = ", ".join(self.levels) or "none"
            raise SettingsError(
                f"A fairness limit speaks of {attribute!r}; the groups handed in are: {there}."
            )
        if group is None:
            return np.ones(self.n_codes, dtype=np.bool_)
        found = np.array([level == group for level in self.levels[attribute]], dtype=np.bool_)
        if not found.any():
            there = ", ".join(sorted({level for level in self.levels[attribute] if level}))
            raise SettingsError(
                f"There is no customer of {attribute} {group!r}; there are: {there or 'none'}."
            )
        return found

    def rows(self, limit: FairnessLimit, may_be: FloatArray) -> list[tuple[FloatArray, float, str]]:
        """Return a limit as rows: weight of a treated customer of each combination, bound, and words.

        Parameters
        ----------
        limit : FairnessLimit
            Which.
        may_be : ndarray of shape (n_codes,)
            Customers of each combination for whom some offer may be made.

        Returns
        -------
        list of (ndarray of shape (n_codes,), float, str)
            Weights times treated customers are at most the bound.
        """
        limit.check()
        own = self.members(limit.attribute, limit.group)
        size = float(may_be[own].sum())
        name = f"share of {limit.attribute} {limit.group}"
        weights = own.astype(np.float64)
        rows: list[tuple[FloatArray, float, str]] = []
        if limit.at_least is not None:
            rows.append((-weights, -limit.at_least * size, f"{name} at least {limit.at_least:g}"))
        if limit.at_most is not None:
            rows.append((weights, limit.at_most * size, f"{name} at most {limit.at_most:g}"))
        if limit.ratio is not None:
            other = self.members(limit.attribute, limit.of)
            others = float(may_be[other].sum())
            if size and others:  # nobody of a group may be treated: there is no share to hold to
                told = f"{name} at least {limit.ratio:g} of that of {limit.of or 'everybody'}"
                rows.append((limit.ratio * size / others * other - weights, 0.0, told))
        return rows


def _texts(values: npt.NDArray[np.object_]) -> list[str]:
    missing = np.asarray(pd.isna(values), dtype=np.bool_)
    return ["" if gone else str(value) for value, gone in zip(values.tolist(), missing.tolist(), strict=True)]
