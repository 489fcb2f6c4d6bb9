"""What standings say, in words and as Markdown: who wins, who does not, and by how much."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from habitue.evaluation.leaderboard import Standings
from habitue.evaluation.scores import SCORES, Score

__all__ = ["figure", "markdown_table", "tally", "verdicts"]


def verdicts(found: Standings) -> list[str]:
    """Say for each model of one's own where it wins beyond chance, and plainly where it does not.

    Parameters
    ----------
    found : Standings
        Of one data set.

    Returns
    -------
    list of str
        A sentence or two for each target and model of one's own, in Markdown.
    """
    told: list[str] = []
    for key, rows in found.duels.groupby(["target", "model"], sort=False):
        target, model = key if isinstance(key, tuple) else (key, "")
        wins = [_duel(row) for row in rows.to_dict("records") if _is_won(row)]
        lost = [_duel(row) for row in rows.to_dict("records") if not _is_won(row)]
        if not lost:
            told.append(f"{target}: {model} wins by every score beyond chance: {'; '.join(wins)}.")
            continue
        by = f"{len(lost)} of {len(rows)} scores" if wins else "any score"
        ahead = f" Ahead beyond chance: {'; '.join(wins)}." if wins else ""
        told.append(f"{target}: {model} does **not** win by {by}: {'; '.join(lost)}.{ahead}")
    return told


def _duel(row: Mapping[str, float]) -> str:
    """Say how one comparison went."""
    name = str(row["score"]).replace("_", " ")
    if _is_won(row):
        return f"{name} (next: {row['rival']}, {figure(row['gain'], signed=True)})"
    if not np.isfinite(row["gain"]):
        return f"{name} (not defined)"
    how = "behind" if _is_lost(row) else "level with"
    interval = f"{figure(row['lower'], signed=True)} to {figure(row['upper'], signed=True)}"
    return f"{name} ({how} {row['rival']}: {figure(row['gain'], signed=True)}, {interval})"


def tally(duels: Iterable[pd.DataFrame]) -> list[str]:
    """Say how many comparisons each of one's own models wins, loses and leaves open.

    Parameters
    ----------
    duels : iterable of DataFrame
        `Standings.duels` of each data set.

    Returns
    -------
    list of str
        A sentence for each model, in Markdown.
    """
    every = [row for table in duels for row in table.to_dict("records")]
    told: list[str] = []
    for model in dict.fromkeys(str(row["model"]) for row in every):
        mine = [row for row in every if row["model"] == model]
        won, lost = (sum(test(row) for row in mine) for test in (_is_won, _is_lost))
        told.append(
            f"- {model} ★ against the best rival by each score, {len(mine)} comparisons: wins {won}, loses "
            f"{lost}, and {len(mine) - won - lost} are within chance."
        )
    return told


def _is_won(row: Mapping[Any, Any]) -> bool:
    return bool(row["lower"] > 0.0)


def _is_lost(row: Mapping[Any, Any]) -> bool:
    return bool(row["upper"] < 0.0)


def markdown_table(
    scores: pd.DataFrame,
    target: str,
    *,
    ours: Collection[str] = (),
    published: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Write one target's scores as a Markdown table: models in rows by mean rank, the best by each in bold.

    Parameters
    ----------
    scores : DataFrame
        `Standings.scores`.
    target : str
        One of `SCORES`.
    ours : collection of str
        Models to mark with a star.
    published : Mapping[str, Mapping[str, float]], optional
        Figures from elsewhere, score by name, to stand below: what they are called, and their values.

    Returns
    -------
    str
        With half of the interval behind each value, and an arrow for the direction that is better.
    """
    rows = scores.loc[scores["target"] == target]
    names = [one.name for one in SCORES[target] if one.name in set(rows["score"])]
    order = rows.groupby("model", sort=False)["rank"].mean().sort_values(kind="stable").index
    best = rows["rank"] == rows.groupby("score", sort=False)["rank"].transform("min")
    told = rows.assign(is_best=best).to_dict("records")
    cells = {(row["model"], row["score"]): _cell(row) for row in told}
    arrows = {one.name: _arrow(one) for one in SCORES[target]}
    lines = [
        "| model | " + " | ".join(f"{name.replace('_', ' ')} {arrows[name]}" for name in names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    for model in order:
        values = " | ".join(cells.get((model, name), "–") for name in names)
        lines.append(f"| {model}{' ★' if model in ours else ''} | {values} |")
    for source, known in (published or {}).items():
        values = " | ".join(figure(known[name]) if name in known else "–" for name in names)
        lines.append(f"| *published: {source}* | {values} |")
    return "\n".join(lines)


def _cell(row: Mapping[str, float]) -> str:
    if not np.isfinite(row["value"]):
        return "–"
    value = figure(row["value"])
    half = (row["upper"] - row["lower"]) / 2.0
    told = f"**{value}**" if row["is_best"] else value
    return f"{told} ±{figure(half)}" if np.isfinite(half) and half > 0.0 else told


def _arrow(score: Score) -> str:
    if score.greater_is_better is None:
        return f"→ {score.ideal:g}"
    return "↑" if score.greater_is_better else "↓"


def figure(value: float, *, signed: bool = False) -> str:
    """Write a number with as many decimals as its size deserves.

    Parameters
    ----------
    value : float
        Any size.
    signed : bool
        Whether a plus stands before what is above 0.

    Examples
    --------
    >>> figure(0.84523), figure(30.501), figure(2955.2), figure(0.0049, signed=True)
    ('0.8452', '30.50', '2,955', '+0.0049')
    """
    if not np.isfinite(value):
        return "–"
    size = abs(value)
    decimals = sum(size < edge for edge in (1000.0, 100.0, 10.0, 1.0))
    return f"{value:{'+' if signed else ''},.{decimals}f}"
