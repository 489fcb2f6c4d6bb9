"""Whether a model treats groups of customers alike: rates, calibration and error by declared attribute.

An audit measures. It deliberately changes no prediction and no threshold, and it does not say what is fair:
where groups differ in what they do, no model can be alike by every measure at once [1]_. It finds nothing in
attributes that are not declared, and nothing in features that stand in for them, but through what they do to
the declared groups.

Values come from fairlearn's ``MetricFrame``; intervals from draws of whole customers (see ``bootstrap``),
which its own, drawing rows, would make too narrow where a customer appears at several cutoffs.

References
----------
.. [1] Kleinberg, J., Mullainathan, S. & Raghavan, M. (2017). Inherent trade-offs in the fair determination of
   risk scores. ITCS 2017.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from habitue.errors import DataError, SchemaError, SettingsError
from habitue.evaluation.bootstrap import weight_chunks
from habitue.evaluation.fairness_measures import MEASURES, Counted, Measure, groups_of
from habitue.evaluation.ranking import FloatArray
from habitue.evaluation.scores import check_pair
from habitue.vocabulary import one_or_many

__all__ = ["FairnessAudit", "audit_fairness", "require_fairlearn"]

_GROUPS: Final = (
    "attribute", "group", "n_rows", "n_customers", "judged", "measure", "value", "lower", "upper",
)  # fmt: skip
_GAPS: Final = (
    "attribute", "measure", "about", "higher", "lower_group", "difference", "lower", "upper",
    "ratio", "ratio_lower", "ratio_upper", "beyond_chance",
)  # fmt: skip
_FEWEST: Final = 20  # customers below which no group can be judged, whatever is asked
_Row = dict[str, Any]


@dataclass(frozen=True)
class FairnessAudit:
    """What an audit found.

    Attributes
    ----------
    groups : DataFrame
        attribute, group, n_rows, n_customers, judged, measure, value, lower, upper. Groups that are too small
        have one row, without values.
    gaps : DataFrame
        attribute, measure, about, higher, lower_group, difference, lower, upper, ratio, ratio_lower,
        ratio_upper, beyond_chance: every two judged groups, the one with the higher value first.
    told : tuple of str
        Both in sentences.
    """

    groups: pd.DataFrame
    gaps: pd.DataFrame
    told: tuple[str, ...]


class _Cases(NamedTuple):
    """What is judged, and how."""

    outcome: FloatArray
    prediction: FloatArray
    flagged: FloatArray
    customers: npt.NDArray[Any]
    measures: tuple[Measure, ...]
    at_least: int
    confidence: float
    n_replicates: int
    random_state: int


def audit_fairness(
    outcome: npt.ArrayLike,
    prediction: npt.ArrayLike,
    attributes: pd.DataFrame,
    *,
    target: str = "churned",
    threshold: float | None = None,
    top_share: float = 0.1,
    customers: npt.ArrayLike | None = None,
    at_least: int = 100,
    confidence: float = 0.95,
    n_replicates: int = 200,
    random_state: int = 0,
) -> FairnessAudit:
    """Compare a model's rates, calibration and error between groups of customers.

    Parameters
    ----------
    outcome, prediction : array_like of shape (n,)
        What happened and what was predicted, by a model that had not seen it.
    attributes : DataFrame of shape (n, n_attributes)
        The declared attributes, row for row; see `groups_of`. None of them need be known to the model.
    target : str
        "churned", "spend" or "n_purchases".
    threshold : float, optional
        Who has a prediction of this or more is flagged: gets the offer, the call, the better service.
    top_share : float
        Where there is no threshold, the share of rows with the highest predictions is flagged; ties together.
    customers : array_like of shape (n,), optional
        The customer of each row, where customers appear more than once.
    at_least : int
        Customers that a group must have to be judged, 20 or more.
    confidence : float
        Of the intervals, in (0, 1).
    n_replicates : int
        Draws.
    random_state : int
        Seed.

    Returns
    -------
    FairnessAudit

    Raises
    ------
    DataError
        Where the three do not fit together or are no predictions of the target.
    SchemaError
        Where there is no attribute, or one is a date.
    SettingsError
        Where a setting is out of range, or fairlearn is not installed.

    Notes
    -----
    Intervals of values are percentiles of the draws. A difference of two groups is called more than chance
    allows where zero lies outside its interval, value ± z times the standard deviation of the draws, with z
    for all pairs of groups of the attribute together (Bonferroni); the ratio's, lower over higher value, is
    made likewise on the logarithm. Attributes and measures are not adjusted for: of twenty independent ones
    one is expected to differ by chance, and the sentences say how many there are.

    Small groups are named and counted and not judged: their rates would be noise, and those of a handful of
    people would speak of persons.

    References
    ----------
    .. [1] Bird, S. et al. (2020). Fairlearn: A toolkit for assessing and improving fairness in AI. Microsoft
       Research MSR-TR-2020-32.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> chance = rng.uniform(size=2_000)
    >>> left, gender = rng.uniform(size=2_000) < chance, np.where(rng.uniform(size=2_000) < 0.5, "f", "m")
    >>> audit = audit_fairness(left, chance, pd.DataFrame({"gender": gender}))
    >>> print(audit.told[0])
    gender: no measure of 9 differs between f and m by more than chance allows.
    """
    actual, predicted = check_pair(outcome, prediction, target=_known(target))
    n = actual.size
    who = np.arange(n) if customers is None else np.asarray(customers)
    _check(attributes, who, n, at_least=at_least, confidence=confidence)
    flagged = predicted >= _threshold(predicted, threshold, top_share)
    order = np.lexsort((actual, predicted))  # scores need not sort in every draw, and row order is nothing
    cases = _Cases(
        actual[order], predicted[order], flagged[order].astype(np.float64), who[order], MEASURES[target],
        at_least, confidence, n_replicates, random_state,
    )  # fmt: skip
    found = [
        _audit_one(str(name), groups_of(attributes.loc[:, name]).iloc[order], cases) for name in attributes
    ]
    groups = pd.DataFrame([row for rows, _ in found for row in rows], columns=list(_GROUPS))
    gaps = pd.DataFrame([row for _, rows in found for row in rows], columns=list(_GAPS))
    gaps["beyond_chance"] = gaps["beyond_chance"].astype("bool")  # also where there is no row
    return FairnessAudit(groups, gaps, tuple(_told(groups, gaps, cases)))


def _known(target: str) -> str:
    if target not in MEASURES:
        raise SettingsError(f"There is no target {target!r}; there are {', '.join(MEASURES)}.")
    return target


def _check(
    attributes: pd.DataFrame, customers: npt.NDArray[Any], n: int, *, at_least: int, confidence: float
) -> None:
    if not attributes.shape[1]:
        raise SchemaError("A fairness audit needs at least one declared attribute; there is no column.")
    if len(attributes) != n or customers.shape != (n,):
        raise DataError(
            f"Attributes and customers must have one row for each of {one_or_many(n, 'prediction')}; got "
            f"{len(attributes)} and {len(customers)}."
        )
    if at_least < _FEWEST or not 0.0 < confidence < 1.0:
        raise SettingsError(
            f"at_least must be {_FEWEST} or more and confidence between 0 and 1; got {at_least} and "
            f"{confidence}."
        )


def _threshold(prediction: FloatArray, threshold: float | None, top_share: float) -> float:
    if threshold is not None:
        return threshold
    if not 0.0 < top_share < 1.0:
        raise SettingsError(f"top_share must lie between 0 and 1; got {top_share}.")
    return float(np.quantile(prediction, 1.0 - top_share, method="higher"))


def _audit_one(name: str, labels: pd.Series, cases: _Cases) -> tuple[list[_Row], list[_Row]]:
    """Return the rows of both tables for one attribute."""
    label = labels.to_numpy(dtype=object)
    kinds = list(labels.cat.categories)
    counts = {
        kind: (int((label == kind).sum()), len(pd.unique(cases.customers[label == kind]))) for kind in kinds
    }
    judged = [kind for kind in kinds if counts[kind][1] >= cases.at_least]
    values, draws = _values(label, judged, cases), _draws(label, judged, cases)
    tail = 50.0 * (1.0 - cases.confidence)
    rows: list[_Row] = []
    for kind in kinds:
        told = {"attribute": name, "group": kind, "n_rows": counts[kind][0], "n_customers": counts[kind][1]}
        if kind not in judged:
            rows.append(
                told | {"judged": False, "measure": "", "value": np.nan, "lower": np.nan, "upper": np.nan}
            )
            continue
        for place, measure in enumerate(cases.measures):
            lower, upper = _percentiles(draws[kind][place], [tail, 100.0 - tail])
            value = values.loc[kind, measure.name]
            rows.append(
                told
                | {"judged": True, "measure": measure.name, "value": value, "lower": lower, "upper": upper}
            )
    return rows, _gaps(name, judged, values, draws, cases)


def _values(label: npt.NDArray[Any], judged: Sequence[str], cases: _Cases) -> pd.DataFrame:
    """Return the value of each measure for each judged group: (groups, measures)."""
    names = [measure.name for measure in cases.measures]
    chosen = np.isin(label, list(judged))
    if not chosen.any():
        return pd.DataFrame(columns=names)
    frame = require_fairlearn().MetricFrame(
        metrics={measure.name: partial(_once, measure) for measure in cases.measures},
        y_true=cases.outcome[chosen],
        y_pred=cases.prediction[chosen],
        sensitive_features=pd.Series(label[chosen], name="group"),
        sample_params={name: {"flagged": cases.flagged[chosen]} for name in names},
    )
    return frame.by_group.astype("float64")


def _once(measure: Measure, y: npt.ArrayLike, p: npt.ArrayLike, *, flagged: npt.ArrayLike) -> float:
    """Measure everybody once, as fairlearn asks."""
    outcome, prediction, chosen = (np.asarray(column, dtype=np.float64) for column in (y, p, flagged))
    return float(measure.function(Counted(outcome, prediction, chosen, np.ones((1, outcome.size))))[0])


def require_fairlearn() -> Any:
    """Return fairlearn's module of metrics; asked early, a missing package is told before any work is done.

    Raises
    ------
    SettingsError
        Where fairlearn is not installed.
    """
    try:
        return import_module("fairlearn.metrics")
    except ImportError as error:
        raise SettingsError(
            "A fairness audit needs one more package: pip install 'habitue[fairness]'."
        ) from error


def _draws(label: npt.NDArray[Any], judged: Sequence[str], cases: _Cases) -> dict[str, FloatArray]:
    """Return the measures of each judged group in each draw: (measures, B)."""
    n = label.size
    members = {kind: np.flatnonzero(label == kind) for kind in judged}
    parts: dict[str, list[FloatArray]] = {kind: [] for kind in judged}
    repeated = None if len(pd.unique(cases.customers)) == n else cases.customers
    chunks = weight_chunks(
        n, n_replicates=cases.n_replicates, random_state=cases.random_state, groups=repeated
    )
    for weights in chunks if judged else ():
        for kind, some in members.items():
            outcome, prediction, flagged = cases.outcome[some], cases.prediction[some], cases.flagged[some]
            drawn = Counted(outcome, prediction, flagged, weights[:, some])
            parts[kind].append(np.array([one.function(drawn) for one in cases.measures]))
    return {kind: np.concatenate(found, axis=1) for kind, found in parts.items()}


def _percentiles(draws: FloatArray, at: Sequence[float]) -> FloatArray:
    defined = draws[np.isfinite(draws)]
    return np.percentile(defined, at) if defined.size else np.full(len(at), np.nan)


def _gaps(
    name: str, judged: Sequence[str], values: pd.DataFrame, draws: Mapping[str, FloatArray], cases: _Cases
) -> list[_Row]:
    """Compare every two groups by every measure."""
    pairs = list(combinations(judged, 2))
    z = float(norm.isf((1.0 - cases.confidence) / 2.0 / max(len(pairs), 1)))
    rows: list[_Row] = []
    for place, measure in enumerate(cases.measures):
        for pair in pairs:
            higher, lower = sorted(pair, key=lambda kind: -values.loc[kind, measure.name])
            a, b = float(values.loc[higher, measure.name]), float(values.loc[lower, measure.name])
            half = z * _spread(draws[higher][place] - draws[lower][place])
            row: _Row = {
                "attribute": name, "measure": measure.name, "about": measure.about,
                "higher": higher, "lower_group": lower,
                "difference": a - b, "lower": a - b - half, "upper": a - b + half,
            }  # fmt: skip
            row |= dict.fromkeys(("ratio", "ratio_lower", "ratio_upper"), np.nan)
            if measure.has_ratio and b > 0.0:
                wide = z * _spread(_log(draws[lower][place]) - _log(draws[higher][place]))
                row |= {
                    "ratio": b / a,
                    "ratio_lower": b / a * np.exp(-wide),
                    "ratio_upper": b / a * np.exp(wide),
                }
            rows.append(row | {"beyond_chance": bool(a - b - half > 0.0)})
    return rows


def _log(values: FloatArray) -> FloatArray:
    return np.log(values, out=np.full_like(values, np.nan), where=values > 0.0)


def _spread(draws: FloatArray) -> float:
    """Return the standard deviation of the draws in which both groups have a value."""
    defined = draws[np.isfinite(draws)]
    return float(defined.std(ddof=1)) if defined.size > 1 else np.nan


# ---- in sentences --------------------------------------------------------------------------------


def _told(groups: pd.DataFrame, gaps: pd.DataFrame, cases: _Cases) -> list[str]:
    """Say for each attribute what differs, and what the audit cannot tell."""
    said: list[str] = []
    names = list(dict.fromkeys(groups["attribute"]))
    for name in names:
        own = groups[groups["attribute"] == name]
        kinds = list(dict.fromkeys(own.loc[own["judged"], "group"]))
        said += _compared(name, kinds, gaps.loc[gaps["attribute"] == name], cases)
        small = own.loc[~own["judged"]].to_dict("records")
        if small:
            listed = ", ".join(f"{one['group']} ({one['n_customers']})" for one in small)
            said.append(f"{name}: too small to be judged ({cases.at_least} customers needed): {listed}.")
    n_compared = len(gaps[["attribute", "measure"]].drop_duplicates())
    if n_compared:
        by_chance = (1.0 - cases.confidence) * n_compared
        said.append(
            f"{one_or_many(n_compared, 'comparison')} of measures by attribute: about {by_chance:.1f} would "
            "differ by chance alone where groups are alike."
        )
    base = gaps.loc[gaps["measure"] == "base_rate", "beyond_chance"]
    if base.to_numpy(dtype=bool).any():
        said.append(
            "Where groups leave at different rates, no model can be calibrated in each and flag leavers and "
            "stayers of each alike: which of the two matters here is for people to decide."
        )
    return said


def _compared(name: str, kinds: Sequence[str], gaps: pd.DataFrame, cases: _Cases) -> list[str]:
    """Tell the widest gap of each measure that chance does not explain."""
    if len(kinds) < 2:
        return [f"{name}: fewer than two groups are large enough to be judged; nothing can be compared."]
    clear = gaps.loc[gaps["beyond_chance"]]
    if clear.empty:
        between = " and ".join(kinds) if len(kinds) == 2 else f"the {len(kinds)} groups"
        many = one_or_many(len(cases.measures), "measure").split()[0]
        return [f"{name}: no measure of {many} differs between {between} by more than chance allows."]
    widest = clear.loc[clear.groupby("measure", sort=False)["difference"].idxmax()]
    of_all = "" if len(kinds) == 2 else " for all pairs"
    return [f"{name}: {_apart(row, cases, of_all)}" for row in widest.to_dict("records")]


def _apart(gap: Mapping[str, Any], cases: _Cases, of_all: str) -> str:
    measure = next(one for one in cases.measures if one.name == gap["measure"])
    low, high = (_written(gap[end], measure.unit, "") for end in ("lower", "upper"))
    return (
        f"{measure.words} is higher for {gap['higher']} than for {gap['lower_group']} by "
        f"{_written(gap['difference'], measure.unit, ' points')} ({cases.confidence:.0%} interval{of_all} "
        f"{low} to {high}), more than chance allows."
    )


def _written(value: float, unit: str, points: str) -> str:
    if unit == "share":
        return f"{100.0 * value:.1f}{points}"
    return f"{value:,.2f}" if unit == "money" else f"{value:.3f}"
