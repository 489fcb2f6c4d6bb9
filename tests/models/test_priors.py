"""Priors: densities against scipy, Jacobians against integrals, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import dblquad, quad

from habitue.errors import SettingsError
from habitue.models import distributions as d
from habitue.models.coordinates import Coordinates
from habitue.models.persistence import load_model, save_model
from habitue.models.priors import check_prior, complete_prior, default_prior, log_prior

EACH = [
    (d.LogNormal(0.7, 1.3), stats.lognorm(1.3, scale=0.7)),
    (d.Weibull(2.0, 10.0), stats.weibull_min(2.0, scale=10.0)),
    (d.Weibull(0.6, 3.0), stats.weibull_min(0.6, scale=3.0)),
    (d.Gamma(2.5, 4.0), stats.gamma(2.5, scale=0.25)),
    (d.Gamma(0.3, 0.1), stats.gamma(0.3, scale=10.0)),
    (d.Pareto(1.0, 1.0), stats.pareto(1.0)),
    (d.Pareto(2.5, 0.4), stats.pareto(2.5, scale=0.4)),
    (d.Uniform(), stats.uniform()),
    (d.HalfNormal(1.7), stats.halfnorm(scale=1.7)),
    (d.Normal(-0.4, 0.8), stats.norm(-0.4, 0.8)),
    (d.InUnit(d.Weibull(2.0, 10.0), 7.0), stats.weibull_min(2.0, scale=70.0)),
]
X = np.array([-3.0, -1e-9, 1e-12, 0.2, 0.4, 0.9999, 1.0, 1.5, 20.0, 1e6])

PYMC = {
    "r": d.Weibull(2.0, 1.0),
    "alpha": d.InUnit(d.Weibull(2.0, 10.0), 7.0),
    "a/(a+b)": d.Uniform(),
    "a+b": d.Pareto(1.0, 1.0),
}
BGNBD = ("r", "alpha", "a", "b")
positive = st.floats(0.01, 100.0)


@pytest.mark.parametrize(("ours", "theirs"), EACH)
def test_densities_equal_scipys(ours: d.Distribution, theirs: stats.rv_continuous) -> None:
    got = ours.log_density(X)
    np.testing.assert_allclose(got, theirs.logpdf(X), rtol=1e-12, atol=1e-12)
    assert ours.log_density(0.5).shape == ()


@pytest.mark.parametrize(("ours", "_"), EACH)
def test_no_value_makes_a_warning(ours: d.Distribution, _: object) -> None:
    assert not np.isnan(ours.log_density([0.0, 1e-300, 1e300])).any()


def test_none_can_be_made_without_its_formula() -> None:
    class HalfMade(d._Formula):
        pass

    with pytest.raises(TypeError, match="_log_density"):
        HalfMade()  # type: ignore[abstract]


@given(positive, positive, positive, positive)
@settings(max_examples=60, deadline=None)
def test_published_priors_are_expressed_exactly(r: float, weeks: float, a: float, b: float) -> None:
    # Written out in (log r, log alpha in weeks, log a, log b), with the change of variables done by hand.
    share, total = a / (a + b), a + b
    want = (
        stats.weibull_min(2.0).logpdf(r) + math.log(r)
        + stats.weibull_min(2.0, scale=10.0).logpdf(weeks) + math.log(weeks)
        + stats.pareto(1.0).logpdf(total) + math.log(share * (1.0 - share) * total)
    )  # fmt: skip
    natural = np.array([r, 7.0 * weeks, a, b])
    assert float(log_prior(PYMC, natural, BGNBD, units={"alpha": 123.0})) == pytest.approx(
        want, rel=1e-12, abs=1e-11
    )


def test_a_pair_integrates_to_one_over_unconstrained_parameters() -> None:
    prior = {"a/(a+b)": d.Uniform(), "a+b": d.LogNormal(1.0, 0.5)}

    def density(log_b: float, log_a: float) -> float:
        return math.exp(float(log_prior(prior, np.exp([log_a, log_b]), ("a", "b"))))

    assert dblquad(density, -14.0, 4.0, -14.0, 4.0, epsabs=1e-5)[0] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("prior", "names", "units", "lower"),
    [
        ({"alpha": d.LogNormal(1.0, 2.0)}, ("alpha",), {"alpha": 200.0}, {}),
        ({"alpha": d.Weibull(2.0, 70.0)}, ("alpha",), {}, {}),
        ({"q-1": d.LogNormal(1.0, 1.0)}, ("q",), {}, {"q": 1.0}),
        ({"a+b": d.Normal(0.3, 1.0)}, ("a+b",), {}, {"a+b": -math.inf}),  # a covariate with that name
    ],
)
def test_one_parameter_integrates_to_one(
    prior: dict[str, d.Distribution], names: tuple[str], units: dict[str, float], lower: dict[str, float]
) -> None:
    end = lower.get(names[0], 0.0)

    def density(theta: float) -> float:
        natural = theta if end == -math.inf else math.exp(theta) + end
        return math.exp(float(log_prior(prior, [natural], names, units=units, lower=lower)))

    assert quad(density, -25.0, 25.0, limit=400, points=[0.0, 5.0])[0] == pytest.approx(1.0, abs=1e-7)


def test_a_prior_in_units_does_not_depend_on_whether_days_or_weeks_are_counted() -> None:
    prior = default_prior(BGNBD, beta_pairs=[("a", "b")])
    days = log_prior(prior, [0.3, 40.0, 0.8, 2.4], BGNBD, units={"alpha": 210.0})
    weeks = log_prior(prior, [0.3, 40.0 / 7.0, 0.8, 2.4], BGNBD, units={"alpha": 30.0})
    assert float(days) == pytest.approx(float(weeks), rel=1e-13)


def test_density_is_the_same_over_log_a_and_log_b_as_over_log_odds_and_log_of_their_sum() -> None:
    coordinates = Coordinates(BGNBD, (0, 1, 0, 0), beta_pair=(2, 3))
    natural = np.array([0.3, 40.0, 0.8, 2.4])
    by_logs = np.prod(natural)
    assert abs(np.linalg.det(coordinates.jacobian(natural))) == pytest.approx(by_logs, rel=1e-12)


@given(st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=12, deadline=None)
def test_many_points_at_once_are_one_by_one(n: int, m: int) -> None:
    natural = np.random.default_rng(n).gamma(2.0, 1.0, (m, n, 4))
    together = log_prior(PYMC, natural, BGNBD)
    assert together.shape == (m, n)
    for at in np.ndindex(m, n):
        assert float(together[at]) == float(log_prior(PYMC, natural[at], BGNBD))


def test_what_a_prior_excludes_has_no_density_and_makes_no_warning() -> None:
    assert float(log_prior(PYMC, [0.3, 30.0, 0.2, 0.3], BGNBD)) == -math.inf  # Pareto: a + b >= 1
    on_its_end = log_prior({"q-1": d.LogNormal(1.0, 2.0)}, [1.0], ("q",), lower={"q": 1.0})
    assert float(on_its_end) == -math.inf


def test_the_default_is_complete_for_every_kind_of_parameter() -> None:
    names = ("r", "alpha", "a", "b", "q", "price-1")
    prior = default_prior(names, beta_pairs=[("a", "b")], effects={"price-1"}, above_one={"q"})
    check_prior(prior, names)
    assert set(prior) == {"r", "alpha", "a/(a+b)", "a+b", "q-1", "price-1"}
    assert repr(prior["price-1"]) == "Normal(mean=0.0, sd=1.0)"


def test_a_users_entries_replace_those_of_the_default() -> None:
    default = default_prior(BGNBD, beta_pairs=[("a", "b")])
    assert complete_prior(None, default, BGNBD) == default
    assert complete_prior({"a+b": d.Pareto(1.0, 1.0)}, default, BGNBD) == {
        **default, "a+b": d.Pareto(1.0, 1.0),
    }  # fmt: skip
    plain = {"a": d.Gamma(1.0, 1.0), "b": d.Gamma(1.0, 1.0)}
    assert set(complete_prior(plain, default, BGNBD)) == {"r", "alpha", "a", "b"}


@pytest.mark.parametrize(
    ("prior", "complaint"),
    [
        ({"a": d.Gamma(1.0, 1.0)}, "leaves out b"),
        ({"s": d.Gamma(1.0, 1.0)}, "'s' is none of them"),
        ({"a/(b+a)": d.Uniform()}, "none of them"),
        ({"r": 0.3}, "expected a distribution"),
        ({"a": d.Gamma(1.0, 1.0), "b": d.Gamma(1.0, 1.0), "a+b": d.Gamma(1.0, 1.0)}, "two things of a, b"),
    ],
)
def test_what_is_no_prior_is_refused_with_the_way_out(prior: dict[str, object], complaint: str) -> None:
    default = default_prior(BGNBD, beta_pairs=[("a", "b")])
    with pytest.raises(SettingsError, match=complaint):
        complete_prior(prior, default, BGNBD)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ours", "_"), EACH)
def test_distributions_persist(ours: d.Distribution, _: object, tmp_path: Path) -> None:
    save_model(ours, tmp_path / "prior")
    assert load_model(tmp_path / "prior") == ours
