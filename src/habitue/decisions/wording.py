"""What a person who makes an offer should know, and what the customer should not hear.

A prediction is about a customer and not for them: "we think that you are leaving" is rude where it is wrong
and worse where it is right. What law protects, what somebody wrote in confidence and what an offer does not
hold must not be said either. The rules stand here in words, so that they can be read, and be argued about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from habitue.decisions.offers import Offer

__all__ = ["reasons_to_act", "what_not_to_say"]

_ALWAYS = "that they may leave, a score, or what they are worth to us"
_BY_KIND: Mapping[str, str] = MappingProxyType(
    {
        "proactive_support": "when or that a problem will be solved, unless it is arranged",
        "vip_access": "that the access is for ever, or who else has it",
        "discount": "that the price stays after the offer, or that others pay more",
        "points": "what the points will be worth later",
        "early_renewal": "that the contract ends otherwise, or that they have to decide now",
        "feedback_call": "a reward for a good answer",
        "surprise_gift": "that there will be another one",
    }
)
_CONFIDENCES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("review", "nps", "csat", "survey", "sentiment", "score of", "rated"), "how they answered a survey"),
    (("ticket", "complain", "escalat", "response"), "the words of their tickets"),
    (("return",), "what they sent back"),
)
_RAISES = " (raises it)"


def what_not_to_say(offer: Offer, *, reasons: Iterable[str] = (), protected: Collection[str] = ()) -> str:
    """Return what is not to be said to a customer who is made an offer.

    Parameters
    ----------
    offer : Offer
        Which.
    reasons : iterable of str
        Of the prediction, in words: what they rest on may be meant in confidence.
    protected : collection of str
        Attributes that law protects.

    Returns
    -------
    str
        One sentence a rule.

    Examples
    --------
    >>> from habitue.decisions.beliefs import Share
    >>> gift = Offer("gift", kind="surprise_gift", saves=Share(0.2))
    >>> what_not_to_say(gift, protected=["age"]).split(". ")[1:]
    ['Do not promise that there will be another one', 'Do not refer to age.']
    """
    said = [f"Do not mention {_ALWAYS}."]
    if offer.kind in _BY_KIND:
        said.append(f"Do not promise {_BY_KIND[offer.kind]}.")
    told = " ".join(reasons).lower()
    said += [f"Do not quote {what}." for words, what in _CONFIDENCES if any(word in told for word in words)]
    if protected:
        said.append(f"Do not refer to {', '.join(name.replace('_', ' ') for name in sorted(protected))}.")
    return " ".join(said)


def reasons_to_act(reasons: Iterable[object], *, protected: Collection[str] = ()) -> tuple[str, ...]:
    """Return the reasons that speak for acting, without any that tells a protected attribute.

    Parameters
    ----------
    reasons : iterable
        Such as reason_1 to reason_3 of the scores; empty and missing ones are left out.
    protected : collection of str
        Attributes that law protects.

    Returns
    -------
    tuple of str
        Those that raise the chance of leaving.

    Examples
    --------
    >>> reasons_to_act(["last bought 94 days ago (raises it)", "age band is 60+ (raises it)", None],
    ...                protected=["age_band"])
    ('last bought 94 days ago',)
    """
    hidden = tuple(name.replace("_", " ").lower() for name in protected)
    kept: list[str] = []
    for reason in reasons:
        if not isinstance(reason, str) or not reason.endswith(_RAISES):
            continue
        text = reason.removesuffix(_RAISES)
        if not any(name in text.lower() for name in hidden):
            kept.append(text)
    return tuple(kept)
