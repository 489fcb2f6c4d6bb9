"""Which models answer a batch, for how many days ahead, and what each of them has to be told.

Models are pinned versions, loaded and verified. What they read may differ: one may speak of those who bought
and another of those who have contracts, and each carries the population that its features were built with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from habitue.errors import SettingsError
from habitue.features import FEATURES
from habitue.models.maximum_likelihood import check_setting
from habitue.vocabulary import one_or_many

if TYPE_CHECKING:
    from habitue.tracking import LoadedModel

__all__ = ["BESIDE", "Base", "Models", "base_of", "feature_set", "is_churn", "models_of"]

BESIDE: dict[str, tuple[str, ...]] = {
    "transactions": ("frequency", "inactivity", "spend_total"),
    "contracts": ("contract_tenure",),
}
"""Features that stand beside the answers, by the kind of record that tells who is a customer."""

_DEFINED = {one.name: [one.reads, one.relation.sql, one.sql, one.absent] for one in FEATURES}


class Base(NamedTuple):
    """What features are made of: the records that tell who is a customer, and what was learned with."""

    churn: str
    population: str
    horizon: int


@dataclass(frozen=True)
class Models:
    """The models of a batch.

    Attributes
    ----------
    loaded : tuple of LoadedModel
        One, or a churn model and a value model.
    horizon : int
        Days ahead that all of them answer for.
    discount_rate : float
        What a year takes off money: 0.10 for ten percent.
    """

    loaded: tuple[LoadedModel, ...]
    horizon: int
    discount_rate: float = 0.0

    @property
    def first(self) -> LoadedModel:
        """The model that columns name plainly, and whose reasons are told: that of churn, if any."""
        return next((one for one in self.loaded if is_churn(one)), self.loaded[0])

    @property
    def bases(self) -> tuple[Base, ...]:
        """What features are made of, each once."""
        return tuple(dict.fromkeys(base_of(one) for one in self.loaded))

    def place(self, one: LoadedModel) -> int:
        """Return which of the bases a model reads.

        Parameters
        ----------
        one : LoadedModel
            Of these.
        """
        return self.bases.index(base_of(one))

    def columns(self, base: Base) -> list[str]:
        """Return the features that are read of a base, and those that stand beside the answers.

        Parameters
        ----------
        base : Base
            Of these.
        """
        read = [name for one in self.loaded if base_of(one) == base for name in one.input_columns]
        return list(dict.fromkeys([*BESIDE[base.churn], *read]))

    @property
    def ranked_by(self) -> str:
        """The answer whose tenths are told: clv; churn_probability where there is none."""
        return "churn_probability" if all(map(is_churn, self.loaded)) else "clv"

    @property
    def explained(self) -> str:
        """The answer that reasons are about."""
        return "churn_probability" if is_churn(self.first) else "clv"

    @property
    def lineage(self) -> dict[str, Any]:
        """What stands in every row: the model behind churn plainly, a value model beside it with clv."""
        columns = _identity("", self.first)
        for other in self.loaded:
            if other is not self.first:
                columns |= _identity("clv_", other)
        return columns


def models_of(loaded: Sequence[LoadedModel], horizon: int | None, discount_rate: float = 0.0) -> Models:
    """Put models together that can answer together.

    Parameters
    ----------
    loaded : sequence of LoadedModel
        One or two.
    horizon : int or None
        Days ahead asked for; those that all of them learned where None.
    discount_rate : float
        What a year takes off money, 0 or above.

    Raises
    ------
    SettingsError
        Where two answer the same question, or learned different horizons and none is named, or one of them
        cannot answer for the horizon that is named, or none of them answers with money that is to be
        discounted.
    """
    check_setting("discount_rate", discount_rate, at_least=0)
    if discount_rate and all(map(is_churn, loaded)):
        names = ", ".join(one.version.label for one in loaded)
        raise SettingsError(f"{names} answers with no money that could be discounted; ask a value model too.")
    roles: set[bool] = set()
    for one in loaded:
        if is_churn(one) in roles:
            told = "churn_probability" if is_churn(one) else "clv"
            raise SettingsError(
                f"{one.version.label} answers what another model of this run answers ({told}); score them "
                "one at a time."
            )
        roles.add(is_churn(one))
    return Models(tuple(loaded), _one_horizon(loaded, horizon), float(discount_rate))


def is_churn(one: LoadedModel) -> bool:
    """Tell whether a model answers who is about to leave; else it answers what customers are worth.

    Parameters
    ----------
    one : LoadedModel
        A registered model.
    """
    return hasattr(one.answers, "classifier")


def base_of(one: LoadedModel) -> Base:
    """Return what a model's features are made of.

    Parameters
    ----------
    one : LoadedModel
        A registered model.
    """
    answers = one.answers
    return Base(getattr(answers, "churn", "transactions"), answers.population, int(answers.horizon))


def feature_set(one: LoadedModel) -> str:
    """Return a fingerprint of what a model reads: names of features, their SQL, and the population's facts.

    Parameters
    ----------
    one : LoadedModel
        A registered model.

    Returns
    -------
    str
        16 hexadecimal digits. Features of levels of an attribute have no SQL of their own: their names and
        the population say all.
    """
    read = [[name, _DEFINED.get(name)] for name in sorted(one.input_columns)]
    told = json.dumps([read, *base_of(one)], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _one_horizon(loaded: Sequence[LoadedModel], asked: int | None) -> int:
    """Return the days ahead that all models answer for: those asked for, or those that all learned."""
    for one in loaded:
        try:
            one.answers.check_horizon(asked)
        except SettingsError as error:
            raise SettingsError(f"{one.version.label}: {error}") from error
    if asked is not None:
        return asked
    horizons = {one.version.label: int(one.answers.horizon) for one in loaded}
    if len(set(horizons.values())) > 1:
        told = ", ".join(f"{label} {one_or_many(days, 'day')}" for label, days in horizons.items())
        raise SettingsError(
            f"These models look ahead by different horizons ({told}); score them one at a time, or name one "
            "horizon with --horizon if they can answer for it."
        )
    return next(iter(horizons.values()))


def _identity(prefix: str, one: LoadedModel) -> dict[str, Any]:
    version = one.version
    return {
        f"{prefix}model_name": version.name,
        f"{prefix}model_version": version.version,
        f"{prefix}run_id": version.run_id,
        f"{prefix}feature_set": feature_set(one),
    }
