"""The posterior of BG/NBD by the NUTS of pymc-marketing, in that package's own environment.

``PYTHON benchmarks/pymc_peer.py CUSTOMERS.csv`` where PYTHON has pymc-marketing (``make bench-pymc`` makes
such an environment); it needs nothing of habitue. Time is handed in as weeks, for which its default priors
are meant, and told in days. It prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Sample, and tell what it took."""
    import pandas as pd

    X = pd.read_csv(sys.argv[1])
    X[["recency", "T"]] /= 7.0
    X.insert(0, "customer_id", range(len(X)))
    start = time.perf_counter()
    from pymc_marketing.clv import BetaGeoModel

    imported = time.perf_counter()
    model = BetaGeoModel()
    model.fit(X, method="mcmc", draws=1000, tune=1000, chains=4, random_seed=0, progressbar=False)
    end = time.perf_counter()
    posterior = model.idata["posterior"]
    draws = {name: posterior[name].to_numpy().ravel() for name in ("r", "alpha", "a", "b")}
    draws["alpha"] = 7.0 * draws["alpha"]
    told = {
        "sampling_seconds": float(posterior.attrs["sampling_time"]),
        "fit_seconds": end - imported,
        "import_seconds": imported - start,
        "n_draws": len(draws["r"]),
        "mean": [float(values.mean()) for values in draws.values()],
        "sd": [float(values.std()) for values in draws.values()],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
