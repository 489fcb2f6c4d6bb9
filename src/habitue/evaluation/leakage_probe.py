"""Whether a model knows what it cannot know, tried before every training.

Features are searched for one that gives the outcome away, and that search is itself tried on a feature made
of the outcome. Outcomes are shuffled: a model that learns from those can rank nobody, unless it knows the
true ones from elsewhere. Records after the cutoff are the matter of ``future_records``. How good a model is,
is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm, rankdata, t
from sklearn.base import BaseEstimator, clone

from habitue.errors import DataError, FitError, LeakageError
from habitue.evaluation.leakage import auc_error, leakage_suspects
from habitue.evaluation.learning import Known
from habitue.evaluation.ranking import auc
from habitue.evaluation.rivals import fit_before, needs_outcomes, predict_target
from habitue.snapshots import Snapshot, stack

__all__ = ["LeakageProbe", "leakage_probe"]

FloatArray = npt.NDArray[np.float64]

_FEW = 30
"""Customers of the rarer class, in each half, below which nothing is probed."""

_LIGHTER = {"n_estimators": 20, "early_stopping": False, "calibration": "none", "monotone": False}
"""What is asked of a model that has these parameters: few trees, and nothing that it is told beforehand."""

_INJECTED = "loyalty_index"

_AMOUNT = 2.0
"""What an amount above the median counts in shuffled outcomes; the others count nothing."""


@dataclass(frozen=True)
class LeakageProbe:
    """What was probed before a training was trusted, and what was found.

    Attributes
    ----------
    target : str
        The column of y.
    n_rows : int
        Rows that were probed.
    suspects : DataFrame
        As `leakage_suspects` returns them.
    shuffled_auc : float
        AUC on true outcomes of other customers, after learning from shuffled ones; nan where not asked.
    bound : float
        What chance allows it to be.
    level : float
        How often chance exceeds that bound.
    why_not : str
        Why something was not probed; empty where all was.
    """

    target: str
    n_rows: int
    suspects: pd.DataFrame
    shuffled_auc: float
    bound: float
    level: float
    why_not: str = ""

    @property
    def told(self) -> str:
        """All of it in words, for a model card."""
        return " ".join(filter(None, [self._shuffled(), self.why_not, self._suspected()]))

    def _shuffled(self) -> str:
        if np.isnan(self.shuffled_auc):
            return ""
        return (
            f"Fitted on shuffled outcomes, the model ranks other customers with an AUC of "
            f"{self.shuffled_auc:.3f}, as chance does (at most {self.bound:.3f}, at level {self.level:g})."
        )

    def _suspected(self) -> str:
        if not self.n_rows:
            return ""
        found = "A feature made of the outcome was put in, and was found."
        if self.suspects.empty:
            return f"{found} No other feature alone tells the outcome."
        named = ", ".join(
            f"{feature} (AUC {area:.3f})"
            for feature, area in zip(self.suspects["feature"], self.suspects["auc"], strict=True)
        )
        return f"{found} Alone these tell the outcome too: {named}. Find out when they are recorded."


class _Halves(NamedTuple):
    """Snapshots of two halves of the customers."""

    learned: Snapshot
    judged: Snapshot


def leakage_probe(
    model: BaseEstimator,
    known: Known,
    target: str,
    horizon: int,
    *,
    shuffle: bool = True,
    n_rows: int = 20_000,
    n_shuffles: int = 4,
    level: float = 0.001,
    random_state: int = 0,
) -> LeakageProbe:
    """Probe what a model is about to learn from; stop where it knows what it cannot know.

    Parameters
    ----------
    model : estimator
        Left as it is; copies of it, with few trees, are fitted.
    known : Known
        What it learns from; see `habitue.evaluation.learning.what_is_known`.
    target : str
        The column of y that it predicts.
    horizon : int
        Days ahead.
    shuffle : bool
        Whether outcomes are shuffled. Say False of a model that ranks customers without them, such as one
        that falls back on a probability model.
    n_rows : int
        Rows probed, at most; whole customers are drawn.
    n_shuffles : int
        How often outcomes are shuffled, at least 2.
    level : float
        How often chance may stop a training that is sound, in (0, 0.5).
    random_state : int
        Seed.

    Returns
    -------
    LeakageProbe

    Raises
    ------
    LeakageError
        Where shuffled outcomes suffice to rank other customers, or a feature made of the outcome is not
        found.

    Notes
    -----
    Half of the customers are learned from, with outcomes shuffled within each cutoff. The others are judged
    by their true outcomes within each cutoff (amounts by whether they are above the median). A feature may
    rank well, and which way a model of shuffled outcomes uses it is chance: after each shuffle a copy is
    fitted on the opposite labels too, and the two AUCs are averaged. What is left does not come from labels.
    Allowed is 1/2 and the larger of two errors at the level: of an AUC of so many customers, and of the mean
    over shuffles (Student's t).

    Of amounts it is shuffled whether they are above the median, so that no few large ones decide.

    A model that does not learn from outcomes is not shuffled. Expected directions (``monotone``) are taken
    from the copies, since they rank without outcomes too.

    Examples
    --------
    >>> import habitue as hb
    >>> from habitue.evaluation.learning import what_is_known
    >>> past, now = (hb.Window(day, horizon=91) for day in ("1997-06-30", "1997-09-30"))
    >>> known = what_is_known(hb.datasets.cdnow(sample=True), now, [past])
    >>> model = hb.BoostedChurnClassifier(n_jobs=1)
    >>> print(leakage_probe(model, known, "churned", 91).told)
    Fitted on shuffled outcomes, the model ranks other customers with an AUC of 0.500, as chance does ...
    """
    rng = np.random.default_rng(random_state)
    halves = _halves(stack(known.past), n_rows, rng) if known.past else None
    enough = halves is not None and all(_enough(half.outcomes[target]) for half in halves)
    if halves is None or not enough:
        told = f"Nothing was probed: that takes {_FEW} customers of either outcome in each half."
        return LeakageProbe(target, 0, leakage_suspects(pd.DataFrame(), []), np.nan, np.nan, level, told)
    suspects = _suspects_and_injected(halves, target, rng)
    n_probed = len(halves.learned.X) + len(halves.judged.X)
    why_not = "" if shuffle and needs_outcomes(model) else "It ranks without outcomes: none were shuffled."
    found = _Found(np.nan, np.nan)
    if not why_not:
        try:
            found = _shuffled(_lighter(model), halves, target, horizon, n_shuffles, level, rng)
        except (DataError, FitError) as error:
            why_not = f"Shuffled outcomes could not be learned from: {str(error).rstrip('.')}."
    if found.auc > found.bound:
        raise LeakageError(
            f"Fitted on shuffled outcomes, {type(model).__name__} still ranks other customers: AUC "
            f"{found.auc:.3f}, where chance gives at most {found.bound:.3f}. It knows outcomes from "
            "elsewhere than y. Look for a step that was fitted before, or say that the model ranks without "
            "outcomes (shuffle=False)."
        )
    return LeakageProbe(target, n_probed, suspects, found.auc, found.bound, level, why_not)


class _Found(NamedTuple):
    """AUC after learning from shuffled outcomes, and what chance allows."""

    auc: float
    bound: float


def _halves(past: Snapshot, n_rows: int, rng: np.random.Generator) -> _Halves:
    """Draw customers with all their rows, and part them."""
    names = past.X.index.get_level_values(-1)
    customers = rng.permutation(names.unique().sort_values().to_numpy())
    drawn = customers[: max(2, int(len(customers) * min(1.0, n_rows / len(names))))]
    parts = [np.asarray(names.isin(half)) for half in (drawn[::2], drawn[1::2])]
    return _Halves(*(replace(past, X=past.X.loc[part], y=past.outcomes.loc[part]) for part in parts))


def _enough(outcome: Any) -> bool:
    above = _ranked(outcome).to_numpy()
    return bool(min(above.sum(), (~above).sum()) >= _FEW)


def _ranked(outcome: Any) -> pd.Series:
    """Return who churned, or of whom the amount is above the median of the cutoff."""
    if outcome.dtype == np.bool_:
        return outcome
    return outcome > outcome.groupby(level=0).transform("median")


def _suspects_and_injected(halves: _Halves, target: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return suspects; refuse to go on where the search does not find what it must."""
    X = pd.concat([half.X for half in halves])
    y = pd.concat([half.outcomes[target] for half in halves]).to_numpy(dtype=np.float64)
    name = _INJECTED
    while name in X:
        name += "_"
    # Of ranks, so that the noise is small whether amounts lie close together or far apart.
    told = rankdata(y) / len(y) + 0.01 * rng.standard_normal(len(y))
    found = leakage_suspects(X.assign(**{name: told}), y)
    if name not in set(found["feature"]):
        raise LeakageError(
            "A feature made of the outcome was put among the others, and the search for leaks did not name "
            "it: this training cannot be guarded. Look whether y is what it should be."
        )
    return found.loc[found["feature"] != name].reset_index(drop=True)


def _lighter(model: BaseEstimator) -> BaseEstimator:
    """Return a copy with few trees, and without what it is told beforehand."""
    fresh: Any = clone(model)
    asked: dict[str, Any] = {}
    for name, value in fresh.get_params().items():
        lighter = _LIGHTER.get(name.rpartition("__")[2])
        if lighter is not None and type(value) is type(lighter):
            asked[name] = min(value, lighter) if isinstance(value, int) else lighter
    return fresh.set_params(**asked)


def _shuffled(
    model: BaseEstimator,
    halves: _Halves,
    target: str,
    horizon: int,
    n_shuffles: int,
    level: float,
    rng: np.random.Generator,
) -> _Found:
    """Learn from shuffled outcomes and from their opposite; judge by true ones."""
    outcome = _ranked(halves.judged.outcomes[target])
    found: list[float] = []
    for _ in range(n_shuffles):
        areas: list[float] = []
        for labels in _labels_and_opposite(halves.learned.outcomes[target], rng):
            learned = replace(halves.learned, y=halves.learned.outcomes.assign(**{target: labels}))
            fitted = fit_before(model, target, learned, learned, horizon)
            areas.append(
                _auc_within_cutoffs(outcome, predict_target(fitted, target, halves.judged.X, horizon))
            )
        found.append(float(np.mean(areas)))
    of_shuffles = float(t.isf(level, n_shuffles - 1)) * float(np.std(found, ddof=1)) / np.sqrt(n_shuffles)
    of_customers = float(norm.isf(level)) * _error_within_cutoffs(outcome)
    return _Found(float(np.mean(found)), 0.5 + max(of_shuffles, of_customers))


def _labels_and_opposite(outcome: Any, rng: np.random.Generator) -> tuple[pd.Series, pd.Series]:
    """Shuffle outcomes within each cutoff, and swap them for the opposite."""
    ranked = _ranked(outcome)
    cutoff = ranked.groupby(level=0).ngroup().to_numpy()
    labels = np.empty(len(ranked), dtype=np.bool_)
    shuffled = np.lexsort([rng.random(len(ranked)), cutoff])
    labels[shuffled] = ranked.to_numpy()[np.argsort(cutoff, kind="stable")]
    both = (pd.Series(one, ranked.index) for one in (labels, ~labels))
    first, opposite = both if outcome.dtype == np.bool_ else (one * _AMOUNT for one in both)
    return first, opposite


def _auc_within_cutoffs(outcome: pd.Series, prediction: FloatArray) -> float:
    """Average AUC over cutoffs by their pairs: what differs between cutoffs is no leak."""
    areas, pairs = 0.0, 0.0
    told = pd.Series(prediction, outcome.index)
    for _, happened in outcome.groupby(level=0):
        of_cutoff = float(happened.sum()) * float((~happened).sum())
        if of_cutoff:
            value = told.loc[happened.index].to_numpy()
            area = auc(happened.to_numpy(dtype=np.float64), value, np.ones((1, len(value))))[0]
            areas, pairs = areas + of_cutoff * float(area), pairs + of_cutoff
    return areas / pairs


def _error_within_cutoffs(outcome: pd.Series) -> float:
    """Return the standard error of that average where nothing is told; customers of cutoffs are the same."""
    errors, pairs = 0.0, 0.0
    for _, happened in outcome.groupby(level=0):
        n_ones, n_zeros = int(happened.sum()), int((~happened).sum())
        if n_ones and n_zeros:
            errors += n_ones * n_zeros * auc_error(n_ones, n_zeros)
            pairs += n_ones * n_zeros
    return errors / pairs
