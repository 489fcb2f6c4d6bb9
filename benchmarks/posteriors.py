"""Draws from the posterior of the parameters, against NUTS, and predictions over them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import habitue as hb
from benchmarks.customers import BGNBD_TRUTH, histories, stored
from benchmarks.measuring import LOGS_PER_HISTORY, Measured, Row, alone

PEER_PYTHON = "BENCH_PYMC_PYTHON"
"""Variable that names the interpreter of an environment with pymc-marketing."""

_NAMES = ["frequency", "recency", "T"]
_LIMIT = "Limited by the log-likelihood of every distinct history at every proposal."


def rows(folder: Path, per_log: float, *, quick: bool, long: bool) -> Iterator[Row]:
    """Yield the comparisons."""
    yield cdnow(folder, per_log)
    n = 100_000 if quick else 1_000_000
    data = stored(folder, "posterior", histories(BGNBD_TRUTH, n))
    ours = alone("posterior_1000", data, repeats=1)
    yield Row(
        f"BG/NBD fit and posterior: {n:,} customers, 1,000 draws",
        ours,
        "",
        None,
        _floor(ours, per_log),
        f"{_LIMIT} {_how(ours)}",
    )
    what = f"BG/NBD expected purchases over 1,000 draws, mean, sd, interval: {n:,} customers"
    if not long:
        yield Row(what, None, "", None, None, "Not run: it takes minutes; `make bench BENCH=--long` runs it.")
        return
    ours = alone("summary_1000", data, repeats=1)
    yield Row(
        what,
        ours,
        "",
        None,
        _floor(ours, per_log),
        f"Streamed; all predictions at once would be {8 * n * 1000 / 2**20:,.0f} MB. Limited by the formula "
        "at each draw, up to half of it the quadrature rules that every block of customers makes anew, then "
        "by the quantiles.",
    )


def cdnow(folder: Path, per_log: float) -> Row:
    """Return the comparison on the CDNOW sample."""
    log, window = hb.datasets.cdnow(sample=True), hb.Window("1997-09-30", horizon=273)
    X = hb.take_snapshot(log, window, []).X[_NAMES].astype(float)
    ours = alone("posterior_4000", stored(folder, "cdnow", X.to_numpy()))
    theirs = _nuts(X, folder)
    told = [_LIMIT, _how(ours)]
    if theirs is None:
        told.append(f"pymc-marketing: not run; `make bench-pymc` does, or {PEER_PYTHON} naming its Python.")
    else:
        told.append(_compared(ours, theirs))
    return Row(
        f"BG/NBD fit and posterior: CDNOW, {len(X):,} customers, 4,000 draws",
        ours,
        "pymc-marketing, NUTS, 4 x 1,000 draws, sampling alone" if theirs else "pymc-marketing",
        theirs,
        _floor(ours, per_log),
        " ".join(told),
    )


def _nuts(X: pd.DataFrame, folder: Path) -> Measured | None:
    """Return what NUTS took and found, None where there is no environment for it."""
    python = os.environ.get(PEER_PYTHON)
    if not python:
        return None
    X.to_csv(folder / "cdnow.csv", index=False)
    script = Path(__file__).with_name("pymc_peer.py")
    ran = subprocess.run(
        [python, str(script), str(folder / "cdnow.csv")], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise RuntimeError(f"{script.name} failed:\n{ran.stderr}")
    facts = json.loads(ran.stdout.splitlines()[-1])
    return Measured(facts["sampling_seconds"], None, facts)


def _compared(ours: Measured, theirs: Measured) -> str:
    """Return how near the two posteriors are; their priors differ."""
    a, b = ours.facts, theirs.facts
    apart = np.abs(np.subtract(a["mean"], b["mean"])) / np.array(b["sd"])
    wider = np.array(a["sd"]) / np.array(b["sd"])
    return (
        f"NUTS with building and compiling its model {b['fit_seconds']:.1f} s, its import "
        f"{b['import_seconds']:.1f} s more. Posterior means of r, alpha, a, b "
        f"{_list(a['mean'])} (ours), {_list(b['mean'])} (NUTS): at most {apart.max():.2f} of its sd apart; "
        f"sds {wider.min():.2f} to {wider.max():.2f} times its. The priors differ, each package's own."
    )


def _how(ours: Measured) -> str:
    """Return how the draws were made."""
    facts = ours.facts
    return (
        f"{facts['method'].capitalize()}, k-hat {facts['k_hat']:.2f}, worth "
        f"{facts['effective_sample_size']:,.0f} independent draws; "
        f"{facts['n_rows'] / facts['n_histories']:,.0f} passes over the distinct histories."
    )


def _floor(ours: Measured, per_log: float) -> float:
    """Return the time of the logs of all passes over the distinct histories."""
    return ours.facts["n_rows"] * LOGS_PER_HISTORY * per_log


def _list(values: list[float]) -> str:
    """Return numbers side by side."""
    return ", ".join(f"{value:.3g}" for value in values)
