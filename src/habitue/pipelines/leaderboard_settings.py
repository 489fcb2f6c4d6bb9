"""`benchmarks/leaderboard.toml`: data sets to be judged on, how, and which models are one's own.

A data set is a table of the file. Its columns are named as in `habitue.toml`; a key that is not known is
answered with the nearest one that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field
from sklearn.base import BaseEstimator

from habitue import models
from habitue.errors import SettingsError
from habitue.evaluation.rivals import targets_of
from habitue.evaluation.scores import SCORES
from habitue.pipelines.recipes import Challenger
from habitue.pipelines.settings import LONGEST_HORIZON, DataSettings, Strict, as_settings, read_toml

__all__ = [
    "LeaderboardSettings",
    "OneTable",
    "Published",
    "TransactionData",
    "own_models",
    "read_leaderboard",
]

Target: TypeAlias = Literal["churned", "spend", "n_purchases"]


class Published(Strict):
    """Figures from elsewhere that stand beside."""

    model: str
    source: str
    target: Target = "churned"
    scores: dict[str, float]


class TransactionData(DataSettings):
    """A log of purchases, judged by a rolling backtest."""

    kind: Literal["transactions"]
    title: str
    about: str = ""
    cutoffs: list[date] = Field(min_length=1)
    horizon: int = Field(gt=0, le=LONGEST_HORIZON)
    targets: list[Target] = Field(default=["churned", "spend", "n_purchases"], min_length=1)
    n_training: int = Field(default=4, gt=0)
    step: int | None = Field(default=None, gt=0)
    published: list[Published] = Field(default_factory=list[Published])


class OneTable(Strict):
    """One row a customer and a column that says who churned, judged on customers held out."""

    kind: Literal["table"]
    title: str
    about: str = ""
    source: str
    target: str
    positive: str | int | float | bool = True
    """Value of the target that means churned."""
    leave_out: dict[str, str] = Field(default_factory=dict[str, str])
    """Columns that no model may see, and why."""
    categories: list[str] = Field(default_factory=list[str])
    """Columns of numbers that are names of something, such as product numbers."""
    tenure: str | None = None
    folds: int = Field(default=5, ge=2)
    first: int | None = Field(default=None, gt=0)
    """Train on so many rows at the beginning and test on the rest, instead of folds."""
    published: list[Published] = Field(default_factory=list[Published])


class _WholeFile(Strict):
    """The file as it is read; its data sets are checked one by one, so that messages name them."""

    folder: str = "."
    n_replicates: int = Field(default=200, gt=0)
    ours: list[Challenger] = Field(
        default=[
            Challenger(model="BoostedChurnClassifier", label="LightGBM"),
            Challenger(model="BoostedValueRegressor", label="LightGBM Tweedie"),
        ],
        min_length=1,
    )
    data: dict[str, dict[str, Any]] = Field(min_length=1)


class LeaderboardSettings(Strict):
    """All of the file."""

    folder: Path
    n_replicates: int
    ours: list[Challenger]
    data: dict[str, TransactionData | OneTable]


def read_leaderboard(path: Path, *, folder: Path | None = None) -> LeaderboardSettings:
    """Read the TOML file.

    Parameters
    ----------
    path : Path
        The file.
    folder : Path, optional
        Where the data lie; else the file says it, relative to itself.

    Raises
    ------
    SettingsError
        Where the file is missing, is no TOML, or says something impossible; names the data set and the key.
    """
    if not path.is_file():
        raise SettingsError(
            f"There is no {path}. Name a file of data sets, such as benchmarks/leaderboard.toml."
        )
    whole = read_toml(path, _WholeFile)
    data = {name: _one(given, f"{path}, [data.{name}]") for name, given in whole.data.items()}
    there = path.parent / Path(whole.folder).expanduser() if folder is None else folder
    settings = LeaderboardSettings(folder=there, n_replicates=whole.n_replicates, ours=whole.ours, data=data)
    for target in SCORES:
        own_models(settings, target)
    return settings


def _one(given: Mapping[str, Any], described: str) -> TransactionData | OneTable:
    kinds = {"transactions": TransactionData, "table": OneTable}
    kind = given.get("kind")
    if kind not in kinds:
        raise SettingsError(f"{described}: 'kind' must be one of {', '.join(kinds)}; got {kind!r}.")
    made = as_settings(given, kinds[kind], described=described)
    if not made.source:
        raise SettingsError(f"{described}: 'source' is missing: say which file holds the data.")
    for one in made.published:
        known = [score.name for score in SCORES[one.target]]
        if odd := [name for name in one.scores if name not in known]:
            raise SettingsError(
                f"{described}: there is no score {odd[0]!r} of {one.target}; known are {', '.join(known)}."
            )
    return made


def own_models(settings: LeaderboardSettings, target: str) -> dict[str, BaseEstimator]:
    """Make one's own models of a target, unfitted.

    Parameters
    ----------
    settings : LeaderboardSettings
        Names them.
    target : str
        "churned", "spend" or "n_purchases".

    Returns
    -------
    dict of str to estimator
        By the name that tables show.

    Raises
    ------
    SettingsError
        Where there is no such model or parameter, or two bear one name.
    """
    made: dict[str, BaseEstimator] = {}
    for one in settings.ours:
        if one.model not in models.__all__:
            raise SettingsError(f"There is no model {one.model!r} in habitue.models.")
        if one.name in made:
            raise SettingsError(f"Two models in 'ours' are called {one.name!r}: give each a label.")
        made[one.name] = one.build()
    return {name: model for name, model in made.items() if target in targets_of(name, model)}
