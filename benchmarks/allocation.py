"""Who gets which offer: `habitue.decisions.allocate` against all of it handed to the solver.

``python -m benchmarks.allocation`` prints time, gap and memory of a million customers and ten offers with a
budget, capacities and limits of fairness; and of 20,000 of them beside ``scipy.optimize.milp`` with the same
limits. ``--customers`` and ``--peer-customers`` change the sizes.
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any, cast

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from habitue.decisions import allocate, parity

N_OFFERS = 10
CHANNELS = [*"mmmmppppcc"]
TOLERANCE = 1e-5


def question(n: int, *, seed: int = 0) -> dict[str, Any]:
    """Return a base whose third group gains less, so that the limits of fairness bind."""
    rng = np.random.default_rng(seed)
    value = rng.lognormal(3.0, 1.0, (n, 1))
    gain = 2.0 * value * rng.beta(1.0, 8.0, (n, N_OFFERS)) - rng.uniform(0.5, 4.0, N_OFFERS)
    cost = rng.uniform(0.5, 4.0, N_OFFERS) + rng.gamma(2.0, 1.0, (n, N_OFFERS))
    region = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    gain[region == "c"] *= 0.7
    gain[rng.random((n, N_OFFERS)) < 0.2] = np.nan
    return {
        "gain": gain,
        "cost": cost,
        "budget": 0.4 * n,
        "capacity": np.concatenate([np.full(5, np.floor(0.01 * n)), np.full(5, np.nan)]),
        "channels": CHANNELS,
        "channel_capacity": {"m": 0.05 * n, "p": 0.06 * n},
        "groups": {"region": region},
        "fairness": parity("region", ["a", "b", "c"], ratio=0.9),
    }


def plain(asked: dict[str, Any], *, seconds: float) -> tuple[float, float]:
    """Hand all of it to the solver; return what its plan gains, and its bound."""
    gain, cost, region = asked["gain"], asked["cost"], asked["groups"]["region"]
    n = len(gain)
    possible = ~np.isnan(gain)
    rows, offers = np.nonzero(possible)
    columns = np.arange(len(rows))
    tables: list[Any] = [coo_array((np.ones(len(rows)), (rows, columns)), shape=(n, len(rows)))]
    bounds = [np.ones(n), [asked["budget"]]]
    tables.append(csr_array(cost[rows, offers].reshape(1, -1)))
    for offer in np.flatnonzero(~np.isnan(asked["capacity"])):
        tables.append(csr_array((offers == offer).astype(float).reshape(1, -1)))
        bounds.append([asked["capacity"][offer]])
    for channel, places in asked["channel_capacity"].items():
        tables.append(
            csr_array(np.isin(offers, np.flatnonzero(np.array(CHANNELS) == channel)).astype(float)[None])
        )
        bounds.append([np.floor(places)])
    size = {one: float(possible.any(axis=1)[region == one].sum()) for one in ("a", "b", "c")}
    for limit in asked["fairness"]:
        own, other = region[rows] == limit.group, region[rows] == limit.of
        tables.append(csr_array((limit.ratio * size[limit.group] / size[limit.of] * other - own)[None]))
        bounds.append([0.0])
    found: Any = milp(
        -gain[rows, offers],
        integrality=np.ones(len(rows)),
        bounds=cast("Any", Bounds)(0.0, 1.0),
        constraints=cast("Any", LinearConstraint)(csr_array(vstack(tables)), -np.inf, np.concatenate(bounds)),
        options={"mip_rel_gap": TOLERANCE, "time_limit": seconds},
    )
    return (np.nan if found.fun is None else -found.fun), -(found.mip_dual_bound or np.nan)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def _ours(n: int) -> dict[str, Any]:
    asked = question(n)
    held, began = _megabytes(), time.perf_counter()
    plan = allocate(**asked, tolerance=TOLERANCE)
    seconds = time.perf_counter() - began
    said = f"{n:,} x {N_OFFERS}: {seconds:.1f} s, gains {plan.objective:,.2f}, bound {plan.bound:,.2f}, "
    said += f"gap {plan.gap:.1e} ({plan.status}), {plan.n_treated:,} treated, +{_megabytes() - held:,.0f} MB"
    print(said, flush=True)
    return asked


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--peer-customers", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=300.0)
    given = parser.parse_args()
    _ours(given.customers)
    asked = _ours(given.peer_customers)
    began = time.perf_counter()
    worth, bound = plain(asked, seconds=given.seconds)
    seconds = time.perf_counter() - began
    print(f"scipy.optimize.milp: {seconds:.1f} s, gains {worth:,.2f}, bound {bound:,.2f}", flush=True)


if __name__ == "__main__":
    main()
