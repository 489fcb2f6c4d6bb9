"""`models/*.toml`: what `habitue train` trains, how it is tested, and what makes a champion."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from sklearn.base import BaseEstimator

from habitue import models
from habitue.errors import SettingsError
from habitue.evaluation import SCORES
from habitue.pipelines.settings import LONGEST_HORIZON, Strict, read_toml

__all__ = ["Challenger", "ChampionRule", "Recipe", "built_in_recipe", "read_recipe"]

_MODELS = {
    "churned": (
        "BTYDChurnClassifier",
        "LogisticChurnClassifier",
        "BoostedHazardModel",
        "BoostedChurnClassifier",
    ),
    "spend": ("BTYDValueRegressor", "BoostedValueRegressor"),
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
}


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
    tune: Tuning | None = None

    @property
    def name(self) -> str:
        """How tables name it."""
        pretty = _PRETTY.get(self.model, self.model)
        return self.label or (pretty if self.tune is None else f"{pretty} (tuned)")

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
        known = [
            name for name in estimator.get_params(deep=False) if name not in {"horizon", "purchases", "spend"}
        ]
        for name in self.params:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known) or 'none'}"
                raise SettingsError(f"{self.model} has no parameter {name!r}; {hint}")
        return estimator.set_params(**self.params)


class Evaluation(Strict):
    """When models are tested, and what they may learn from."""

    n_cutoffs: int = Field(default=1, gt=0)
    n_training: int = Field(default=4, gt=0)
    step: int | None = Field(default=None, gt=0)
    n_replicates: int = Field(default=200, gt=0)


class ChampionRule(Strict):
    """What makes a champion: the best by one score, the simplest of those not clearly worse."""

    metric: str
    confidence: float = Field(default=0.95, gt=0, lt=1)


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
    challengers: list[Challenger] = Field(min_length=1)

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
            one.build()
        names = [one.name for one in self.challengers]
        if len(set(names)) < len(names):
            raise SettingsError(f"Challengers need different labels; got {', '.join(names)}.")
        metrics = [score.name for score in SCORES[self.target]]
        if self.champion.metric not in metrics:
            near = get_close_matches(self.champion.metric, metrics, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SettingsError(
                f"champion.metric {self.champion.metric!r} is unknown: {hint}"
                f"Possible are {', '.join(metrics)}."
            )


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
