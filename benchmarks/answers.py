"""What is asked of customers: as formulas on arrays, and as estimators on frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.customers import BGNBD_TRUTH, histories, stored
from benchmarks.measuring import LOGS_PER_HISTORY, Row, alone

_LIMITS = {
    "p_alive_arrays": "Limited by two logarithms and one exponential a customer.",
    "p_alive_frame": "Three fifths are the formula, the rest reads the frame and checks every history.",
    "expected_purchases_arrays": "Limited by finding the customers who share frequency and T, and by the "
    "integral that stands for the hypergeometric function, for each pair; lifetimes calls scipy's for each "
    "customer.",
    "expected_purchases_frame": "As on arrays; reading and checking the frame adds little to it.",
}


def rows(folder: Path, per_log: float, *, quick: bool) -> Iterator[Row]:
    """Yield the comparisons."""
    n = 100_000 if quick else 1_000_000
    data = stored(folder, "asked", histories(BGNBD_TRUTH, n))
    for answer in ("p_alive", "expected_purchases"):
        for form, word in (("arrays", "formula on arrays"), ("frame", "estimator on a frame")):
            yield Row(
                f"BG/NBD {answer.replace('_', ' ')}, {word}: {n:,} customers",
                alone(f"{answer}_{form}", data, repeats=5),
                "lifetimes",
                alone(f"{answer}_{form}_lifetimes", data, repeats=5),
                n * LOGS_PER_HISTORY * per_log,
                _LIMITS[f"{answer}_{form}"],
            )
