"""`offers.toml`: the offers there are, what they are assumed to do, and the limits of a decision.

What an offer is, is told by `habitue.decisions.Offer`; here stands how it is written down. A key that is not
known is answered with the nearest one that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from habitue.decisions.beliefs import Amount, Share
from habitue.decisions.conditions import read_condition
from habitue.decisions.offers import Fatigue, Offer, OfferKind, check_offers
from habitue.errors import SettingsError
from habitue.pipelines.contact_rules import OPT_OUTS, ContactRules
from habitue.pipelines.settings import Strict, read_toml

__all__ = ["DecideSettings", "FairnessSettings", "Offers", "built_in_offers", "read_offers", "rules_beside"]

_SENTENCE = "sentence"
"""Type of an error whose message is said as it is."""


def _how_sure(given: Any) -> Any:
    """Refuse a share that nobody says the certainty of."""
    if isinstance(given, int | float) and not isinstance(given, bool) and given not in (0, 1):
        raise PydanticCustomError(
            _SENTENCE,
            "say how sure it is: { share = 0.3, worth = 20 } if it is as good as seen on 20 customers",
        )
    return {"share": given} if isinstance(given, int | float) and not isinstance(given, bool) else given


class ShareSettings(Strict):
    """A share: with what it is worth, or as a Beta distribution; 0 and 1 may stand alone."""

    share: float | None = Field(default=None, ge=0, le=1)
    worth: float | None = Field(default=None, gt=0)
    """As if seen on so many customers."""
    alpha: float | None = Field(default=None, gt=0)
    beta: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> ShareSettings:
        beta = self.alpha is not None and self.beta is not None
        worth = self.share is not None and (self.worth is not None or self.share in (0.0, 1.0))
        if (worth and self.alpha is None and self.beta is None) or (
            beta and self.share is None and self.worth is None
        ):
            return self
        raise PydanticCustomError(
            _SENTENCE, "expected { share = 0.3, worth = 20 } or { alpha = 6, beta = 14 }"
        )

    def made(self) -> Share:
        """Return what is believed of the share."""
        if self.alpha is not None and self.beta is not None:
            return Share.beta(self.alpha, self.beta)
        return Share(self.share or 0.0) if self.worth is None else Share(self.share or 0.0, self.worth)


_Share = Annotated[ShareSettings, BeforeValidator(_how_sure)]


class AmountSettings(Strict):
    """An effect in money of margin, and how far it may be off."""

    mean: float = Field(allow_inf_nan=False)
    sd: float = Field(gt=0, allow_inf_nan=False)


class FatigueSettings(Strict):
    """How often a customer may be contacted."""

    at_most: int = Field(ge=1)
    days: int = Field(ge=1)
    over: Literal["all", "channel", "offer"] = "all"

    def made(self) -> Fatigue:
        """Return the limit."""
        return Fatigue(self.at_most, self.days, self.over)


class FairnessSettings(Strict):
    """A limit on how treatment may differ between groups; the attribute decides on no single customer."""

    attribute: str
    """Column of the customers' attributes."""
    at_least_ratio: float | None = Field(default=None, gt=0, le=1)
    """The share treated of every group is at least so much of that of the group treated most."""
    at_least_share: float | None = Field(default=None, ge=0, le=1)
    """At least this share of every group is treated."""

    @model_validator(mode="after")
    def _says_something(self) -> FairnessSettings:
        if self.at_least_ratio is None and self.at_least_share is None:
            raise PydanticCustomError(_SENTENCE, "a fairness limit needs at_least_ratio or at_least_share")
        return self


class OfferSettings(Strict):
    """One table ``[[offers]]``."""

    name: str
    kind: OfferKind
    channel: str = ""
    cost: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    cost_if_accepted: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    margin_effect: float | None = Field(default=None, gt=-10, allow_inf_nan=False)
    discount: float | None = Field(default=None, ge=0, le=1)
    """Of the price; another way to say margin_effect."""
    acceptance: _Share
    acceptance_if_staying: _Share | None = None
    saves: _Share | None = None
    uplift: AmountSettings | None = None
    eligible: str = ""
    excluded: str = ""
    declared_for: dict[str, str] = Field(default_factory=dict)
    capacity: int | None = Field(default=None, ge=0)
    fatigue: list[FatigueSettings] = Field(default_factory=list)
    needs_consent: bool = False
    starts: date | None = None
    ends: date | None = None
    said: str = ""

    def made(self, decide: DecideSettings) -> Offer:
        """Return the offer.

        Parameters
        ----------
        decide : DecideSettings
            The table ``[decide]``: a discount is turned into margin by its margin, its fatigue limits hold
            too.

        Raises
        ------
        SettingsError
            Where it says something impossible.
        """
        if self.discount is not None and self.margin_effect is not None:
            raise SettingsError(f"Offer {self.name!r} says discount and margin_effect; say one of them.")
        effect = self.margin_effect or 0.0
        if self.discount is not None:
            effect = Offer.of_discount(self.discount, margin=decide.price_margin or decide.margin)
        as_they_are = set(OfferSettings.model_fields) - {
            "margin_effect",
            "discount",
            "acceptance",
            "acceptance_if_staying",
            "saves",
            "uplift",
            "fatigue",
        }
        shares = ("acceptance", "acceptance_if_staying", "saves")
        return Offer(
            **{name: getattr(self, name) for name in as_they_are},
            **{name: given.made() for name in shares if (given := getattr(self, name)) is not None},
            margin_effect=effect,
            uplift=None if self.uplift is None else Amount(self.uplift.mean, self.uplift.sd),
            fatigue=tuple(limit.made() for limit in (*self.fatigue, *decide.fatigue)),
        )


class DecideSettings(Strict):
    """The table ``[decide]``: limits of a decision, and what holds for all offers."""

    margin: float = Field(gt=0, le=1)
    """Share of the clv that is margin; 1 where the model of value predicts margin."""
    price_margin: float | None = Field(default=None, gt=0, le=1)
    """Share of prices that is margin, where margin = 1 and an offer states a discount."""
    leaver_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of a stayer's margin that one who leaves still brings within the horizon; worked out where only
    the prices of contracts tell what customers are worth."""
    value_days: int = Field(default=365, ge=1)
    """Days ahead within which the price of a contract counts, where there are contracts alone."""
    value_error: float = Field(default=0.1, ge=0, lt=3)
    """How far the values of all customers together may be off, e.g. 0.1 for 10 %."""
    budget: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Money that contacts and accepted offers may be expected to cost together; no limit where None."""
    max_per_customer: int = Field(default=1, ge=1)
    """Offers a customer."""
    holdout: float = Field(default=0.1, ge=0, lt=1)
    """Share of those to be treated that is left alone, so that the effect can be measured."""
    interval: float = Field(default=0.8, gt=0, lt=1)
    """Of gains and profits."""
    fatigue: list[FatigueSettings] = Field(default_factory=list)
    """Limits for every offer, beside its own."""
    channels: dict[str, int] = Field(default_factory=dict)
    """Contacts that a channel can make at most."""
    protected: list[str] = Field(default_factory=list)
    """Attributes that decide on no offer."""
    consent: str | None = None
    """Column of the customers' attributes that says who consented to be contacted."""
    opt_out: str | None = None
    """Column of the customers' attributes that says who is not to be contacted."""
    opt_out_events: list[str] = Field(default_factory=lambda: list(OPT_OUTS))
    """Events after which a customer is not contacted any more; `habitue measure` goes by them, too."""
    fairness: list[FairnessSettings] = Field(default_factory=list)

    @property
    def contact_rules(self) -> ContactRules:
        """Where it stands who must be left alone."""
        return ContactRules(self.consent, self.opt_out, tuple(self.opt_out_events))

    @model_validator(mode="after")
    def _channels_can(self) -> DecideSettings:
        if below := [name for name, most in self.channels.items() if most < 0]:
            raise PydanticCustomError(
                _SENTENCE, "channels: {channel} must be 0 or more contacts", {"channel": below[0]}
            )
        return self


class _File(Strict):
    """All of the file."""

    decide: DecideSettings
    offers: list[OfferSettings] = Field(min_length=1)


@dataclass(frozen=True)
class Offers:
    """What `offers.toml` says.

    Attributes
    ----------
    offers : tuple of Offer
        In the order of the file.
    decide : DecideSettings
        Limits, and what holds for all offers.
    """

    offers: tuple[Offer, ...]
    decide: DecideSettings

    def updated(self, offers: Mapping[str, Offer]) -> Offers:
        """Return it with offers that learned something in the place of those of the same names.

        Parameters
        ----------
        offers : mapping of str to Offer
            By name.

        Raises
        ------
        SettingsError
            Where a name is of no offer.
        """
        known = [offer.name for offer in self.offers]
        if unknown := [name for name in offers if name not in known]:
            raise SettingsError(
                f"There is no offer {', '.join(map(repr, unknown))}; known are {', '.join(known)}."
            )
        return Offers(tuple(offers.get(offer.name, offer) for offer in self.offers), self.decide)


def read_offers(path: Path) -> Offers:
    """Read and check a file of offers.

    Parameters
    ----------
    path : Path
        The TOML file.

    Returns
    -------
    Offers

    Raises
    ------
    SettingsError
        Where the file is missing or says something impossible; conditions are read, too, but for the columns
        that they name, which the scores and records decide.
    """
    if not path.is_file():
        raise SettingsError(
            f"There is no {path}. habitue init writes one to begin with: [decide] with the margin, and a "
            "table [[offers]] for each offer."
        )
    given = read_toml(path, _File)
    try:
        return _checked(given)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _checked(given: _File) -> Offers:
    offers = check_offers([one.made(given.decide) for one in given.offers])
    for offer in offers:
        for key in ("eligible", "excluded"):
            if text := getattr(offer, key).strip():
                read_condition(
                    text,
                    protected=given.decide.protected,
                    declared_for=offer.declared_for,
                    of=f"The condition {key} of offer {offer.name!r}",
                )
        if offer.needs_consent and given.decide.consent is None:
            raise SettingsError(
                f"Offer {offer.name!r} needs consent: name the column that says who gave it as consent "
                "in [decide]."
            )
    return Offers(offers, given.decide)


def built_in_offers() -> tuple[Offers, str]:
    """Return the offers that come with the package as an example, and their text."""
    resource = files("habitue.pipelines") / "templates" / "offers.toml"
    return read_offers(Path(str(resource))), resource.read_text(encoding="utf-8")


def rules_beside(folder: Path, path: Path | None = None) -> ContactRules:
    """Return where it stands who must be left alone: what [decide] says, for those who only measure.

    Parameters
    ----------
    folder : Path
        With the settings.
    path : Path, optional
        A file of offers; ``offers.toml`` in the folder where None, and the defaults where that is missing.

    Raises
    ------
    SettingsError
        As `read_offers`.
    """
    named = path or folder / "offers.toml"
    return read_offers(named).decide.contact_rules if path or named.is_file() else ContactRules()
