"""What a comparison of models says: sentences from its table, and the tables as text and HTML.

Differences are told as what they are: a model is called better only where the difference is out of reach of
chance. Nothing is computed here that is not in the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["as_html", "as_text", "findings"]

_LEVEL: Final = 2.0  # of AIC: below it the data hardly tell two models apart (Burnham & Anderson)
_CLEAR: Final = 10.0  # above it the worse model has next to no support
_FAIR_BIAS: Final = 0.02  # of the purchases; no forecaster promises more
_NEAR_ZERO: Final = 0.9  # share of zero's MAE from which MAE tells little

_HEADINGS: Final[Mapping[str, str]] = {
    "n_params": "parameters",
    "loglik": "log-likelihood",
    "aic": "AIC",
    "bic": "BIC",
    "delta_aic": "ΔAIC",
    "akaike_weight": "Akaike weight",
    "condition_number": "condition number",
    "expected_purchases": "expected purchases",
    "log_score": "log score",
    "behind_best": "behind the best",
    "bias": "bias",
    "mae": "MAE",
    "mae_over_zero": "MAE / zero's",
    "rmse": "RMSE",
}


def findings(table: pd.DataFrame, *, confidence: float) -> tuple[str, ...]:
    """Say what a comparison's table says.

    Parameters
    ----------
    table : DataFrame
        `Comparison.table`.
    confidence : float
        Of its intervals.

    Returns
    -------
    tuple of str
        Sentences, none where nothing was fitted.

    Examples
    --------
    >>> table = pd.DataFrame({"aic": [10.0, 11.0], "bic": [12.0, 11.0], "log_score": np.nan,
    ...                       "bias": np.nan, "mae_over_zero": np.nan}, index=["a", "b"])
    >>> for told in findings(table.assign(delta_aic=[0.0, 1.0]), confidence=0.95):
    ...     print(told)
    In sample: a has the lowest AIC; hardly to be told from it (ΔAIC below 2): b. BIC prefers b.
    """
    told = [_in_sample(table), _on_holdout(table, confidence), _bias(table, confidence), _mae(table)]
    return tuple(sentence for sentence in told if sentence)


def _in_sample(table: pd.DataFrame) -> str:
    ranked = table.loc[table["aic"].notna()]
    if ranked.empty:
        return ""
    best, delta = str(ranked["aic"].idxmin()), ranked["delta_aic"].drop(ranked["aic"].idxmin())
    told = [f"{best} has the lowest AIC"]
    if level := _names(delta[delta < _LEVEL]):
        told.append(f"hardly to be told from it (ΔAIC below {_LEVEL:g}): {level}")
    if clear := _names(delta[delta > _CLEAR]):
        told.append(f"clearly worse (ΔAIC above {_CLEAR:g}): {clear}")
    prefers = str(ranked["bic"].idxmin())
    of_bic = "BIC agrees." if prefers == best else f"BIC prefers {prefers}."
    return f"In sample: {'; '.join(told)}." + (f" {of_bic}" if len(ranked) > 1 else "")


def _on_holdout(table: pd.DataFrame, confidence: float) -> str:
    ranked = table.loc[table["log_score"].notna()]
    if ranked.empty:
        return ""
    best = str(ranked["behind_best"].idxmax())  # the first of those that tie
    others = ranked.drop(best)
    level, worse = others[others["behind_best_upper"] >= 0.0], others[others["behind_best_upper"] < 0.0]
    told = [f"{best} has the best log score"]
    if names := _names(level):
        told.append(f"within noise of it ({confidence:.0%} interval includes 0): {names}")
    if names := _names(worse):
        told.append(f"worse beyond noise: {names}")
    return f"On the holdout: {'; '.join(told)}."


def _bias(table: pd.DataFrame, confidence: float) -> str:
    known = table.loc[table["bias"].notna(), :]
    if known.empty:
        return ""
    fair = (known["bias_lower"] <= _FAIR_BIAS) & (known["bias_upper"] >= -_FAIR_BIAS)
    told = [f"{name} {bias:+.0%}" for name, bias in known.loc[~fair, "bias"].items()]
    if not told:
        return f"Total purchases: no model's bias is beyond noise ({confidence:.0%} intervals)."
    return f"Total purchases off by more than noise: {', '.join(told)}."


def _mae(table: pd.DataFrame) -> str:
    known = _known(table, "mae_over_zero")
    if not (known.size and known.min() > _NEAR_ZERO):
        return ""
    return (
        f"MAE tells little here: the best is {known.min():.2f} times that of predicting zero for everybody."
    )


def _known(table: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return the numbers of a column that are there."""
    values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values[np.isfinite(values)]


def _names(rows: pd.DataFrame | pd.Series) -> str:
    return ", ".join(map(str, rows.index))


def as_text(
    heading: str,
    told: Sequence[str],
    table: pd.DataFrame,
    tests: pd.DataFrame,
    left_out: Mapping[str, str],
) -> str:
    """Write a comparison as plain text.

    Parameters
    ----------
    heading : str
        First line.
    told : sequence of str
        Sentences.
    table, tests : DataFrame
        As in `Comparison`.
    left_out : Mapping of str to str
        Models not tried, and why.

    Returns
    -------
    str
        Lines; each table as wide as it is.
    """
    parts = [heading, "\n".join(f"- {sentence}" for sentence in told), _shown(table).to_string()]
    if not tests.empty:
        parts.append(_shown_tests(tests).to_string(index=False))
    parts.append("\n".join(f"{name}: {why}" for name, why in _notes(table, left_out)))
    return "\n\n".join(part for part in parts if part)


def as_html(
    heading: str,
    told: Sequence[str],
    table: pd.DataFrame,
    tests: pd.DataFrame,
    left_out: Mapping[str, str],
) -> str:
    """Write a comparison as HTML for a notebook.

    Parameters
    ----------
    heading : str
        Its title.
    told : sequence of str
        Sentences.
    table, tests : DataFrame
        As in `Comparison`.
    left_out : Mapping of str to str
        Models not tried, and why.

    Returns
    -------
    str
        One ``div`` element; whatever names hold is escaped.
    """
    parts = [f"<p><strong>{escape(heading)}</strong></p>", _list(told), _shown(table).to_html(border=0)]
    if not tests.empty:
        parts.append(_shown_tests(tests).to_html(border=0, index=False))
    parts.append(_list([f"{name}: {why}" for name, why in _notes(table, left_out)]))
    return f"<div>{''.join(parts)}</div>"


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{items}</ul>" if items else ""


def _notes(table: pd.DataFrame, left_out: Mapping[str, str]) -> list[tuple[str, str]]:
    fits = [
        (str(name), str(note)) for name, note in zip(table.index, table["note"], strict=True) if note != ""
    ]
    return fits + [(name, f"left out: {why}") for name, why in left_out.items()]


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is read: rounded, intervals beside values, columns that say nothing left out."""
    columns = {
        heading: [_cell(name, row) for _, row in table.iterrows()]
        for name, heading in _HEADINGS.items()
        if _known(table, name).size
    }
    return pd.DataFrame(columns, index=pd.Index(table.index, name=None))


def _cell(name: str, row: pd.Series) -> str:
    numbers: dict[str, Any] = row.to_dict()
    value = numbers[name]
    if value is pd.NA or np.isnan(value):
        return "–"
    if name == "n_params":
        return f"{value:d}"
    if name == "akaike_weight":
        return f"{value:.3f}"
    if name == "condition_number":
        return f"{value:.2g}"
    if name in ("loglik", "aic", "bic", "delta_aic"):
        return f"{value:,.1f}"
    if name == "expected_purchases":
        return f"{value:,.0f}"
    style = "+.1%" if name == "bias" else ".3f"
    lower, upper = (numbers.get(f"{name}_{end}", np.nan) for end in ("lower", "upper"))
    if np.isnan(lower) or value == 0.0:
        return format(value, style)
    return f"{value:{style}} [{lower:{style}}, {upper:{style}}]"


def _shown_tests(tests: pd.DataFrame) -> pd.DataFrame:
    shown = tests.astype({"df": "object", "statistic": "object", "p_value": "object"})
    shown["statistic"] = [f"{value:.2f}" for value in tests["statistic"]]
    shown["df"] = ["" if pd.isna(value) else f"{int(value)}" for value in tests["df"]]
    shown["p_value"] = [_p_value(value) for value in tests["p_value"]]
    return shown.rename(columns={"p_value": "p"})


def _p_value(value: float) -> str:
    if np.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
