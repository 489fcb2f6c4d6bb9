"""What the words on the page mean: each number of the report in one or two sentences.

Written for somebody who decides, not for somebody who models; the formulas stand in the documentation.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import NamedTuple

from habitue.report.wording import day
from habitue.vocabulary import one_or_many

__all__ = ["Term", "glossary"]


_ONLY_WITH = {"Days still a customer": "expected_residual_lifetime_365d", "Range": "clv_upper"}
"""Words that a report without that column does not need."""


class Term(NamedTuple):
    """A word and its meaning."""

    word: str
    meaning: str


def glossary(
    *,
    cutoff: date,
    horizon: int,
    currency: str,
    interval_level: float | None = None,
    discount_rate: float = 0.0,
    there: Collection[str] = (),
) -> tuple[Term, ...]:
    """Define every number that the report shows.

    Parameters
    ----------
    cutoff : datetime.date
        The last day that was known.
    horizon : int
        How far ahead is looked, in days.
    currency : str
        What money is counted in.
    interval_level : float or None
        Level of the customers' value ranges, e.g. 0.95; None if it is not known.
    discount_rate : float
        What a year took off money that comes later.
    there : collection of str
        Columns of the scores; words that only some scores have are left out without theirs.

    Returns
    -------
    tuple of Term

    Examples
    --------
    >>> terms = glossary(cutoff=date(2026, 6, 30), horizon=90, currency="$")
    >>> terms[0].word
    'Cutoff'
    """
    end, days = day(cutoff + timedelta(days=horizon)), one_or_many(horizon, "day")
    level = "" if interval_level is None else f" in {100 * interval_level:.0f} of 100 cases"
    today = (
        f" What comes later counts less, by {100 * discount_rate:g}\N{NO-BREAK SPACE}% a year."
        if discount_rate
        else ""
    )
    words = {
        "Cutoff": f"{day(cutoff)}. Nothing that happened after this day was used.",
        "Horizon": f"The {days} after the cutoff, up to and including {end}.",
        "Leaving (churn)": "Making no purchase within the horizon; under a contract, cancelling within it. "
        "Somebody who leaves in this sense may still come back later.",
        "Churn probability": "The probability of leaving within the horizon. If it is well calibrated, of "
        "100 customers with 30 % about 30 leave.",
        "At risk": "A churn probability above 50 %: leaving is likelier than staying.",
        "Expected share leaving": "The mean of all churn probabilities. It counts a customer with 30 % as "
        "three tenths of a leaver, so it is not the same as the share of customers at risk.",
        "Still a customer (p alive)": "The probability that the customer had not given up buying for good "
        "at the cutoff. It is a belief about the present, not a forecast.",
        "Days still a customer": "How many of the 365 days after the cutoff the customer is expected to "
        "stay. Who leaves at once with a chance of one half, and else stays all year, has half of them.",
        "Expected spend (CLV)": f"What a customer is expected to spend within the horizon, in {currency}. "
        "The possibility of leaving is already in it: it is an average over staying and leaving." + today,
        "Range": f"The lower and upper bound between which the model expects a customer's spend{level}. "
        "Ranges of single customers cannot be added up to a range of the total, because a model that errs, "
        "errs about many customers at once; so no range of the total is given.",
        "Value at risk": "The expected spend of all customers at risk: the part of the forecast that hangs "
        "on customers more likely to leave than to stay.",
        "Decile": "A tenth of the customers, ordered by expected spend; decile 1 is the most valuable.",
        "Backtest": "The model is fitted on what was known at an earlier day and its predictions are "
        "compared with what then happened. All scores and curves of quality come from it.",
        "95 % interval": "The range within which a score would probably lie had other customers of the "
        "same kind been drawn (bootstrap). Where two intervals overlap, the gap may be chance.",
        "Baseline": "A rule without a model, such as calling everybody lost who has been silent for long "
        "(hiatus heuristic). A model that does not beat it is not worth its upkeep.",
        "Champion": "The registered model that made these predictions.",
    }
    missing = [word for word, column in _ONLY_WITH.items() if column not in there]
    return tuple(Term(word, meaning) for word, meaning in words.items() if word not in missing)
