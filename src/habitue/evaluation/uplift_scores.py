"""Uplift scores by name: ours, and those that libraries report under names which mean different things.

"Qini" and "AUUC" differ between libraries in what is summed, whether the random line is taken off, and what
is divided by: one ranking gets 0.02, 0.6 or 0.005. Each variant here says what it is and whose number it
reproduces. Ours are in the unit of the outcome per customer, so that they can be held against costs.

Every score takes what lies above each place of a ranking, for B ways of counting the customers, and returns
(B,) values. Who was treated, intervals and comparisons are for ``uplift_curves``.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from habitue.evaluation.ranking import FloatArray, ratio
from habitue.numerics.uplift_curve import (
    DownTheRanking,
    area,
    area_over_random,
    gain,
    qini,
    uplift,
    uplift_at,
)

__all__ = ["HEADLINE", "LIBRARY_SCORES", "UPLIFT_SCORES", "UpliftScore"]


class UpliftScore(NamedTuple):
    """A way to judge a ranking by effect; more is better in all of them.

    Examples
    --------
    >>> UPLIFT_SCORES["auuc0"].definition
    'Mean of the cumulative gain per customer over all depths, less that of a random order.'
    """

    name: str
    """What it is called in tables."""
    function: Callable[[DownTheRanking], FloatArray]
    """Of both arms down the ranking, to shape (B,)."""
    definition: str
    """What it is, in one sentence."""
    is_binary: bool = False
    """Whether it is defined for outcomes of 0 and 1 only."""


def _auuc(ranked: DownTheRanking) -> FloatArray:
    return area(ranked, gain(ranked))


def _auuc0(ranked: DownTheRanking) -> FloatArray:
    return area_over_random(ranked, gain(ranked))


def _qini0(ranked: DownTheRanking) -> FloatArray:
    return area_over_random(ranked, qini(ranked))


def _at(share: float) -> Callable[[DownTheRanking], FloatArray]:
    return lambda ranked: uplift_at(ranked, share)


# ---- perfect rankings: what an outcome of 0 or 1 would allow if it were known beforehand ----


class _Cells(NamedTuple):
    """How many there are of each arm and outcome, shape (B,)."""

    treated_yes: FloatArray
    treated_no: FloatArray
    control_yes: FloatArray
    control_no: FloatArray


def _cells(ranked: DownTheRanking) -> _Cells:
    treated, controls, treated_yes, control_yes = (part[:, -1] for part in ranked[1:])
    return _Cells(treated_yes, treated - treated_yes, control_yes, controls - control_yes)


def _in_runs(*runs: tuple[FloatArray, FloatArray, FloatArray, FloatArray]) -> DownTheRanking:
    """Return a ranking of runs: treated, controls, outcomes of treated, outcomes of controls in each."""
    treated, controls, treated_yes, control_yes = (
        np.cumsum(np.column_stack([np.zeros_like(part[0]), *part]), axis=1)
        for part in zip(*runs, strict=True)
    )
    return DownTheRanking(treated + controls, treated, controls, treated_yes, control_yes)


def _perfect_by_qini(ranked: DownTheRanking) -> DownTheRanking:
    """Return treated with outcome 1 first, then outcomes 0, controls with outcome 1 last."""
    there = _cells(ranked)
    none = np.zeros_like(there.treated_yes)
    return _in_runs(
        (there.treated_yes, none, there.treated_yes, none),
        (there.treated_no, there.control_no, none, none),
        (none, there.control_yes, none, there.control_yes),
    )


def _perfect_by_uplift(ranked: DownTheRanking) -> DownTheRanking:
    """Return the order of scikit-uplift: the rarer of the two kinds that spoil the curve comes last."""
    there = _cells(ranked)
    none = np.zeros_like(there.treated_yes)
    controls_first = there.control_yes > there.treated_no
    third = np.where(controls_first, none, there.treated_no)
    yes_third = np.where(controls_first, there.control_yes, none)
    return _in_runs(
        (there.treated_yes, none, there.treated_yes, none),
        (none, there.control_no, none, none),
        (third, yes_third, none, yes_third),
        (there.treated_no - third, there.control_yes - yes_third, none, there.control_yes - yes_third),
    )


# ---- what libraries do ----


def _sklift_uplift(ranked: DownTheRanking) -> FloatArray:
    best = _perfect_by_uplift(ranked)
    return ratio(
        area_over_random(ranked, _gain_of_means(ranked)), area_over_random(best, _gain_of_means(best))
    )


def _sklift_qini(ranked: DownTheRanking) -> FloatArray:
    best = _perfect_by_qini(ranked)
    return ratio(area_over_random(ranked, _qini_of_sums(ranked)), area_over_random(best, _qini_of_sums(best)))


def _gain_of_means(ranked: DownTheRanking) -> FloatArray:
    """Return the gain per customer where an arm that has nobody yet counts as having a mean of 0."""
    of_treated = ratio(ranked.treated_outcome, ranked.treated, otherwise=0.0)
    of_controls = ratio(ranked.control_outcome, ranked.controls, otherwise=0.0)
    return (of_treated - of_controls) * ranked.customers / ranked.customers[:, -1:]


def _qini_of_sums(ranked: DownTheRanking) -> FloatArray:
    """Return incremental outcomes, where those of the treated count in full until there is a control."""
    scale = ratio(ranked.treated, ranked.controls, otherwise=0.0)
    return ranked.treated_outcome - ranked.control_outcome * scale


def _causalml_auuc(ranked: DownTheRanking) -> FloatArray:
    heights = _filled(ranked, uplift(ranked)) * ranked.customers
    return _mean_of_places(ranked, ratio(heights, np.abs(heights[:, -1:])))


def _causalml_qini(ranked: DownTheRanking) -> FloatArray:
    without = ranked.controls == 0.0
    heights = _filled(ranked, np.where(without, np.nan, _qini_of_sums(ranked)))
    relative = ratio(heights, np.abs(heights[:, -1:]))
    return _mean_of_places(ranked, relative) - relative[:, -1] / 2.0


def _filled(ranked: DownTheRanking, curve: FloatArray) -> FloatArray:
    """Draw a straight line from 0 at the top to the first place where the curve is defined."""
    rows = zip(ranked.customers, curve, strict=True)
    return np.array([_drawn(places, np.r_[0.0, row[1:]]) for places, row in rows])


def _drawn(places: FloatArray, row: FloatArray) -> FloatArray:
    known = np.isfinite(row)
    return np.interp(places, places[known], row[known])


def _mean_of_places(ranked: DownTheRanking, curve: FloatArray) -> FloatArray:
    """Return the mean over the places 0, 1, ..., n, straight within ties."""
    customers = np.diff(ranked.customers, axis=1)
    rises = np.diff(curve, axis=1)
    total = np.einsum("bk,bk->b", customers, curve[:, :-1])
    total += np.einsum("bk,bk->b", rises, (customers + 1.0) / 2.0 * (customers > 0.0))
    return total / (ranked.customers[:, -1] + 1.0)


def _libuplift_uplift(ranked: DownTheRanking) -> FloatArray:
    """Return the area between the curves of each arm by itself, over its own share ranked."""
    end = ratio(ranked.treated_outcome, ranked.treated)[:, -1]
    end = end - ratio(ranked.control_outcome, ranked.controls)[:, -1]
    of_treated = _own_area(ranked.treated, ranked.treated_outcome)
    return of_treated - _own_area(ranked.controls, ranked.control_outcome) - end / 2.0


def _own_area(weight: FloatArray, outcome: FloatArray) -> FloatArray:
    widths, middles = np.diff(weight, axis=1), (outcome[:, 1:] + outcome[:, :-1]) / 2.0
    return ratio(np.einsum("bk,bk->b", widths, middles), weight[:, -1] ** 2)


def _libuplift_qini(ranked: DownTheRanking) -> FloatArray:
    """Return the same over its like for the perfect order of each arm."""
    return ratio(_libuplift_uplift(ranked), _libuplift_uplift(_perfect_by_qini(ranked)))


_OURS: Final = (
    UpliftScore(
        "auuc0",
        _auuc0,
        "Mean of the cumulative gain per customer over all depths, less that of a random order.",
    ),
    UpliftScore("auuc", _auuc, "Mean of the cumulative gain per customer over all depths."),
    UpliftScore(
        "qini0",
        _qini0,
        "Area between Radcliffe's curve of incremental outcomes per treated customer and its random line.",
    ),
    UpliftScore(
        "qini_normalised",
        _sklift_qini,
        "Area between the Qini curve and its random line, over that of the order that knew the outcomes.",
        is_binary=True,
    ),
    UpliftScore("uplift_at_10", _at(0.1), "Uplift among the tenth that is ranked highest."),
    UpliftScore("uplift_at_30", _at(0.3), "Uplift among the three tenths that are ranked highest."),
)
_LIBRARIES: Final = (
    UpliftScore(
        "scikit-uplift uplift_auc_score",
        _sklift_uplift,
        "Area between the curve of gains and its random line, over that of the order that knew the outcomes.",
        is_binary=True,
    ),
    UpliftScore(
        "scikit-uplift qini_auc_score",
        _sklift_qini,
        "Area between the Qini curve and its random line, over that of the order that knew the outcomes.",
        is_binary=True,
    ),
    UpliftScore(
        "causalml auuc_score",
        _causalml_auuc,
        "Mean cumulative gain in units of its end; the random line stays in, so that chance gets a half.",
    ),
    UpliftScore(
        "causalml qini_score",
        _causalml_qini,
        "Mean of the Qini curve in units of its end, less a half for the random line.",
    ),
    UpliftScore(
        "libuplift area_under_uplift_curve",
        _libuplift_uplift,
        "Area between the curves of treated and of controls, each ranked by itself, less the random line.",
    ),
    UpliftScore(
        "libuplift Qini_coefficient",
        _libuplift_qini,
        "The same over its like for the order that knew the outcomes.",
        is_binary=True,
    ),
)
UPLIFT_SCORES: Final = MappingProxyType({one.name: one for one in _OURS})
"""Ours by name."""
LIBRARY_SCORES: Final = MappingProxyType({one.name: one for one in _LIBRARIES})
"""What scikit-uplift, causalml and libuplift return for the same ranking, by their names."""
HEADLINE: Final = ("auuc0", "qini0", "uplift_at_10", "uplift_at_30")
"""What tables show where nothing else is asked for; defined for any outcome."""
