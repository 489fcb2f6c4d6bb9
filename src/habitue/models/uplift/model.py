"""Uplift: what an offer changes, customer by customer, learned from contacts that were drawn by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as student
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from habitue.errors import SettingsError
from habitue.models.feature_table import known_table
from habitue.models.persistence import persistent
from habitue.models.purchase_history import CustomerTable
from habitue.models.uplift.calibration import Calibrated, calibrate_unseen, learn_calibration, recentred
from habitue.models.uplift.effects import ArmEffect
from habitue.models.uplift.gathering import gather
from habitue.models.uplift.intervals import EffectBounds, learn_halves, standard_errors
from habitue.models.uplift.learners import LEARNERS
from habitue.models.uplift.material import Material
from habitue.numerics.uplift import Estimate

__all__ = ["EffectBounds", "UpliftModel"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@persistent
class UpliftModel(BaseEstimator):
    """Predict what each arm of an experiment changes for a customer, against being left alone.

    Parameters
    ----------
    learner : str
        "DR", "R", "X" or "T" for effects by trees; "risk" for a line in the outcome expected anyway;
        "average" for one effect for all.
    control : str
        The arm that others are compared with.
    outcome : str
        "binary", "spend" (many zeros, none negative), "continuous", or "auto" by what y holds.
    calibration : str
        "linear", "isotonic" or "none": how effects are made to mean what they say.
    n_folds : int
        Folds of cross-fitting, at least 3.
    n_estimators : int
        Trees, at most; as many as serve customers best whom the trees have not seen.
    learning_rate : float
        Shrinkage of each, in (0, 1].
    num_leaves : tuple of int
        Sizes of an effect's trees that are tried, at least 2 each. With 2, effects of features only add up.
    min_child_samples : int, optional
        Customers in a leaf of an effect's tree, at least; one in a hundred where None, and never below 50.
    outcome_leaves : int
        Leaves of a tree for outcomes.
    outcome_child_samples : int
        Customers in a leaf of such a tree, at least.
    reg_lambda : float
        Ridge on leaf values.
    n_replicates : int
        Learners of half the customers each, for `predict_interval`; none where 0.
    random_state : int
        Seed; the same seed and data give the same effects.
    n_jobs : int, optional
        Threads; all cores where None.

    Attributes
    ----------
    arms_ : list of str
        The arms beside the control.
    kind_ : str
        What kind of outcome was learned.
    learned_ : dict
        Of each arm, the effect before it is calibrated.
    calibrated_ : dict
        Of each arm, what that is worth.
    replicates_ : dict
        Of each arm, effects learned from halves.
    n_rows_ : dict
        Rows of each arm, the control among them.
    feature_names_in_ : ndarray of str
        Columns of X in fitting.
    n_features_in_ : int
        Their number.
    levels_ : dict of list
        Of each column of categories, those that there were in fitting.

    See Also
    --------
    habitue.numerics.uplift : The formulas of the learners, and the papers they are from.

    Notes
    -----
    Chances of arms that were recorded at the draw are used as they are; they are estimated only where asked
    by ``propensity="estimate"``, and effects then rest on there being no reason for the draw that X does not
    tell. Outcomes expected under each arm, and all that effects are calibrated and judged on, come from
    models that had not seen the customer.

    Signals are weak: trees are few and small, by the loss on unseen customers, and may be none. The line
    through doubly robust scores of unseen customers says what is left: a slope of 1 means that predicted
    differences are real, an interval of the slope that holds 0 that none were found. Differences are kept by
    as much as the slope is certain, and the mean of predictions is the average effect.

    References
    ----------
    .. [1] Chernozhukov, V., Demirer, M., Duflo, E. & Fernández-Val, I. (2018). Generic machine learning
       inference on heterogeneous treatment effects in randomized experiments. NBER working paper 24678.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"inactivity": rng.uniform(0.0, 1.0, 4_000)})
    >>> arm = rng.choice(["control", "call"], 4_000)
    >>> chance = 0.2 + 0.4 * X["inactivity"] * (arm == "call")
    >>> stays = (rng.uniform(size=4_000) < chance).astype(float)
    >>> model = UpliftModel(n_replicates=0, n_jobs=1).fit(X, stays, arm, propensity=np.full(4_000, 0.5))
    >>> effect = model.predict(pd.DataFrame({"inactivity": [0.1, 0.9]}))["call"]
    >>> bool(effect[0] < 0.15 < 0.25 < effect[1])
    True
    """

    if TYPE_CHECKING:
        arms_: list[str]
        kind_: str
        learned_: dict[str, ArmEffect]
        calibrated_: dict[str, Calibrated]
        replicates_: dict[str, list[ArmEffect]]
        n_rows_: dict[str, int]
        feature_names_in_: npt.NDArray[np.object_]
        n_features_in_: int
        levels_: dict[str, list[Any]]

    def __init__(
        self,
        *,
        learner: str = "DR",
        control: str = "control",
        outcome: str = "auto",
        calibration: str = "linear",
        n_folds: int = 5,
        n_estimators: int = 200,
        learning_rate: float = 0.05,
        num_leaves: tuple[int, ...] = (2, 4),
        min_child_samples: int | None = None,
        outcome_leaves: int = 8,
        outcome_child_samples: int = 100,
        reg_lambda: float = 1.0,
        n_replicates: int = 20,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.learner = learner
        self.control = control
        self.outcome = outcome
        self.calibration = calibration
        self.n_folds = n_folds
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.outcome_leaves = outcome_leaves
        self.outcome_child_samples = outcome_child_samples
        self.reg_lambda = reg_lambda
        self.n_replicates = n_replicates
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(
        self,
        X: CustomerTable,
        y: npt.ArrayLike,
        arm: npt.ArrayLike,
        propensity: npt.ArrayLike | str | None = None,
        *,
        groups: npt.ArrayLike | None = None,
        strata: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Learn from customers whose arm was drawn and whose outcome is known.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            What was known before the draw: numbers, and categories in columns of pandas' type ``category``;
            missing values are allowed.
        y : array_like of shape (n_customers,)
            What came of it: 1 or 0, money, or any number.
        arm : array_like of str, shape (n_customers,)
            The arm that was drawn.
        propensity : array_like of shape (n_customers,), "estimate" or None
            The chance of the arm that was drawn. None: the share of each arm, within strata where these are
            given.
        groups : array_like of shape (n_customers,), optional
            Whose row it is, where a customer has several.
        strata : array_like of shape (n_customers,), optional
            Within which arms were drawn with one chance for all.
        sample_weight : array_like of shape (n_customers,), optional
            How much each row counts.

        Raises
        ------
        SettingsError
            Where a setting is not among the allowed.
        DataError
            Where there is no control, nothing but the control, an arm with too few rows, a chance that is not
            above 0 and below 1, or an outcome or label is missing.

        Warns
        -----
        AssumptionWarning
            Where an arm was drawn by customers who hardly ever draw it, or chances do not add up.
        """
        material = gather(
            self, X, y, arm, propensity, groups=groups, strata=strata, sample_weight=sample_weight
        )
        self.learn(material)
        return self

    def learn(self, material: Material) -> FloatArray:
        """Learn effects from what was gathered, and return those of customers who were not seen.

        Parameters
        ----------
        material : Material
            As `gather` returns it, of a model with the same settings but for the learner and its calibration.

        Returns
        -------
        ndarray of shape (n_customers, n_arms)
            Calibrated effects by copies, and calibrations, that had not seen the customer's fold; one column
            for each of `arms_`.
        """
        experiment, fold = material.experiment, material.nuisances.fold
        unseen = np.empty((len(fold), len(self.arms_)))
        self.learned_, self.calibrated_, self.replicates_ = {}, {}, {}
        for place, name in enumerate(self.arms_, start=1):
            found = LEARNERS[self.learner](material, place)
            told = recentred(found.unseen, fold, experiment.weights)
            scores = material.effect_scores(place)
            self.learned_[name] = found.effect
            self.calibrated_[name] = learn_calibration(
                self.calibration,
                told,
                scores,
                experiment.weights,
                experiment.clusters,
                final=found.effect.predict(material.matrix),
            )
            unseen[:, place - 1] = calibrate_unseen(self.calibration, told, scores, experiment.weights, fold)
            self.replicates_[name] = learn_halves(
                found.refit, material, n_replicates=self.n_replicates, seed=(self.random_state, place)
            )
        return unseen

    def predict(self, X: CustomerTable) -> pd.DataFrame:
        """Return what each arm changes for each customer, against the control.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.

        Returns
        -------
        DataFrame of shape (n_customers, n_arms)
            In the unit of y; a column for each of `arms_`, the index of X.

        Raises
        ------
        SchemaError
            Where a column is missing, or holds something else than in fitting.
        """
        matrix = self._known(X)
        told = {
            name: self.calibrated_[name].apply(self.learned_[name].predict(matrix)) for name in self.arms_
        }
        return pd.DataFrame(told, index=_index(X), columns=self.arms_)

    def predict_interval(self, X: CustomerTable, confidence: float = 0.9) -> EffectBounds:
        """Return intervals around predicted effects: of the mean effect of customers predicted alike.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        confidence : float
            In (0, 1).

        Returns
        -------
        EffectBounds
            Frames `lower` and `upper` of the shape of `predict`.

        Raises
        ------
        SettingsError
            Where there are no replicates, or confidence is out of range.

        Notes
        -----
        An interval is of the mean effect of customers who are predicted alike, and holds that at least as
        often as it says. It is not one of a single customer's effect, which features the trees made nothing
        of may move further. How far cannot be told without more assumptions: by doubly robust scores, errors
        of two learners can be held against each other, but of none alone is it known how large they are.
        Joined are the errors of the average effect and of the slope, what shrinkage took away, and the spread
        between learners of half the customers each. Customers who are predicted far from the mean have wider
        intervals, those of no found differences among them. The outcome of one customer varies far more.
        """
        if not 0.0 < confidence < 1.0:
            raise SettingsError(f"expected confidence in (0, 1), got {confidence!r}; 0.9 is usual.")
        matrix = self._known(X)
        if self.n_replicates < 2:
            raise SettingsError("expected n_replicates of at least 2 in fitting; set it to 20 and fit anew.")
        width = float(student.ppf(0.5 + confidence / 2.0, self.n_replicates - 1))
        effects = self.predict(X)
        errors = {
            name: standard_errors(effect, self.calibrated_[name], self.replicates_[name], matrix)
            for name, effect in self.learned_.items()
        }
        half = width * pd.DataFrame(errors, index=effects.index, columns=self.arms_)
        return EffectBounds(effects - half, effects + half)

    def contributions(self, X: CustomerTable, *, arm: str | None = None) -> pd.DataFrame:
        """Return what each feature adds to an arm's effect.

        Parameters
        ----------
        X : DataFrame of shape (n_customers, n_features)
            With at least the columns of fitting, in any order.
        arm : str, optional
            One of `arms_`; may be left out where there is only one.

        Returns
        -------
        DataFrame of shape (n_customers, n_features)
            In the unit of y; with `base_values_` of the arm, rows add up to `predict`.

        Raises
        ------
        SettingsError
            Where there is no such arm.
        """
        matrix = self._known(X)
        name = self._arm(arm)
        values = self.learned_[name].contributions(matrix)
        told = self.calibrated_[name].carry(values)
        return pd.DataFrame(told[:, :-1], columns=list(self.feature_names_in_), index=_index(X))

    @property
    def base_values_(self) -> dict[str, float]:
        """Of each arm, the effect that contributions start from."""
        nobody = np.zeros((1, self.n_features_in_))
        return {
            name: float(self.calibrated_[name].carry(self.learned_[name].contributions(nobody))[0, -1])
            for name in self.arms_
        }

    @property
    def effects_(self) -> pd.DataFrame:
        """Average effect of each arm by doubly robust scores, with its 95 % interval and rows."""
        rows = {
            name: (one.average, *Estimate(one.average, one.average_error).interval(), self.n_rows_[name])
            for name, one in self.calibrated_.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index", columns=["effect", "lower", "upper", "n"])

    @property
    def calibration_(self) -> pd.DataFrame:
        """Calibration slope of each arm, its 95 % interval, the share kept, and whether it is above 0.

        A slope of 1 is ideal; ``found`` is whether the interval is above 0, which it is by chance in about
        one of forty. The interval allows for folds having taught each other (`Calibrated.slope_interval`).
        """
        rows: dict[str, tuple[float | bool, ...]] = {}
        for name, one in self.calibrated_.items():
            lower, upper = one.slope_interval(0.95)
            rows[name] = (one.slope, lower, upper, one.kept, lower > 0.0)
        return pd.DataFrame.from_dict(
            rows, orient="index", columns=["slope", "lower", "upper", "kept", "found"]
        )

    def _known(self, X: CustomerTable) -> FloatArray:
        check_is_fitted(self, "learned_")
        names: list[str] = list(self.feature_names_in_)
        return known_table(X, names, asked=type(self).__name__, levels=self.levels_)[1]

    def _arm(self, arm: str | None) -> str:
        if arm is None and len(self.arms_) == 1:
            return self.arms_[0]
        if arm not in self.arms_:
            raise SettingsError(f"expected arm to be one of {', '.join(self.arms_)}; got {arm!r}.")
        return str(arm)


def _index(X: CustomerTable) -> pd.Index | None:
    return X.index if isinstance(X, pd.DataFrame) else None
