"""Effects that were measured, and what several rounds of one offer say together, for the next one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from habitue.errors import SettingsError
from habitue.experiments.readout import Readout
from habitue.numerics.random_effects import Pooled, pool

__all__ = ["MeasuredEffect", "RoundsTogether", "combine_rounds", "measured_effects"]


@dataclass(frozen=True)
class MeasuredEffect:
    """The effect of being offered something on one metric, as one experiment measured it.

    Attributes
    ----------
    experiment, offer, metric : str
        Their names.
    effect, se : float
        Per customer who was offered it, within the horizon, in the unit of the metric.
    control_mean : float
        Of the metric without the offer; 1 less it is who leaves, where the metric is "retained".
    n, n_control : int
        Customers in the arm and in the control.
    n_accepted : int or None
        How many of the arm took it up; None where nobody knows.
    start, end : date
        First and last day on which somebody was assigned.
    horizon : int
        Days after that within which outcomes were counted.
    p_value : float
        Corrected for the several metrics and arms of its experiment.
    is_sound : bool
        Whether the arms came out as large as was meant.

    Examples
    --------
    >>> one = MeasuredEffect("spring", "voucher", "margin", 1.5, 0.6, 20.0, 900, 300, 210,
    ...                      date(2024, 3, 1), date(2024, 3, 1), 91, 0.012)
    >>> one.to_dict()["start"]
    '2024-03-01'
    >>> MeasuredEffect.from_dict(one.to_dict()) == one
    True
    """

    experiment: str
    offer: str
    metric: str
    effect: float
    se: float
    control_mean: float
    n: int
    n_control: int
    n_accepted: int | None
    start: date
    end: date
    horizon: int
    p_value: float
    is_sound: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self) | {"start": self.start.isoformat(), "end": self.end.isoformat()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> MeasuredEffect:
        """Read what `to_dict` returned.

        Parameters
        ----------
        told : Mapping[str, Any]
            Plain data.

        Raises
        ------
        SettingsError
            Where something is missing or is none of it.
        """
        try:
            given: dict[str, Any] = dict(told)
            given |= {name: date.fromisoformat(given[name]) for name in ("start", "end")}
            return cls(**given)
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError(
                f"A measured effect could not be read ({error}); measure again: habitue measure readout."
            ) from error


@dataclass(frozen=True)
class RoundsTogether:
    """What all rounds of an offer say about one metric.

    Attributes
    ----------
    offer, metric : str
        Their names.
    horizon : int
        Days.
    effect, se : float
        Of being offered, per customer; what `habitue.decisions.offers.Offer.updated` takes.
    between : float
        Standard deviation between rounds beyond chance.
    p_same : float
        P-value of all rounds having one effect.
    next_se : float
        Standard deviation of a round to come.
    control_mean : float
        Without the offer, over all controls.
    n_rounds, n_offered, n_accepted : int
        Rounds, customers who were offered it, and those of them who took it up, in rounds that know it.
    n_asked : int
        Customers who were offered it in rounds that know who took it up.
    """

    offer: str
    metric: str
    horizon: int
    effect: float
    se: float
    between: float
    p_same: float
    next_se: float
    control_mean: float
    n_rounds: int
    n_offered: int
    n_accepted: int
    n_asked: int


def measured_effects(
    readout: Readout,
    *,
    experiment: str,
    offers: Mapping[str, str],
    start: date,
    end: date,
    horizon: int,
) -> list[MeasuredEffect]:
    """Return what a readout measured, to be kept for the next round.

    Parameters
    ----------
    readout : Readout
        Of `habitue.experiments.readout.read_out`.
    experiment : str
        Its name.
    offers : Mapping[str, str]
        Offer of each arm; an arm's own name where it is not there.
    start, end : date
        First and last day of assignment.
    horizon : int
        Days.

    Returns
    -------
    list of MeasuredEffect
        One a metric and arm, without those whose error is not known.
    """
    taken = (
        {}
        if readout.compliers.empty
        else {
            (row["metric"], row["arm"]): int(row["n_complied"])
            for row in readout.compliers.to_dict("records")
        }
    )
    return [
        MeasuredEffect(
            experiment,
            offers.get(row["arm"], row["arm"]),
            row["metric"],
            float(row["effect"]),
            float(row["se"]),
            float(row["control_mean"]),
            int(row["n"]),
            int(row["n_control"]),
            taken.get((row["metric"], row["arm"])),
            start,
            end,
            horizon,
            float(row["p_holm"] if row["p_holm"] == row["p_holm"] else row["p_value"]),
            readout.is_sound,
        )
        for row in readout.effects.to_dict("records")
        if row["se"] > 0.0
    ]


def combine_rounds(
    effects: Iterable[MeasuredEffect], *, half_life: float | None = None, as_of: date | None = None
) -> list[RoundsTogether]:
    """Put all rounds of each offer and metric together.

    Parameters
    ----------
    effects : iterable of MeasuredEffect
        In any order. Those of experiments whose arms were not sound are left out.
    half_life : float, optional
        Days after which a round counts half; all count alike where None.
    as_of : date, optional
        The day from which age is told; that of the last round where None.

    Returns
    -------
    list of RoundsTogether
        One per offer, metric and horizon, in the order of their names; the same whatever the order of rounds.

    Raises
    ------
    SettingsError
        Where the half-life is not above 0, or one experiment tells one effect twice.

    Notes
    -----
    Rounds are pooled by random effects (`habitue.numerics.random_effects.pool`). A round's variance is
    multiplied by 2^(age / half-life).

    Examples
    --------
    >>> days = date(2024, 3, 1), date(2024, 3, 1)
    >>> rounds = [MeasuredEffect(name, "voucher", "margin", effect, 0.5, 20.0, 900, 300, 210, *days, 91, 0.01)
    ...           for name, effect in (("spring", 1.0), ("summer", 2.0))]
    >>> together = combine_rounds(rounds)[0]
    >>> together.effect, round(together.se, 3), together.n_rounds
    (1.5, 0.5, 2)
    """
    if half_life is not None and not half_life > 0.0:
        raise SettingsError(f"half_life must be a number of days above 0; got {half_life!r}.")
    known = [one for one in effects if one.is_sound]
    counted = Counter((one.experiment, one.offer, one.metric, one.horizon) for one in known)
    twice = [key for key, count in counted.items() if count > 1]
    if twice:
        raise SettingsError(
            f"The effect of {twice[0]} is told twice; keep the later readout of an experiment."
        )
    last = as_of or max((one.end for one in known), default=date.min)
    groups: dict[tuple[str, str, int], list[MeasuredEffect]] = {}
    for one in known:
        groups.setdefault((one.offer, one.metric, one.horizon), []).append(one)
    return [_together(key, groups[key], last, half_life) for key in sorted(groups)]


def _together(
    key: tuple[str, str, int], rounds: list[MeasuredEffect], last: date, half_life: float | None
) -> RoundsTogether:
    def faded(one: MeasuredEffect) -> float:
        age = max((last - one.end).days, 0)
        return one.se * (1.0 if half_life is None else 2.0 ** (age / half_life / 2.0))

    found: Pooled = pool([one.effect for one in rounds], [faded(one) for one in rounds])
    asked = [one for one in rounds if one.n_accepted is not None]
    return RoundsTogether(
        *key,
        *found,
        control_mean=sum(one.control_mean * one.n_control for one in sorted(rounds, key=repr))
        / sum(one.n_control for one in rounds),
        n_rounds=len(rounds),
        n_offered=sum(one.n for one in rounds),
        n_accepted=sum(one.n_accepted or 0 for one in asked),
        n_asked=sum(one.n for one in asked),
    )
