"""Who gets which offer: `habitue.decisions.allocate` against all of it handed to the solver; and gains.

``python -m benchmarks --only decisions`` measures a million customers and ten offers with a budget,
capacities and limits of fairness; and 20,000 of them beside ``scipy.optimize.milp`` with the same limits,
which runs in a process of its own and is ended when its time is over.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from benchmarks.measuring import Measured, Row, alone
from habitue.decisions import allocate, parity
from habitue.decisions.allocating.allocation import Allocation
from habitue.decisions.assumptions import draw_assumptions
from habitue.decisions.beliefs import Share
from habitue.decisions.gains import Gains, expected_gains
from habitue.decisions.offers import Offer
from habitue.decisions.value_at_stake import value_at_stake

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


def allocated(size: npt.NDArray[np.float64]) -> Callable[[], Allocation]:
    """Return the allocation of so many customers."""
    asked = question(int(size[0]))
    return lambda: allocate(**asked, tolerance=TOLERANCE)


def gained(size: npt.NDArray[np.float64]) -> Callable[[], Gains]:
    """Return what ten offers gain with each of so many customers, with intervals."""
    n, rng = int(size[0]), np.random.default_rng(0)
    scores = pd.DataFrame({"churn_probability": rng.beta(1.0, 2.0, n), "clv": rng.gamma(1.0, 100.0, n)})
    scores["clv_lower"], scores["clv_upper"] = 0.5 * scores["clv"], 1.8 * scores["clv"]
    offers = [
        Offer(
            f"offer {one}", cost=1.0 + one / 3.0, acceptance=Share(0.3, worth=20), saves=Share(0.4, worth=20)
        )
        for one in range(N_OFFERS)
    ]
    return lambda: expected_gains(value_at_stake(scores, margin=0.4), draw_assumptions(offers))


def told(done: Allocation | Gains) -> dict[str, Any]:
    """Return what was found."""
    if isinstance(done, Gains):
        return {"mean": float(done.expected.to_numpy().mean())}
    return {"objective": done.objective, "bound": done.bound, "gap": done.gap, "n_treated": done.n_treated}


def rows(folder: Path, *, quick: bool, long: bool) -> Iterator[Row]:
    """Yield gains and allocations of a large base, and of one that the solver alone can take."""
    n, few = (100_000, 2_000) if quick else (1_000_000, 20_000)
    size, small = _stored(folder, n), _stored(folder, few)
    limit = "Draws of the assumptions and of each customer's value, in single precision, a piece at a time."
    what = f"gains with intervals: {n:,} customers x {N_OFFERS} offers"
    yield Row(what, alone("gained", size, repeats=1), "", None, None, limit)
    yield _row(n, alone("allocated", size, repeats=1), None, "Limited by choosing anew at every price.")
    ours = alone("allocated", small, repeats=1)
    theirs = peer(few, seconds=300.0 if long else 60.0)
    yield _row(few, ours, theirs, theirs.facts["ended"])


def _row(n: int, ours: Measured, theirs: Measured | None, limit: str) -> Row:
    plan = ours.facts
    limit = f"Gains {plan['objective']:,.2f}, at most {plan['gap']:.0e} below the best plan. {limit}"
    what = f"allocation under budget, capacity and fairness: {n:,} customers x {N_OFFERS} offers"
    return Row(what, ours, "scipy.optimize.milp, all at once" if theirs else "", theirs, None, limit)


def _stored(folder: Path, n: int) -> Path:
    path = folder / f"size_{n}.npy"
    np.save(path, np.array([float(n)]))
    return path


def peer(n: int, *, seconds: float) -> Measured:
    """Hand all of it to the solver in a process of its own, ended where it does not keep its time."""
    command = [sys.executable, "-m", "benchmarks.allocation", "--plain", str(n), str(seconds)]
    began = time.perf_counter()
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60.0)
    except subprocess.TimeoutExpired:
        ended = f"The peer, allowed {seconds:.0f} s, had no answer when we ended it after that and 60 s more."
        return Measured(time.perf_counter() - began, None, {"ended": ended})
    return Measured(**json.loads(ran.stdout.splitlines()[-1]))


def _plain_alone(n: int, seconds: float) -> Measured:
    asked, began = question(n), time.perf_counter()
    worth, bound = plain(asked, seconds=seconds)
    took = time.perf_counter() - began
    ended = f"The peer, allowed {seconds:.0f} s, gains {worth:,.2f} and says at most {bound:,.2f}."
    return Measured(took, None, {"ended": ended})


def main() -> None:
    """Do the peer's part, for `peer`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plain", nargs=2, metavar=("CUSTOMERS", "SECONDS"), required=True)
    n, seconds = parser.parse_args().plain
    print(json.dumps(_plain_alone(int(n), float(seconds))._asdict()))


if __name__ == "__main__":
    main()
