"""An offer to customers: what it costs, what it is assumed to do, and who may have it.

All money is **margin** within the horizon, not revenue. An assumption is never one number alone: a share says
of how many customers it is worth, an amount says how far it may be off. What was measured is added to what
was assumed, as evidence, in whatever order it comes in; what it makes of the assumption is worked out by
`habitue.decisions.assumptions`. Nothing here knows a customer: what an offer is expected to earn is told by
`habitue.decisions.gains`, and who may have it by `habitue.decisions.eligibility`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal, get_args

from habitue.decisions.beliefs import EVERYBODY, NOTHING_MEASURED, Amount, Evidence, Share
from habitue.errors import SettingsError
from habitue.experiments.assignment import CONTROL

__all__ = ["KINDS", "Amount", "Evidence", "Fatigue", "Offer", "OfferKind", "Share", "check_offers"]

OfferKind = Literal[
    "proactive_support",
    "vip_access",
    "discount",
    "points",
    "early_renewal",
    "feedback_call",
    "surprise_gift",
    "other",
]
KINDS: Final[tuple[str, ...]] = get_args(OfferKind)
"""Kinds of offer that there are."""

_TAKEN_BY_ALL: Final = ("discount", "points", "surprise_gift")
"""Kinds that are as good as money: one who would stay anyway takes them too (Verbraken et al. 2013)."""


@dataclass(frozen=True)
class Fatigue:
    """How often a customer may be contacted.

    Attributes
    ----------
    at_most : int
        Contacts within the days, 1 or more; who had as many already has no further one.
    days : int
        Days looked back on, 1 or more.
    over : {"all", "channel", "offer"}
        Which contacts count: all of them, those by the offer's channel, or those with this very offer.

    Raises
    ------
    SettingsError
        Where a figure is out of range.
    """

    at_most: int
    days: int
    over: Literal["all", "channel", "offer"] = "all"

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        if self.at_most < 1 or self.days < 1:
            raise SettingsError(
                f"A fatigue limit is at_most 1 or more contacts in 1 or more days; got {self.at_most} in"
                f" {self.days}. Leave an offer out to contact nobody."
            )
        if self.over not in ("all", "channel", "offer"):
            raise SettingsError(f"Fatigue counts over all, channel or offer; got {self.over!r}.")


@dataclass(frozen=True)
class Offer:
    """An offer: its costs, what it is assumed or was measured to do, and its limits. Money is margin.

    Attributes
    ----------
    name : str
        As the records of contacts call it.
    kind : str
        One of `KINDS`.
    channel : str
        By which it is made; "" where it does not matter.
    cost : float, default 0
        Of each contact, accepted or not; money, 0 or more.
    cost_if_accepted : float, default 0
        On top, of each that is accepted; money, 0 or more.
    margin_effect : float, default 0
        Share of the horizon's margin that who accepts brings more, above -10; negative for a discount: one of
        10 % on prices with a margin of 40 % gives away 0.1 / 0.4 of the margin, -0.25. See `of_discount`.
    acceptance : Share
        Of those who would leave, who accept.
    acceptance_if_staying : Share, optional
        Of those who would stay anyway, who accept. 1 for a discount, points or a gift, which everybody takes;
        else the same draw as `acceptance`.
    saves : Share, optional
        Of those who would leave and accept, who stay because of it. Either this or `uplift` is needed.
    uplift : Amount, optional
        What a contact adds to a customer's margin within the horizon, before `cost` and `cost_if_accepted`,
        whatever the customer would have done. `margin_effect` is part of it already.
    eligible, excluded : str
        Conditions on a customer, see `habitue.decisions.eligibility`; "" for no condition.
    declared_for : mapping of str to str
        Protected attributes that the conditions may use, each with the reason.
    capacity : int, optional
        Customers who can have it at most.
    fatigue : tuple of Fatigue
        Limits that a customer's contacts must keep.
    needs_consent : bool, default False
        Whether only who consented may have it.
    starts, ends : date, optional
        First and last day on which it can be made.
    said : str
        What the customer is told; one sentence for those who make the contact.
    measured : Evidence
        What trials found, see `updated`.

    Raises
    ------
    SettingsError
        Where a figure is out of range, or neither effect or both are stated.

    Examples
    --------
    >>> call = Offer("care call", kind="proactive_support", cost=4.0, acceptance=Share(0.4, worth=50),
    ...              saves=Share(0.25, worth=20))
    >>> round(call.kept_share, 3)
    0.1
    """

    name: str
    kind: str = "other"
    channel: str = ""
    cost: float = 0.0
    cost_if_accepted: float = 0.0
    margin_effect: float = 0.0
    acceptance: Share = EVERYBODY
    acceptance_if_staying: Share | None = None
    saves: Share | None = None
    uplift: Amount | None = None
    eligible: str = ""
    excluded: str = ""
    declared_for: Mapping[str, str] = field(default_factory=dict[str, str])
    capacity: int | None = None
    fatigue: tuple[Fatigue, ...] = ()
    needs_consent: bool = False
    starts: date | None = None
    ends: date | None = None
    said: str = ""
    measured: Evidence = NOTHING_MEASURED

    def __post_init__(self) -> None:
        """Refuse what cannot be an offer."""
        self._check_names()
        for name in ("cost", "cost_if_accepted"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise SettingsError(
                    f"Offer {self.name!r}: {name} must be an amount of 0 or more; "
                    f"got {getattr(self, name)!r}."
                )
        if not -10.0 < self.margin_effect < math.inf:
            raise SettingsError(
                f"Offer {self.name!r}: margin_effect is a share of the margin, e.g. -0.25; "
                f"got {self.margin_effect!r}."
            )
        if (self.saves is None) == (self.uplift is None):
            raise SettingsError(
                f"Offer {self.name!r} needs either saves (share of the leavers who accept that stay) or "
                "uplift (what a contact adds to the margin); say one of them."
            )
        if self.uplift is not None and self.margin_effect:
            raise SettingsError(
                f"Offer {self.name!r}: an uplift in margin holds the margin_effect already; leave it out."
            )
        self._check_limits()

    def _check_names(self) -> None:
        if not self.name.strip() or self.name != self.name.strip():
            raise SettingsError(f"An offer needs a name without blanks around it; got {self.name!r}.")
        if self.kind not in KINDS:
            raise SettingsError(
                f"Offer {self.name!r}: kind must be one of {', '.join(KINDS)}; got {self.kind!r}."
            )

    def _check_limits(self) -> None:
        if self.capacity is not None and self.capacity < 0:
            raise SettingsError(f"Offer {self.name!r}: capacity must be 0 or more; got {self.capacity!r}.")
        if self.starts is not None and self.ends is not None and self.ends < self.starts:
            raise SettingsError(
                f"Offer {self.name!r} ends on {self.ends}, before it starts on {self.starts}."
            )

    @property
    def staying(self) -> Share | None:
        """Of those who would stay anyway, who accept; None where as many as of the others."""
        if self.acceptance_if_staying is not None or self.kind not in _TAKEN_BY_ALL:
            return self.acceptance_if_staying
        return Share(1.0)

    @property
    def kept_share(self) -> float:
        """Of those contacted who would leave, the share assumed to stay because of it; NaN for an uplift."""
        return math.nan if self.saves is None else self.acceptance.mean * self.saves.mean

    def runs_on(self, day: date) -> bool:
        """Return whether it can be made on a day.

        Parameters
        ----------
        day : date
            Both its first and its last day are included.
        """
        return (self.starts is None or self.starts <= day) and (self.ends is None or day <= self.ends)

    def updated(self, effect: float, se: float, *, p_leave: float | None = None) -> Offer:
        """Return it with what a trial measured of its effect, whoever accepted (intention to treat).

        Parameters
        ----------
        effect : float
            With `uplift`: what a contact added to the margin, money before the offer's costs. With `saves`:
            by how much more of those contacted stayed than of the control arm, a share.
        se : float
            Its standard error, above 0; infinite changes nothing.
        p_leave : float, optional
            Share of the control arm that left and was not gone before, in (0, 1]; needed with `saves`.

        Returns
        -------
        Offer
            The assumptions as they were, and one more piece of evidence.

        Raises
        ------
        SettingsError
            Where a figure is out of range, or `p_leave` is missing or of no use.

        Notes
        -----
        Estimates are added up by their precision, so that their order makes no difference. For `uplift` the
        update is the conjugate one of the Normal distribution. For `saves` an effect on who stays, divided by
        `p_leave`, is an estimate of acceptance times saves; see `habitue.decisions.assumptions` for what it
        does to both. With one standard error for both arms the error of `p_leave` is left out, which is small
        beside that of the effect.

        Examples
        --------
        >>> box = Offer("box", uplift=Amount(5.0, 2.0)).updated(1.0, 2.0).updated_acceptance(30, 100)
        >>> box.measured.effect
        1.0
        """
        if self.saves is None:
            if p_leave is not None:
                raise SettingsError(f"Offer {self.name!r} has an uplift in money; leave p_leave out.")
            return replace(self, measured=self.measured.and_also(effect, se))
        if p_leave is None or not 0.0 < p_leave <= 1.0:
            raise SettingsError(
                f"Offer {self.name!r} saves leavers: say which share of the control arm left, above 0, as "
                f"p_leave; got {p_leave!r}."
            )
        return replace(self, measured=self.measured.and_also(effect / p_leave, se / p_leave))

    def updated_acceptance(self, accepted: int, asked: int, *, staying: bool = False) -> Offer:
        """Return it with how many of those asked accepted.

        Parameters
        ----------
        accepted, asked : int
            0 <= accepted <= asked.
        staying : bool, default False
            Whether those asked would have stayed, as far as one can know; else it is about leavers. Where
            both accept alike (`acceptance_if_staying` is None) it makes no difference.

        Returns
        -------
        Offer

        Raises
        ------
        SettingsError
            Where the counts are none.

        Examples
        --------
        >>> offer = Offer("x", acceptance=Share.beta(6, 14), saves=Share(0.5))
        >>> offer.updated_acceptance(60, 80).acceptance
        Share(mean=0.66, worth=100)
        """
        if staying and self.staying is not None:
            return replace(self, acceptance_if_staying=self.staying.with_observed(accepted, asked))
        return replace(self, acceptance=self.acceptance.with_observed(accepted, asked))

    @staticmethod
    def of_discount(rate: float, *, margin: float) -> float:
        """Return the `margin_effect` of a discount on all that is bought.

        Parameters
        ----------
        rate : float
            Of the price, in [0, 1].
        margin : float
            Share of the price that is margin, in (0, 1].

        Raises
        ------
        SettingsError
            Where either is out of range.

        Examples
        --------
        >>> Offer.of_discount(0.1, margin=0.4)
        -0.25
        """
        if not 0.0 <= rate <= 1.0 or not 0.0 < margin <= 1.0:
            raise SettingsError(
                f"A discount lies in [0, 1] and a margin in (0, 1], both shares of the price; got {rate!r}"
                f" and {margin!r}."
            )
        return -rate / margin


def check_offers(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Return the offers, or refuse none at all and names that occur twice.

    Parameters
    ----------
    offers : sequence of Offer
        In the order of the columns.

    Raises
    ------
    SettingsError
        Where there is none, two bear one name, or one bears that of those left alone.
    """
    names = [offer.name for offer in offers]
    if not names:
        raise SettingsError("There is no offer; state at least one.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"Offers need different names; twice or more: {', '.join(twice)}.")
    if CONTROL in {name.strip().lower() for name in names}:
        raise SettingsError(
            f"No offer may be called {CONTROL!r}: so the records call those who get nothing. Rename it."
        )
    return tuple(offers)
