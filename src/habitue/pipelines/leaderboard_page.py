"""The page and the CSV of a leaderboard: ranks first, then each data set with tables and plain sentences."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd

from habitue.evaluation.leaderboard import Standings, mean_ranks
from habitue.evaluation.leaderboard_words import figure, markdown_table, tally, verdicts
from habitue.evaluation.scores import SCORES
from habitue.files import safe_cells
from habitue.pipelines.files import write_beside, write_text
from habitue.pipelines.leaderboard_settings import LeaderboardSettings, OneTable, TransactionData

__all__ = ["Result", "page", "sentences", "write_page"]

_HEAD = """# Leaderboard

Written by `habitue leaderboard`; the [how-to](../how-to/leaderboard.md) says how to run it on your own data.
Every model has its default settings and sees nothing of what it is tested on. ★ marks habitue's own models
that learn from outcomes, all others are their rivals. Behind each value stands half of its 95 % bootstrap
interval (customers drawn anew); **bold** is best, ↑ more is better, ↓ less is better, → closer to that number
is better. The sentences compare one of them with the rival that is *best by that very score*, on the same
draws: a gain above 0 is its own, and only an interval that lies above 0 counts as a win.
"""


class Result(NamedTuple):
    """What was found of one data set.

    Attributes
    ----------
    key : str
        Hash of all that it depends on.
    standings : Standings
        Scores, ranks and duels.
    left_out : Mapping[str, str]
        Models without scores, and why.
    notes : tuple of str
        How it was tested, then what the library warned of.
    seconds : float
        Wall time.
    """

    key: str
    standings: Standings
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float

    def plain(self) -> dict[str, Any]:
        """Return it as JSON knows it; what is not a number is null."""
        scores, duels = (
            frame.astype("object").where(frame.notna(), None).to_dict("records")
            for frame in (self.standings.scores, self.standings.duels)
        )
        told = {"scores": scores, "duels": duels}
        kept = {"key": self.key, "left_out": dict(self.left_out), "notes": list(self.notes)}
        return kept | told | {"seconds": self.seconds}

    @classmethod
    def from_plain(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `plain` told.

        Parameters
        ----------
        kept : Mapping[str, Any]
            As JSON gives it back.
        """
        scores, duels = (pd.DataFrame(kept[name]) for name in ("scores", "duels"))
        numbers = ["value", "lower", "upper", "rank"]
        scores[numbers] = scores[numbers].astype("float64")
        numbers = ["gain", "lower", "upper"]
        duels = duels.reindex(columns=["target", "model", "score", "rival", *numbers])
        duels[numbers] = duels[numbers].astype("float64")
        stood = Standings(scores, duels)
        return cls(kept["key"], stood, kept["left_out"], tuple(kept["notes"]), kept["seconds"])


def write_page(
    out: Path, settings: LeaderboardSettings, results: Mapping[str, Result], skipped: Mapping[str, str]
) -> None:
    """Write the page, and beside it all scores as a CSV of the same name.

    Parameters
    ----------
    out : Path
        The page.
    settings : LeaderboardSettings
        Titles, published figures, names of one's own models.
    results : Mapping[str, Result]
        By data set.
    skipped : Mapping[str, str]
        Data sets without a result, and why.
    """
    write_text(out, page(settings, results, skipped))
    parts = [one.standings.scores.assign(data=name) for name, one in results.items()]
    columns = ["data", "target", "model", "score", "value", "lower", "upper", "rank"]
    every = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    write_beside(
        out.with_suffix(".csv"),
        lambda to: safe_cells(every.reindex(columns=columns)).to_csv(to, index=False, float_format="%.6g"),
    )


def page(settings: LeaderboardSettings, results: Mapping[str, Result], skipped: Mapping[str, str]) -> str:
    """Return the page.

    Parameters
    ----------
    settings : LeaderboardSettings
        Titles, published figures, names of one's own models.
    results : Mapping[str, Result]
        By data set.
    skipped : Mapping[str, str]
        Data sets without a result, and why.
    """
    ours = [one.name for one in settings.ours]
    parts = [_HEAD, _summary(results, ours)]
    parts += [_section(settings.data[name], one, ours) for name, one in results.items()]
    if skipped:
        lines = "\n".join(f"- {settings.data[name].title}: {why}." for name, why in skipped.items())
        parts.append(f"## Not run\n\n{lines}\n")
    total = sum(one.seconds for one in results.values())
    parts.append(f"*All of it took {figure(total / 60.0)} minutes.*\n")
    return "\n".join(parts)


def _summary(results: Mapping[str, Result], ours: list[str]) -> str:
    """Say who is where on average, and how many comparisons one's own models win, draw and lose."""
    ranks = mean_ranks(one.standings.scores for one in results.values())
    told = ["## Ranks\n"]
    for target in (target for target in SCORES if target in set(ranks["target"])):
        told.append(f"Mean rank, {target}:\n")
        told.append("| model | mean rank | first | scores | data sets |\n|---|---:|---:|---:|---:|")
        for row in ranks.loc[ranks["target"] == target].to_dict("records"):
            star = " ★" if row["model"] in ours else ""
            told.append(
                f"| {row['model']}{star} | {row['mean_rank']:.2f} | {row['n_first']} | {row['n_scores']} | "
                f"{row['n_data']} |"
            )
        told.append("")
    told += [*tally(one.standings.duels for one in results.values()), ""]
    return "\n".join(told)


def _section(data: TransactionData | OneTable, result: Result, ours: list[str]) -> str:
    """Tell of one data set: how it was judged, tables, where one's own do not win, who is missing."""
    how, *warned = result.notes
    told = [f"## {data.title}\n", f"{data.about} {how}".strip() + "\n"]
    scores = result.standings.scores
    for target in dict.fromkeys(scores["target"]):
        published = {
            f"{one.model} ({one.source})": one.scores for one in data.published if one.target == target
        }
        told.append(f"### {data.title}: {target}\n")
        told.append(markdown_table(scores, target, ours=ours, published=published) + "\n")
    told += [f"- {sentence}" for sentence in sentences(result, ours)]
    told += [f"- Note: {sentence}" for sentence in warned]
    told.append(f"\n*{figure(result.seconds)} seconds.*\n")
    return "\n".join(told)


def sentences(result: Result, ours: Collection[str]) -> list[str]:
    """Say where one's own models win and where not, and which models are missing.

    Parameters
    ----------
    result : Result
        Of one data set.
    ours : collection of str
        Names of one's own models.

    Returns
    -------
    list of str
        In Markdown.
    """
    told = verdicts(result.standings)
    for name, why in result.left_out.items():
        missing = "does **not** win: it could not be trained" if name in ours else "is not in the tables"
        told.append(f"{name} {missing}. {why}")
    return told
