"""Measures of surveys: what customers answer, how many do, and what those would say who do not.

The latest answer of a customer to a survey counts, so that each customer speaks once and answers are
independent; earlier ones of the period were how things stood then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from habitue.errors import DataError
from habitue.numerics.arrays import FloatArray
from habitue.scorecard import surveys
from habitue.scorecard.estimates import Estimate, Evidence, column, share_of, where
from habitue.scorecard.measures import Measure
from habitue.scorecard.plan import Plan
from habitue.scorecard.reweighting import reweighted_mean, reweighted_nps, reweighted_top
from habitue.vocabulary import one_or_many

__all__ = ["active_base", "of_surveys", "off_scale_note", "on_scale"]


def on_scale(said: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the answers that are on the scale of their survey, and a note for surveys that had others.

    Parameters
    ----------
    said : DataFrame
        `tallies.answers`.
    plan : Plan
        Whether others are refused or left out.

    Raises
    ------
    DataError
        Where answers are off their scale, and are to be refused.
    """
    score, low, high = (column(said, name) for name in ("score", "low", "high"))
    survey = said["survey"].to_numpy(dtype="object")
    fits = (score == np.floor(score)) & (low == np.floor(low)) & (high == np.floor(high))
    fits &= (low <= score) & (score <= high) & (high - low >= 2)
    fits &= (survey != "nps") | ((low == 0) & (high == 10))
    n_off = int((~fits).sum())
    if n_off and plan.off_scale == "refuse":
        at = int(np.argmin(fits))
        raise DataError(
            f"{one_or_many(n_off, 'answer is', plural='answers are')} off the scale of the survey, such as "
            f"{score[at]:g} to {survey[at]} from {low[at]:g} to {high[at]:g} (customer {said.index[at]}); "
            "nps goes in whole numbers from 0 to 10, csat from 1 to 5 unless the columns scale_min and "
            "scale_max say otherwise. Mend the records, or leave such answers out: "
            'off_scale = "leave_out" in [scorecard], or --off-scale leave_out.'
        )
    left_out = {name: off_scale_note(int((~fits & (survey == name)).sum())) for name in ("nps", "csat")}
    return where(said, fits), left_out


def off_scale_note(n_off: int) -> str:
    """Return the note of a number that left answers out.

    Parameters
    ----------
    n_off : int
        How many.
    """
    return f"{one_or_many(n_off, 'answer')} off the scale left out" if n_off else ""


def of_surveys(
    said: pd.DataFrame,
    base: pd.DataFrame,
    were_asked: Mapping[str, pd.DataFrame],
    notes: Mapping[str, str],
    plan: Plan,
) -> list[Evidence]:
    """Return the measures of the surveys that were answered.

    Parameters
    ----------
    said : DataFrame
        `tallies.answers` on their scales, with the columns to cut by.
    base : DataFrame
        `active_base`; indexed by customer_id, with the columns to cut and to reweight by.
    were_asked : Mapping[str, DataFrame]
        Survey to who was asked, with the columns to cut by; the base where nobody recorded it.
    notes : Mapping[str, str]
        Survey to what has to be known of its answers.
    plan : Plan
        What was asked for.
    """
    found: list[Evidence] = []
    for survey in ("nps", "csat"):
        of_one = where(said, said["survey"].to_numpy(dtype="object") == survey)
        if of_one.empty:
            continue
        found.append(_response(survey, of_one, were_asked.get(survey, base), plan))
        ends = of_one[["low", "high"]].to_numpy(dtype=np.float64)
        for low, high in np.unique(ends, axis=0).astype(int).tolist():
            scale, rows = (low, high), where(of_one, (ends == [low, high]).all(axis=1))
            of_scale = _of_scale(survey, scale, rows, base, plan)
            found += [replace(one, note=notes.get(survey, "")) for one in of_scale]
    return found


def _response(survey: str, said: pd.DataFrame, were_asked: pd.DataFrame, plan: Plan) -> Evidence:
    """Return who of those asked answered."""
    answered = were_asked.index.isin(said.index).astype(float)
    told = share_of("answered", confidence=plan.confidence)
    return Evidence(f"{survey}_response_rate", were_asked.assign(answered=answered), told)


def _of_scale(
    survey: str, scale: tuple[int, int], rows: pd.DataFrame, base: pd.DataFrame, plan: Plan
) -> list[Evidence]:
    """Return the measures of one survey on one scale, plain and reweighted."""
    level, columns = plan.confidence, _columns(base, plan)
    if survey == "nps":
        plain = {"nps": _plain(lambda scores: surveys.nps(scores, confidence=level))}
        weighted = {"nps_reweighted": reweighted_nps("answer", columns, confidence=level)}
    else:
        end = "" if scale == (1, 5) else f"_{scale[0]}_{scale[1]}"
        plain = {
            f"csat_mean{end}": _plain(
                lambda scores: surveys.csat_mean(scores, scale=scale, confidence=level)
            ),
            f"csat_top_two{end}": _plain(
                lambda scores: surveys.csat_top_two(scores, scale=scale, confidence=level)
            ),
        }
        weighted = {
            f"csat_mean_reweighted{end}": reweighted_mean("answer", columns, scale, confidence=level),
            f"csat_top_two_reweighted{end}": reweighted_top("answer", columns, scale[1], confidence=level),
        }
    found = [Evidence(name, rows, told) for name, told in plain.items()]
    meant = base.assign(answer=rows["score"].reindex(base.index))
    if columns and len(meant):
        found += [Evidence(name, meant, told, size=_answers) for name, told in weighted.items()]
    return found


def _plain(told: Callable[[FloatArray], Measure]) -> Callable[[pd.DataFrame], Estimate]:
    def estimate(rows: pd.DataFrame) -> Estimate:
        one = told(column(rows, "score"))
        return Estimate(one.value, one.lower, one.upper, one.n)

    return estimate


def _answers(rows: pd.DataFrame) -> int:
    return int((~np.isnan(column(rows, "answer"))).sum())


def _columns(base: pd.DataFrame, plan: Plan) -> tuple[str, ...]:
    if plan.reweight_by is not None:
        return plan.reweight_by
    # Where all are alike there is nothing to weigh.
    return tuple(name for name in ("segment", "band") if name in base and len(base[name].unique()) > 1)


def active_base(active: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return the customers whom a survey is meant to speak for, with a band of how often and how lately.

    Parameters
    ----------
    active : DataFrame
        Who bought in the period, from `tallies.purchases`; or who had a contract, from `tallies.contracts`.
    plan : Plan
        What was asked for.

    Returns
    -------
    DataFrame
        As `active`, with ``band``: purchases on 1, 2 to 4 or 5 or more days, the last in the later or the
        earlier half of the customers. Contracts have one band, as they say neither.
    """
    if not plan.buys:
        return active.assign(band=pd.Categorical(["under contract"] * len(active)))
    visits = column(active, "visits")
    often = np.select([visits <= 1, visits <= 4], ["1 visit", "2-4 visits"], "5+ visits")
    last = active["last_day"].to_numpy(dtype="datetime64[D]").astype(np.int64)
    middle = np.sort(last)[(len(last) - 1) // 2] if len(last) else 0
    lately = np.where(last >= middle, ", lately", ", earlier")
    return active.assign(band=pd.Categorical(np.char.add(often, lately)))
