"""One piece of work in a process of its own: ``python -m benchmarks.alone WORK DATA REPEATS``.

Data are customers (.npy) or purchases (.parquet).

It prints one line of JSON: the best time, the peak memory that the work added, and what it found.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks import allocation, purchases, scorecard
from benchmarks.customers import BGNBD_TRUTH
from benchmarks.measuring import Measured, best
from habitue.models import BGNBD, ParetoNBD
from habitue.models.distinct_rows import distinct_rows
from habitue.models.likelihood import Likelihood
from habitue.numerics import bgnbd, pareto_nbd

FloatArray = npt.NDArray[np.float64]

COLUMNS = ["frequency", "recency", "T"]
HORIZON = 91.0


class Work(NamedTuple):
    """What is timed, and what it is then asked for."""

    run: Callable[[], Any]
    tell: Callable[[Any], dict[str, Any]] = lambda _: {}


def fit(make: Callable[[], Any], **fit_options: Any) -> Callable[[FloatArray], Work]:
    """Return a fit of ours."""

    def prepare(X: FloatArray) -> Work:
        frame = pd.DataFrame(X, columns=COLUMNS)
        count = count_rows()

        def run() -> Any:
            count.clear()
            return make().fit(frame, **fit_options)

        def tell(model: Any) -> dict[str, Any]:
            finding = best(lambda: distinct_rows(X), 1)
            return tell_of_fit(model) | {"n_rows": sum(count), "finding_seconds": finding}

        return Work(run, tell)

    return prepare


def count_rows() -> list[int]:
    """Return a list to which each evaluation of a likelihood adds the histories that it passes over."""
    counted: list[int] = []
    call, log_likelihoods = Likelihood.__call__, Likelihood.log_likelihoods

    def counting_call(self: Likelihood, theta: FloatArray) -> Any:
        counted.append(len(self.rows))
        return call(self, theta)

    def counting_log_likelihoods(self: Likelihood, thetas: FloatArray) -> Any:
        counted.append(len(self.rows) * len(thetas))
        return log_likelihoods(self, thetas)

    Likelihood.__call__ = counting_call
    Likelihood.log_likelihoods = counting_log_likelihoods
    return counted


def tell_of_fit(model: Any) -> dict[str, Any]:
    """Return what a fit of ours found."""
    told = {
        "loglik": model.loglik_,
        "params": list(model.params_),
        "n_iter": model.n_iter_,
        "n_histories": model.n_histories_,
        "gradient_norm": model.gradient_norm_,
    }
    if model.posterior_ is None:
        return told
    posterior = model.posterior_
    return told | {
        "n_draws": len(posterior.draws),
        "method": posterior.method,
        "k_hat": posterior.k_hat,
        "effective_sample_size": posterior.effective_sample_size,
        "mean": posterior.draws.mean(axis=0).tolist(),
        "sd": posterior.draws.std(axis=0).tolist(),
    }


def fit_by_lifetimes(name: str, formulas: Any) -> Callable[[FloatArray], Work]:
    """Return a fit of lifetimes; its log-likelihood is computed by our formula, on the same customers."""
    import lifetimes

    def prepare(X: FloatArray) -> Work:
        frame = pd.DataFrame(X, columns=COLUMNS)

        def run() -> Any:
            np.random.seed(0)  # noqa: NPY002  # its Pareto/NBD starts anywhere
            return getattr(lifetimes, name)().fit(*(frame[column] for column in COLUMNS))

        def tell(fitter: Any) -> dict[str, Any]:
            customers = distinct_rows(X)
            params = formulas.Params(*fitter.params_.tolist())
            loglik = customers.counts @ formulas.log_likelihood(params, *customers.rows.T)
            return {"loglik": float(loglik), "params": list(params)}

        return Work(run, tell)

    return prepare


def ask_arrays(answer: str) -> Callable[[FloatArray], Work]:
    """Return a formula of ours on arrays."""
    formula, more = getattr(bgnbd, answer), () if answer == "p_alive" else (HORIZON,)

    def prepare(X: FloatArray) -> Work:
        columns = np.ascontiguousarray(X.T)
        return Work(lambda: formula(BGNBD_TRUTH, *columns, *more))

    return prepare


def ask_frame(answer: str) -> Callable[[FloatArray], Work]:
    """Return an answer of our estimator about a frame, checks and all."""

    def prepare(X: FloatArray) -> Work:
        frame, model = pd.DataFrame(X, columns=COLUMNS), BGNBD(horizon=HORIZON).fit(X[:20_000])
        model.params_ = BGNBD_TRUTH
        return Work(lambda: getattr(model, answer)(frame))

    return prepare


def ask_lifetimes(answer: str, *, frame: bool) -> Callable[[FloatArray], Work]:
    """Return the same of lifetimes, on arrays or on the columns of a frame."""
    import lifetimes

    def prepare(X: FloatArray) -> Work:
        fitter = lifetimes.BetaGeoFitter()
        fitter.params_ = pd.Series(BGNBD_TRUTH._asdict())
        whole = pd.DataFrame(X, columns=COLUMNS)
        columns = [whole[name] for name in COLUMNS] if frame else list(np.ascontiguousarray(X.T))
        if answer == "p_alive":
            return Work(lambda: fitter.conditional_probability_alive(*columns))
        return Work(lambda: fitter.conditional_expected_number_of_purchases_up_to_time(HORIZON, *columns))

    return prepare


def summarise_draws(X: FloatArray) -> Work:
    """Return the summary of a prediction over 1,000 draws for every customer."""
    frame = pd.DataFrame(X, columns=COLUMNS)
    model = BGNBD(horizon=HORIZON).fit(frame, posterior_draws=1000, random_state=0)
    return Work(
        lambda: model.posterior_summary(frame, "expected_purchases"),
        lambda _: {"n_rows": model.n_histories_ * len(model.posterior_.draws)},
    )


def fit_apparel(_: object) -> Work:
    """Return the fit of Pareto/NBD with covariates that vary in time, on the apparel retailer's customers."""
    from habitue.models.covariate_paths import CovariatePaths
    from habitue.models.pareto_nbd_paths import ParetoNBDPaths

    folder = apparel()
    names = {"Id": "customer_id", "Date": "timestamp", "Cov.Date": "starts_at"}
    purchases = pd.read_parquet(folder / "apparelTrans.parquet").rename(columns=names)
    weeks = pd.read_parquet(folder / "apparelDynCov.parquet").rename(columns=names)
    covariates = ["High.Season", "Gender", "Channel"]
    paths = CovariatePaths.from_frames(purchases, weeks, cutoff="2006-12-31", columns=covariates)
    model = ParetoNBDPaths(rate_covariates=covariates, dropout_covariates=covariates)
    return Work(
        lambda: model.fit(paths.history, paths=paths),
        lambda fitted: {
            "loglik": fitted.loglik_,
            "n_iter": fitted.n_iter_,
            "n_customers": len(paths.history),
            "frequency": float(paths.history["frequency"].sum()),
            "gradient_norm": fitted.gradient_norm_,
            "n_pieces": len(paths.starts),
        },
    )


def apparel() -> Path:
    """Return where the apparel retailer's data lie, beside the project, if they do."""
    return Path(__file__).resolve().parents[2] / "shared" / "data" / "apparel_clvtools"


def of_purchases(prepare: Callable[..., Callable[[], Any]], **options: Any) -> Callable[[Path], Work]:
    """Return work on a file of purchases; told is the most memory that the whole process held during it."""
    return lambda path: Work(prepare(path, **options), lambda _: {"peak": peak_megabytes()})


_ASKED = ("p_alive", "expected_purchases")
_ON_PURCHASES = (
    purchases.by_hand,
    purchases.from_file,
    purchases.from_log,
    purchases.by_lifetimes,
    purchases.literature_to_file,
    purchases.everything_to_file,
    purchases.door,
)


def of_decisions(prepare: Callable[[FloatArray], Callable[[], Any]]) -> Callable[[FloatArray], Work]:
    """Return work on as many customers as an array of one number says."""
    return lambda size: Work(prepare(size), allocation.told)


WORKS: dict[str, Callable[[], Callable[[Any], Work]]] = {
    **{work.__name__: partial(of_decisions, work) for work in (allocation.gained, allocation.allocated)},
    **{
        work.__name__: partial(of_purchases, work)
        for work in (scorecard.whole_card, scorecard.monthly_card, scorecard.audit)
    },
    **{work.__name__: partial(of_purchases, work) for work in _ON_PURCHASES},
    **{
        f"{work.__name__}_on_disk": partial(of_purchases, work, on_disk=True)
        for work in (purchases.literature_to_file, purchases.everything_to_file, purchases.door)
    },
    "fit_bgnbd": lambda: fit(BGNBD),
    "fit_bgnbd_lifetimes": lambda: fit_by_lifetimes("BetaGeoFitter", bgnbd),
    "fit_pareto": lambda: fit(ParetoNBD),
    "fit_pareto_lifetimes": lambda: fit_by_lifetimes("ParetoNBDFitter", pareto_nbd),
    "posterior_4000": lambda: fit(BGNBD, posterior_draws=4000, random_state=0),
    "posterior_1000": lambda: fit(BGNBD, posterior_draws=1000, random_state=0),
    "summary_1000": lambda: summarise_draws,
    "fit_apparel": lambda: fit_apparel,
    **{f"{name}_arrays": partial(ask_arrays, name) for name in _ASKED},
    **{f"{name}_frame": partial(ask_frame, name) for name in _ASKED},
    **{f"{name}_arrays_lifetimes": partial(ask_lifetimes, name, frame=False) for name in _ASKED},
    **{f"{name}_frame_lifetimes": partial(ask_lifetimes, name, frame=True) for name in _ASKED},
}
"""What can be measured: by name, what makes of customers the work to do."""


def peak_megabytes() -> float:
    """Return the most memory that this process ever held.

    On Linux not from getrusage: that remembers the peak of the process which started this one.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak() -> None:
    """Let the peak begin anew at what is held now, where the system knows how (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def measure(name: str, data: Path, repeats: int) -> Measured:
    """Run the work and return what it took; memory is that of its first run."""
    work = WORKS[name]()(np.load(data) if data.suffix == ".npy" else data)
    forget_peak()
    before, result, times, after = peak_megabytes(), None, list[float](), 0.0
    for _ in range(repeats):
        start = time.perf_counter()
        result = work.run()
        times.append(time.perf_counter() - start)
        after = after or peak_megabytes()
    return Measured(min(times), after - before, work.tell(result))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lifetimes warns of its own old calls while it is imported and used
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))._asdict()))
