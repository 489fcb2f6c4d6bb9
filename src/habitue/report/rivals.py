"""How the champion stands against its rivals, in numbers and in plain words.

A leaderboard says for every model and every score a value and a 95 % interval. Here it is decided, by the
numbers alone, whether the champion beats a rival, and the sentence that says so is made. Intervals that
overlap are never called a victory. Models are not scored here, nor is a champion chosen: both happened
before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from habitue.errors import SchemaError
from habitue.report.wording import listing
from habitue.report.wording import score as say_score
from habitue.vocabulary import one_or_many

__all__ = ["Comparison", "Entry", "Leaderboard", "ScoreBoard", "read_leaderboard"]

Verdict = Literal["clearly better", "better", "level", "worse", "clearly worse"]
COLUMNS = ("model", "score", "value", "lower", "upper")


class Meaning(NamedTuple):
    """What a score is called, where the best value lies ("high", "low" or a number), and what it measures."""

    label: str
    best: Literal["high", "low"] | float | None
    words: str


MEANINGS = {
    "auc": Meaning("AUC", "high", "how often a customer who left was rated riskier than one who stayed"),
    "average_precision": Meaning("average precision", "high", "how pure the list of likely leavers is"),
    "brier": Meaning("Brier score", "low", "the squared error of the probabilities"),
    "log_loss": Meaning("log loss", "low", "how surprised the model was by what happened"),
    "ece": Meaning("calibration error", "low", "the gap between predicted and observed shares of leavers"),
    "lift_top_decile": Meaning(
        "lift of the top tenth", "high", "how much denser leavers are there than in the whole base"
    ),
    "lift": Meaning("lift", "high", "how much denser leavers are at the top of the list than by chance"),
    "h_measure": Meaning(
        "H-measure", "high", "how well leavers and stayers are told apart, with costs weighed"
    ),
    "normalised_gini": Meaning(
        "normalised Gini", "high", "how well customers are ordered by what they went on to spend"
    ),
    "decile_mape": Meaning("error per tenth (MAPE)", "low", "how far off the mean of a tenth is, as a share"),
    "gini": Meaning("Gini", "high", "how well customers are ordered by what they went on to spend"),
    "spearman": Meaning("rank correlation", "high", "how well customers are put in order"),
    "kendall": Meaning("rank correlation (Kendall)", "high", "how well customers are put in order"),
    "rmse": Meaning("RMSE", "low", "the typical error, large errors weighing most"),
    "mae": Meaning("MAE", "low", "the average error"),
    "msle": Meaning("MSLE", "low", "the error on a logarithmic scale"),
    "rmsle": Meaning("RMSLE", "low", "the error on a logarithmic scale"),
    "crps": Meaning("CRPS", "low", "the error of the whole predicted distribution"),
    "deviance": Meaning("deviance", "low", "how surprised the model was by what happened"),
    "bias": Meaning("bias", 0.0, "how far predictions are too high (+) or too low (−) on average"),
    "intercept": Meaning("calibration intercept", 0.0, "whether more (+) or fewer (−) left than predicted"),
    "slope": Meaning(
        "calibration slope", 1.0, "whether differences between customers are over- or understated"
    ),
    "capture": Meaning("capture", "high", "the share of what matters that the top of the list holds"),
    "expected_maximum_profit": Meaning(
        "expected maximum profit",
        "high",
        "what a campaign to the best share of the list would earn a customer",
    ),
    "profit": Meaning("profit", "high", "what acting on the list would earn"),
    "r2": Meaning("R²", "high", "the share of variation explained"),
}
ALIASES = {"roc_auc": "auc", "pr_auc": "average_precision", "ap": "average_precision", "logloss": "log_loss",
           "expected_calibration_error": "ece", "ici": "ece"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One model's result by one score; an interval end is None where none was given."""

    model: str
    value: float
    lower: float | None
    upper: float | None
    is_champion: bool


@dataclass(frozen=True)
class ScoreBoard:
    """All models by one score, in the order of the table.

    Attributes
    ----------
    score, label, words : str
        The score's name in the table, its name on the page, and what it measures.
    best : str or None
        "the highest is best", "the lowest is best", "the closest to 1 is best"; None where it is not known.
    leader : str or None
        The model with the best value; None where the direction is not known.
    entries : tuple of Entry
    """

    score: str
    label: str
    words: str
    best: str | None
    leader: str | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Comparison:
    """The champion against a rival by a score; ``clear`` if the intervals do not overlap, None without."""

    score: str
    rival: str
    champion_value: float
    rival_value: float
    verdict: Verdict
    clear: bool | None
    sentence: str


@dataclass(frozen=True)
class Leaderboard:
    """One question's models, scores and verdicts.

    Attributes
    ----------
    question : str
        "churn" or "value".
    champion : str or None
        The champion's name in the table; None if it is not in it.
    boards : tuple of ScoreBoard
        One per score, the one that decides first.
    comparisons : tuple of Comparison
        The champion against every rival by every score whose direction is known.
    verdict : str or None
        By the deciding score, how many rivals are beaten; None where nothing can be compared.
    summary : tuple of str
        All of it in sentences, the verdict first.
    """

    question: str
    champion: str | None
    boards: tuple[ScoreBoard, ...]
    comparisons: tuple[Comparison, ...]
    verdict: str | None
    summary: tuple[str, ...]


def read_leaderboard(frame: pd.DataFrame, *, question: str, champions: Sequence[str]) -> Leaderboard:
    """Read a tidy leaderboard and say in plain words where the champion stands.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``model``, ``score``, ``value``, ``lower``, ``upper``: one row per model and score, the
        deciding score first. Rows without a value are left out.
    question : str
        "churn" or "value"; only told on.
    champions : sequence of str
        Names by which the champion may be known; the first that is in the table is taken.

    Returns
    -------
    Leaderboard

    Raises
    ------
    SchemaError
        If a column is missing.

    Notes
    -----
    The champion *clearly* beats a rival if their 95 % intervals do not overlap. This is strict: with paired
    differences smaller gaps could be told from chance, but a table of single intervals does not hold them.

    Examples
    --------
    >>> frame = pd.DataFrame({"model": ["A", "B"], "score": "auc", "value": [0.8, 0.7],
    ...                       "lower": [0.78, 0.68], "upper": [0.82, 0.72]})
    >>> print(read_leaderboard(frame, question="churn", champions=["A"]).summary[1])
    A clearly beats B: 0.800 against 0.700, and the 95 % intervals do not overlap.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"The {question} leaderboard lacks {', '.join(missing)}; "
            f"its columns are: {', '.join(map(str, frame))}."
        )
    frame = frame.loc[np.isfinite(pd.Series(frame["value"]).to_numpy(dtype=float))]
    models = list(dict.fromkeys(map(str, frame["model"])))
    champion = next((name for name in champions if name in models), None)
    boards = tuple(_board(str(name), rows, champion) for name, rows in frame.groupby("score", sort=False))
    comparisons = tuple(c for board in boards for c in _compare(board))
    verdict, summary = _summary(boards, comparisons, champion)
    return Leaderboard(question, champion, boards, comparisons, verdict, tuple(summary))


def _meaning(name: str) -> Meaning:
    """Look a score up by its name or a word of its name: "Top decile lift" is a lift."""
    key = "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
    if key in MEANINGS or key in ALIASES:
        return MEANINGS[ALIASES.get(key, key)]
    words = set(key.split("_"))
    known = next((MEANINGS[word] for word in MEANINGS if word in words), Meaning(name, None, ""))
    return known._replace(label=name.replace("_", " "))


def _board(name: str, rows: pd.DataFrame, champion: str | None) -> ScoreBoard:
    meaning = _meaning(name)
    entries = tuple(
        Entry(str(model), float(value), _finite(lower), _finite(upper), str(model) == champion)
        for model, value, lower, upper in rows[["model", "value", "lower", "upper"]].itertuples(index=False)
    )
    if meaning.best is None:
        return ScoreBoard(name, meaning.label, meaning.words, None, None, entries)
    near = f"closest to {meaning.best:g}" if isinstance(meaning.best, float) else f"{meaning.best}est"
    leader = min(entries, key=lambda entry: _loss(entry, meaning)[0]).model
    return ScoreBoard(name, meaning.label, meaning.words, f"the {near} is best", leader, entries)


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _loss(entry: Entry, meaning: Meaning) -> tuple[float, float | None, float | None]:
    """Turn a result and its interval so that less is better, whatever the score."""
    value, lower, upper = entry.value, entry.lower, entry.upper
    if meaning.best == "low" or meaning.best is None:
        return value, lower, upper
    if meaning.best == "high":
        return -value, None if upper is None else -upper, None if lower is None else -lower
    target = float(meaning.best)
    if lower is None or upper is None:
        return abs(value - target), None, None
    ends = abs(lower - target), abs(upper - target)
    return abs(value - target), 0.0 if lower <= target <= upper else min(ends), max(ends)


def _compare(board: ScoreBoard) -> list[Comparison]:
    champion = next((entry for entry in board.entries if entry.is_champion), None)
    if champion is None or board.best is None:
        return []
    return [_versus(champion, rival, board) for rival in board.entries if not rival.is_champion]


def _versus(champion: Entry, rival: Entry, board: ScoreBoard) -> Comparison:
    meaning = _meaning(board.score)
    ours, ours_low, ours_high = _loss(champion, meaning)
    theirs, theirs_low, theirs_high = _loss(rival, meaning)
    clear = None
    if ours_low is not None and ours_high is not None and theirs_low is not None and theirs_high is not None:
        clear = ours_high < theirs_low or theirs_high < ours_low
    verdict = _verdict(ours, theirs, clear=bool(clear))
    sentence = _sentence(champion, rival, verdict, clear)
    return Comparison(board.score, rival.model, champion.value, rival.value, verdict, clear, sentence)


def _verdict(ours: float, theirs: float, *, clear: bool) -> Verdict:
    if ours == theirs:
        return "level"
    if ours < theirs:
        return "clearly better" if clear else "better"
    return "clearly worse" if clear else "worse"


def _sentence(champion: Entry, rival: Entry, verdict: Verdict, clear: bool | None) -> str:
    numbers = f"{say_score(champion.value)} against {say_score(rival.value)}"
    doubt = "no interval was given" if clear is None else "the 95 % intervals overlap"
    doubt += ", so this may be chance"
    return {
        "clearly better": f"{champion.model} clearly beats {rival.model}: {numbers}, and the 95 % intervals "
        "do not overlap.",
        "better": f"{champion.model} is ahead of {rival.model}, but not clearly: {numbers}; {doubt}.",
        "level": f"{champion.model} and {rival.model} are level: {numbers}.",
        "worse": f"{champion.model} does not beat {rival.model}: {numbers}; {doubt}.",
        "clearly worse": f"{champion.model} does not beat {rival.model}, which is clearly better: {numbers}, "
        "and the 95 % intervals do not overlap.",
    }[verdict]


def _summary(
    boards: Sequence[ScoreBoard], comparisons: Sequence[Comparison], champion: str | None
) -> tuple[str | None, list[str]]:
    if champion is None:
        return None, ["The champion is not in this table, so it is not compared."] if boards else []
    compared = {comparison.score for comparison in comparisons}
    first = next((board for board in boards if board.score in compared), None)
    if first is None:
        return None, ["There is no rival, or no score known to this report, so no verdict is given."]
    deciding = [c for c in comparisons if c.score == first.score]
    others = [b.label for b in boards if b is not first and b.leader not in (None, champion)]
    verdict = f"{champion} {_tally(deciding)}"
    judged = f"Judged by {first.label} ({first.words}; {first.best}), {verdict}."
    sentences = [judged, *(c.sentence for c in deciding)]
    if others:
        sentences.append(f"By {listing(others)}, another model has the best value.")
    return verdict, sentences


def _tally(comparisons: Sequence[Comparison]) -> str:
    """Say how many rivals are beaten, and how many are not."""
    beaten = sum(c.verdict == "clearly better" for c in comparisons)
    better = sum(c.verdict == "clearly worse" for c in comparisons)
    rest = len(comparisons) - beaten - better
    parts = [f"clearly beats {beaten} of {one_or_many(len(comparisons), 'rival')}"]
    parts += [f"cannot be told apart from {rest}"] if rest else []
    parts += [f"is clearly beaten by {better}"] if better else []
    return listing(parts)
