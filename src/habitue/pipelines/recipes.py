"""`models/*.toml`: what `habitue train` trains, how it is tested, and what makes a champion."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError
from sklearn.base import BaseEstimator, is_regressor

from habitue import models
from habitue.errors import SettingsError
from habitue.evaluation import SCORES
from habitue.pipelines.monitoring.monitored import AlarmKind
from habitue.pipelines.settings import LONGEST_HORIZON, Strict, as_settings, read_toml

__all__ = [
    "CalibrationFloor",
    "Card",
    "Challenger",
    "ChampionRule",
    "FairnessAudited",
    "Recipe",
    "Retrain",
    "SegmentFloor",
    "built_in_recipe",
    "read_recipe",
    "recipe_from",
]

_MODELS = {
    "churned": (
        "BTYDChurnClassifier",
        "LogisticChurnClassifier",
        "BoostedHazardModel",
        "BoostedChurnClassifier",
        "StackedChurnClassifier",
    ),
    "spend": ("BTYDValueRegressor", "BoostedValueRegressor", "StackedValueRegressor"),
}
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_ .()-]*$"
"""Names that a reference such as ``name@champion`` can hold."""

_PRETTY = {
    "LogisticChurnClassifier": "logistic",
    "BoostedHazardModel": "LightGBM hazards",
    "BTYDChurnClassifier": "BG/NBD",
    "BTYDValueRegressor": "BG/NBD + gamma-gamma",
    "BoostedChurnClassifier": "LightGBM",
    "BoostedValueRegressor": "LightGBM",
    "StackedChurnClassifier": "stacked",
    "StackedValueRegressor": "stacked",
}


_NOT_FROM_TEXT = {"horizon", "purchases", "spend", "models", "model", "season"}
"""Parameters that a recipe's text cannot give, or that are given elsewhere."""


_REFITS = 5
"""Resamples to which a model is refitted where its stability is simply wanted."""
_FEWEST_REFITS = 2
"""Of fewer no interval can be told."""


class Tuning(Strict):
    """The budget under which a challenger's settings are searched."""

    n_trials: int = Field(default=40, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    random_state: int = 0


class Challenger(Strict):
    """One model that competes."""

    model: str
    label: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    of: list[str] | None = None
    """Names of earlier challengers that a stacked one is made of; all of them where None."""
    tune: Tuning | None = None
    season: Literal["yearly"] | None = None
    """Whether purchases run by the clock of the season known at each cutoff (models of purchases), or totals
    are corrected by those of a year before (other models of value)."""

    @property
    def name(self) -> str:
        """How tables name it."""
        pretty = _PRETTY.get(self.model, self.model)
        return self.label or (pretty if self.tune is None else f"{pretty} (tuned)")

    @property
    def is_stacked(self) -> bool:
        """Whether it is made of other challengers."""
        return self.model.startswith("Stacked")

    def build(self) -> BaseEstimator:
        """Make the unfitted estimator, and the search of its settings around it where there is one."""
        made = self.untuned()
        return made if self.tune is None else models.TunedModel(made, **self.tune.model_dump())

    def untuned(self) -> BaseEstimator:
        """Make the unfitted estimator.

        Raises
        ------
        SettingsError
            Where a parameter is unknown; names the nearest.
        """
        estimator: Any = getattr(models, self.model)()
        known = [name for name in estimator.get_params(deep=False) if name not in _NOT_FROM_TEXT]
        for name in self.params:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
                raise SettingsError(f"{self.model} has no parameter {name!r}; {hint}")
        made = estimator.set_params(**self.params)
        return made if self.season is None else self._in_season(made)

    def _in_season(self, made: Any) -> BaseEstimator:
        """Let a model know of seasons, in the way that suits it."""
        if "purchases" in made.get_params(deep=False):
            return made.set_params(purchases=models.SeasonalPurchases(model=made.purchases))
        if is_regressor(made):
            return models.SeasonCorrected(model=made)
        raise SettingsError(
            f"{self.model} cannot be given season = {self.season!r}: it takes a model of purchases inside "
            "(BTYDChurnClassifier) or a model of value"
        )


class Evaluation(Strict):
    """When models are tested, and what they may learn from."""

    n_cutoffs: int = Field(default=1, gt=0)
    n_training: int = Field(default=4, gt=0)
    step: int | None = Field(default=None, gt=0)
    n_replicates: int = Field(default=200, gt=0)


class CalibrationFloor(Strict):
    """How far predictions of the one that is to be champion may be off, unless the champion's are worse."""

    slope: tuple[float, float] = (0.75, 1.35)
    """Of churn: the calibration slope lies between these."""
    intercept: float = Field(default=0.3, gt=0)
    """Of churn: the calibration intercept, in log-odds, is no further from 0."""
    bias: float = Field(default=0.25, gt=0)
    """Of spend: the predicted total is no further from the actual one, as a share of it."""


class SegmentFloor(Strict):
    """How much worse than the champion's its predictions may be for any kind of customer."""

    worse_by: float = Field(default=0.0, ge=0)
    """In the unit of the metric; only what is worse by more beyond chance counts."""
    at_least: int = Field(default=100, ge=20)
    """Customers that a segment must have to be judged."""


def _or_none(given: Any) -> Any:
    """Read false as no floor, and true as the floor that is not written out."""
    if given is False:
        return None
    return {} if given is True else given


class ChampionRule(Strict):
    """What makes a champion: the best by one score, the simplest of those not clearly worse.

    Where there is a champion already, a challenger must beat it on the same days by more than the margin, and
    keep the floors.
    """

    metric: str
    confidence: float = Field(default=0.95, gt=0, lt=1)
    margin: float = Field(default=0.0, ge=0)
    """How much better a challenger must be at least, in the unit of the metric."""
    calibration: Annotated[CalibrationFloor | None, BeforeValidator(_or_none)] = CalibrationFloor()
    segments: Annotated[SegmentFloor | None, BeforeValidator(_or_none)] = SegmentFloor()
    promote: Literal["by hand", "automatic"] = "by hand"
    """Whether a training may put a challenger that passes in the champion's place by itself."""


class Retrain(Strict):
    """When `habitue retrain` trains a challenger; never where nothing is named."""

    every: int | None = Field(default=None, gt=0)
    """Days of outcomes that have become known since the newest of champion and challenger was trained."""
    when: list[AlarmKind] = Field(default_factory=list)
    """Kinds of alarm of the last monitoring that call for it."""


def _check_refits(given: Any) -> Any:
    if isinstance(given, bool) or (isinstance(given, int) and given >= _FEWEST_REFITS):
        return given
    raise PydanticCustomError("refits", "expected true, false or a number of refits, 2 or more")


class FairnessAudited(Strict):
    """Attributes of customers by which every challenger is audited, and who counts as flagged."""

    attributes: list[str] = Field(min_length=1)
    """Columns of the records of kind customers; none becomes a feature by standing here."""
    threshold: float | None = None
    """Who has a prediction of this or more is flagged; the top share where None."""
    top_share: float = Field(default=0.1, gt=0, lt=1)
    at_least: int = Field(default=100, ge=20)
    """Customers that a group must have to be judged."""


class Card(Strict):
    """What the model card takes time for."""

    stability: Annotated[bool | int, BeforeValidator(_check_refits)] = False
    """Refits by which it is measured whether reasons stay, each as long as a training; true for five."""

    @property
    def n_refits(self) -> int:
        """How many; 0 where nothing is measured."""
        return _REFITS * self.stability if isinstance(self.stability, bool) else self.stability


class Recipe(Strict):
    """All of a recipe file.

    Challengers are listed from the simplest to the most complex: where the data cannot tell two apart, the
    simpler one is champion.
    """

    name: str = Field(pattern=_NAME)
    target: Literal["churned", "spend"]
    churn: Literal["transactions", "contracts"] | None = None
    """Records that tell who is a customer and who churned; transactions where None and there are any."""
    horizon: int | None = Field(default=None, gt=0, le=LONGEST_HORIZON)
    features: list[str] | None = None
    interval: float = Field(default=0.8, gt=0, lt=1)
    evaluation: Evaluation = Evaluation()
    champion: ChampionRule
    retrain: Retrain = Retrain()
    fairness: FairnessAudited | None = None
    card: Card = Card()
    challengers: list[Challenger] = Field(min_length=1)

    def estimators(self) -> dict[str, BaseEstimator]:
        """Make the unfitted estimators, by name; a stacked one is made of those listed before it.

        Raises
        ------
        SettingsError
            Where a parameter is unknown, or a stacked challenger names one that is not listed before it.
        """
        made: dict[str, BaseEstimator] = {}
        for one in self.challengers:
            fresh = one.build()
            if one.is_stacked:
                fresh.set_params(models=_stacked_of(one, made))
            made[one.name] = fresh
        return made

    def check(self) -> None:
        """Refuse what pydantic cannot see.

        Raises
        ------
        SettingsError
            Where a model, parameter or metric is unknown, two challengers bear one name, or what contracts do
            not tell is to be learned from them.
        """
        if self.churn == "contracts" and self.target != "churned":
            raise SettingsError(
                "churn = 'contracts' goes with target = 'churned': spend is learned from purchases."
            )
        for one in self.challengers:
            if one.model not in _MODELS[self.target]:
                allowed = ", ".join(_MODELS[self.target])
                near = get_close_matches(one.model, _MODELS[self.target], n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise SettingsError(
                    f"{one.model!r} cannot predict {self.target}: {hint}Possible are {allowed}."
                )
            if one.tune is not None and not one.model.startswith("Boosted"):
                raise SettingsError(f"{one.model} has nothing to tune: leave out its line tune = ...")
            if one.of is not None and not one.is_stacked:
                raise SettingsError(
                    f"{one.model} is made of no other challengers: leave out its line of = ..."
                )
        names = [one.name for one in self.challengers]
        if len(set(names)) < len(names):
            raise SettingsError(f"Challengers need different labels; got {', '.join(names)}.")
        self.estimators()
        metrics = [score.name for score in SCORES[self.target]]
        if self.champion.metric not in metrics:
            near = get_close_matches(self.champion.metric, metrics, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"champion.metric {self.champion.metric!r} is unknown: {hint}"
                f"Possible are {', '.join(metrics)}."
            )


def _stacked_of(one: Challenger, made: dict[str, BaseEstimator]) -> dict[str, BaseEstimator]:
    """Return what a stacked challenger is made of; none of those that are stacked themselves."""
    asked = [name for name in made if not hasattr(made[name], "answered_by")] if one.of is None else one.of
    if unknown := [name for name in asked if name not in made]:
        raise SettingsError(
            f"{one.name} is made of {', '.join(map(repr, unknown))}, which is no challenger before it: "
            f"there are {', '.join(made) or 'none'}."
        )
    if len(asked) < 2:
        raise SettingsError(f"{one.name} is made of earlier challengers, two or more: list them before it.")
    return {name: made[name] for name in asked}


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe file.

    Parameters
    ----------
    path : Path
        The TOML file.

    Raises
    ------
    SettingsError
        Where the file is missing or says something impossible.
    """
    if not path.is_file():
        raise SettingsError(
            f"There is no recipe {path}. `habitue init` writes models/churn.toml and models/clv.toml."
        )
    recipe = read_toml(path, Recipe)
    try:
        recipe.check()
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error
    return recipe


def recipe_from(text: str, *, name: str) -> Recipe:
    """Read and check a recipe that was kept as text, as a run keeps it.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        How messages call it.

    Raises
    ------
    SettingsError
        Where it says something impossible.
    """
    try:
        recipe = as_settings(tomllib.loads(text), Recipe, described=name)
        recipe.check()
    except (tomllib.TOMLDecodeError, RecursionError, SettingsError) as error:
        raise SettingsError(f"The recipe {name} cannot be read: {error}") from error
    return recipe


def built_in_recipe(name: Literal["churn", "clv", "contract_churn"]) -> tuple[Recipe, str]:
    """Return a recipe that comes with the package, and its text.

    Parameters
    ----------
    name : {"churn", "clv", "contract_churn"}
        Which; the last is the churn of those who have contracts and perhaps no purchases.
    """
    resource = files("habitue.pipelines") / "templates" / f"{name}.toml"
    text = resource.read_text(encoding="utf-8")
    recipe = read_recipe(Path(str(resource)))
    return recipe, text
