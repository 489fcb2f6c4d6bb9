"""Metrics that must not get worse, such as complaints and opt-outs, whatever an offer brings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from habitue.errors import SettingsError
from habitue.experiments.effects import Trial, guard_bounds

__all__ = ["Guardrail", "guardrail_table"]

_COLUMNS: Final = ("metric", "arm", "harm", "margin", "effect", "bound", "verdict", "sequential_bound",
                   "sequential_verdict")  # fmt: skip


@dataclass(frozen=True)
class Guardrail:
    """A metric that must not get worse by more than a margin, such as complaints.

    Attributes
    ----------
    metric : str
        A column of outcomes.
    margin : float
        How much worse is still borne, in the unit of the metric, 0 or more.
    harm : {"rise", "fall"}, default "rise"
        Which way is worse.

    Raises
    ------
    SettingsError
        Where the margin is below 0.

    Examples
    --------
    >>> Guardrail("complained", 0.01).harm
    'rise'
    """

    metric: str
    margin: float
    harm: Literal["rise", "fall"] = "rise"

    def __post_init__(self) -> None:
        """Refuse what cannot be a margin."""
        if not 0.0 <= self.margin < np.inf:
            raise SettingsError(
                f"The margin of {self.metric} says how much worse is borne, 0 or more; got {self.margin!r}."
            )


def guardrail_table(
    table: pd.DataFrame, trial: Trial, guardrails: Sequence[Guardrail], *, sequential: bool
) -> pd.DataFrame:
    """Hold each guardrail's metric against its margin, arm by arm.

    Parameters
    ----------
    table : DataFrame of shape (n, m)
        Outcomes.
    trial : Trial
        The same customers.
    guardrails : sequence of Guardrail
        What is not to get worse.
    sequential : bool
        Whether bounds that allow peeking are wanted.

    Returns
    -------
    DataFrame
        metric, arm, harm, margin, effect, bound, verdict, sequential_bound, sequential_verdict. A verdict is
        "holds" where the one-sided bound is within the margin, "broken" where the opposite bound is beyond
        it, else "open".
    """
    rows: list[dict[str, Any]] = []
    for guard in guardrails:
        y = table[guard.metric].to_numpy(dtype=np.float64)
        there = np.isfinite(y)
        own = trial.of(there)
        sign, worst, best = (1.0, "upper", "lower") if guard.harm == "rise" else (-1.0, "lower", "upper")
        for number in range(1, len(trial.names)):
            found = guard_bounds(y[there], own, number, sequential=sequential)
            row = {"metric": guard.metric, "arm": trial.names[number], "harm": guard.harm}
            row |= {"margin": guard.margin, "effect": found["effect"]}
            for prefix in ("", "sequential_"):
                bound = found[prefix + worst]
                row[f"{prefix}bound"] = bound
                row[f"{prefix}verdict"] = _verdict(sign * bound, sign * found[prefix + best], guard.margin)
            rows.append(row)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _verdict(bound: float, other: float, margin: float) -> str:
    if bound <= margin:
        return "holds"
    return "broken" if other > margin else "open"
