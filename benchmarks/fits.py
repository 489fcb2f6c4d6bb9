"""Fits of the probability models: against lifetimes, and against themselves with more customers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.alone import apparel
from benchmarks.customers import BGNBD_TRUTH, PARETO_TRUTH, histories, stored
from benchmarks.measuring import LOGS_PER_HISTORY, Measured, Row, alone

_DERIVATIVES = (
    "Limited by the derivatives of each distinct history at each step, the second ones above all, and by the "
    "sort that finds the distinct histories."
)
_DAYS_AND_WEEKS = (("days", 1.0), ("weeks", 7.0))


def bgnbd_rows(folder: Path, per_log: float, *, quick: bool) -> Iterator[Row]:
    """Yield fits of BG/NBD."""
    million = 100_000 if quick else 1_000_000
    everyone = histories(BGNBD_TRUTH, 10 * million)
    before = None
    for n in (million // 10, million, 10 * million):
        data = stored(folder, f"bgnbd_{n}", everyone[:n])
        ours = alone("fit_bgnbd", data, repeats=3 if n <= million else 2)
        theirs = alone("fit_bgnbd_lifetimes", data, repeats=2) if n <= million else None
        told = [_DERIVATIVES, _found(ours)]
        if theirs:
            told.append(_compared(ours, theirs))
        if before:
            told.append(_growth(before, ours))
        yield Row(
            f"BG/NBD fit: {n:,} customers, days",
            ours,
            "lifetimes" if theirs else "",
            theirs,
            _floor(ours, per_log),
            " ".join(told),
        )
        before = ours


def pareto_rows(folder: Path, per_log: float, *, quick: bool) -> Iterator[Row]:
    """Yield fits of Pareto/NBD; lifetimes takes minutes, and gets all the steps that it asks for."""
    n = 10_000 if quick else 100_000
    limit = (
        "Limited by the integral over the unknown time of leaving and its derivatives, for each distinct "
        "history at each step."
    )
    before = None
    for period, days in _DAYS_AND_WEEKS:
        data = stored(folder, f"pareto_{period}", histories(PARETO_TRUTH, n, days=days))
        ours, theirs = alone("fit_pareto", data), alone("fit_pareto_lifetimes", data, repeats=1)
        before = before or ours
        yield Row(
            f"Pareto/NBD fit: {n:,} customers, {period}",
            ours,
            "lifetimes",
            theirs,
            _floor(ours, per_log),
            f"{limit} {_found(ours)} {_compared(ours, theirs)}",
        )
    data = stored(folder, "pareto_many", histories(PARETO_TRUTH, 10 * n))
    ours = alone("fit_pareto", data, repeats=2)
    told = f"{limit} {_found(ours)} {_growth(before, ours) if before else ''}"
    yield Row(f"Pareto/NBD fit: {10 * n:,} customers, days", ours, "", None, _floor(ours, per_log), told)


def paths_rows() -> Iterator[Row]:
    """Yield the fit with covariates that vary in time, where the data lie beside the project."""
    if not (apparel() / "apparelTrans.parquet").is_file():
        yield Row(
            "Pareto/NBD fit, covariates in time: apparel", None, "", None, None, "Its data are not here."
        )
        return
    ours = alone("fit_apparel", Path("none"))
    facts = ours.facts
    yield Row(
        f"Pareto/NBD fit, 6 effects of covariates in time: apparel, {facts['n_customers']} customers",
        ours,
        "",
        None,
        None,
        "Limited by the integral over the unknown time of leaving, piece by piece of each path, with "
        f"derivatives in ten parameters. {facts['n_iter']} steps, slope left {facts['gradient_norm']:.0e}.",
    )


def _floor(ours: Measured, per_log: float) -> float:
    """Return the time of the logs of all passes over the distinct histories."""
    return ours.facts["n_rows"] * LOGS_PER_HISTORY * per_log


def _found(ours: Measured) -> str:
    """Return what a fit did, in words."""
    facts = ours.facts
    return (
        f"{facts['n_histories']:,} distinct histories, found in {facts['finding_seconds']:.2g} s; "
        f"{facts['n_iter']} steps, those on a sample of them "
        f"included: {facts['n_rows'] / facts['n_histories']:.1f} passes over all. Slope left "
        f"{facts['gradient_norm']:.0e}."
    )


def _compared(ours: Measured, theirs: Measured) -> str:
    """Return whether the peer found the same."""
    ahead = ours.facts["loglik"] - theirs.facts["loglik"]
    return (
        f"Log-likelihood {ours.facts['loglik']:,.4f}, ours less theirs at their parameters {ahead:+.2g}: "
        f"{'the same optimum' if abs(ahead) < 0.1 else 'not the same optimum'}."
    )


def _growth(before: Measured, now: Measured) -> str:
    """Return how ten times the customers cost."""
    return (
        f"{now.seconds / before.seconds:.1f} times the time of a tenth of the customers, "
        f"{now.facts['n_histories'] / before.facts['n_histories']:.1f} times the distinct histories."
    )
