"""Draws of what offers are assumed to do, shared by all customers.

How many accept is one number for a whole campaign: if it is lower than assumed it is lower for everybody, and
a campaign to many customers is no surer than one to few. Hence the assumptions are drawn once for all
customers; what differs between customers is for `habitue.decisions.gains`. Each assumption has a stream of
chance of its own, by the offer's name, so that another offer, or another assumption, moves none of its draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri, xlog1py, xlogy

from habitue.decisions.beliefs import Amount, Evidence, Share
from habitue.decisions.offers import Offer, check_offers
from habitue.errors import SettingsError
from habitue.numerics.offer_gain import cost_weights, gross_weights

__all__ = ["Assumptions", "Believed", "draw_assumptions", "posterior_uplift"]

FloatArray = npt.NDArray[np.float64]

_STREAMS: Final = ("acceptance", "saves", "staying", "uplift", "evidence")
_GRID: Final = 400  # points a side, where evidence is about a product of two shares
_TAIL: Final = 1e-7  # of a share's prior that lies beyond the grid


class Believed(NamedTuple):
    """Values of one offer's assumptions: one a draw, or one that is expected.

    Attributes
    ----------
    acceptance : ndarray of shape (D,)
        Of those who would leave, who accept.
    kept : ndarray of shape (D,)
        Of those who would leave, who accept and stay because of it.
    staying : ndarray of shape (D,)
        Of those who would stay anyway, who accept.
    uplift : ndarray of shape (D,)
        Margin that a contact adds, of an offer that states it; else 0.
    """

    acceptance: FloatArray
    kept: FloatArray
    staying: FloatArray
    uplift: FloatArray


@dataclass(frozen=True, eq=False)
class Assumptions:
    """Offers with draws of what they do.

    Attributes
    ----------
    offers : tuple of Offer
        In the order of the columns of all tables.
    draws : dict of str to Believed
        By the name of the offer.
    expected : dict of str to Believed
        Exact means, arrays of length 1.
    level : ndarray of shape (D,)
        By what the values of all customers together are off: mean 1.
    """

    offers: tuple[Offer, ...]
    draws: dict[str, Believed]
    expected: dict[str, Believed]
    level: FloatArray

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.level)

    def offer(self, name: str) -> Offer:
        """Return the offer of a name.

        Parameters
        ----------
        name : str
            One of the offers'.

        Raises
        ------
        SettingsError
            Where there is none of the name.
        """
        for one in self.offers:
            if one.name == name:
                return one
        raise SettingsError(f"There is no offer {name!r}; known are {', '.join(self.draws)}.")

    def gross(self, name: str, *, leaver_share: float) -> FloatArray:
        """Return the weights of the gain before costs, a column a draw; their mean is exact.

        Parameters
        ----------
        name : str
            Of the offer.
        leaver_share : float
            Share of a stayer's margin that one who leaves brings.

        Returns
        -------
        ndarray of shape (5, D)
            See `habitue.numerics.offer_gain`.
        """
        offer = self.offer(name)
        drawn = gross_of(offer, self.draws[name], leaver_share=leaver_share, level=self.level)
        return _centred(drawn, gross_of(offer, self.expected[name], leaver_share=leaver_share))

    def cost(self, name: str) -> FloatArray:
        """Return the weights of what a contact costs, a column a draw; their mean is exact.

        Parameters
        ----------
        name : str
            Of the offer.

        Returns
        -------
        ndarray of shape (5, D)
            See `habitue.numerics.offer_gain`.
        """
        offer = self.offer(name)
        return _centred(cost_of(offer, self.draws[name]), cost_of(offer, self.expected[name]))

    def net(self, name: str, *, leaver_share: float) -> FloatArray:
        """Return the weights of the gain net of costs, a column a draw; their mean is exact.

        Parameters
        ----------
        name : str
            Of the offer.
        leaver_share : float
            Share of a stayer's margin that one who leaves brings.

        Returns
        -------
        ndarray of shape (5, D)
            See `habitue.numerics.offer_gain`.
        """
        return self.gross(name, leaver_share=leaver_share) - self.cost(name)


def gross_of(
    offer: Offer, believed: Believed, *, leaver_share: float, level: npt.ArrayLike = 1.0
) -> FloatArray:
    """Return the weights of the gain before costs at given values of the assumptions.

    Parameters
    ----------
    offer : Offer
        Whose margin effect counts.
    believed : Believed
        Values.
    leaver_share : float
        Share of a stayer's margin that one who leaves brings.
    level : array_like, default 1
        By what all customers' values are multiplied.

    Returns
    -------
    ndarray of shape (5, D)
    """
    if offer.uplift is not None:
        nothing = np.zeros_like(believed.uplift)
        return np.stack([nothing, nothing, nothing, nothing, believed.uplift])
    return gross_weights(
        believed.acceptance,
        believed.kept,
        believed.staying,
        margin_effect=offer.margin_effect,
        leaver_share=leaver_share,
        level=level,
    )


def cost_of(offer: Offer, believed: Believed) -> FloatArray:
    """Return the weights of what a contact costs at given values of the assumptions.

    Parameters
    ----------
    offer : Offer
        Whose costs count.
    believed : Believed
        Values.

    Returns
    -------
    ndarray of shape (5, D)
    """
    return cost_weights(
        believed.acceptance, believed.staying, cost=offer.cost, cost_if_accepted=offer.cost_if_accepted
    )


def draw_assumptions(
    offers: Sequence[Offer], *, n_draws: int = 500, value_error: float = 0.1, random_state: int = 0
) -> Assumptions:
    r"""Return draws of what each offer does.

    Parameters
    ----------
    offers : sequence of Offer
        With different names.
    n_draws : int, default 500
        2 or more.
    value_error : float, default 0.1
        Standard deviation of the logarithm of how far the values of all customers together may be off, e.g.
        0.1 for about 10 %; 0 or more.
    random_state : int, default 0
        Seed, 0 or more.

    Returns
    -------
    Assumptions

    Raises
    ------
    SettingsError
        Where offers share a name, or a number is out of range.

    Notes
    -----
    Each number is drawn in equal strata in random order (Latin hypercube), so that few draws have little
    error. Where a trial measured the share of leavers that is kept, acceptance :math:`\gamma` and saves s are
    drawn together from

    .. math:: p(\gamma, s) \propto Beta(\gamma) \, Beta(s) \, N(\hat e; \gamma s, se^2)

    on a grid; an uplift from the Normal distribution by precision.

    References
    ----------
    McKay, Beckman and Conover (1979), Technometrics 21, 239-245.

    Examples
    --------
    >>> offer = Offer("call", cost=2.0, acceptance=Share(0.4, worth=50), saves=Share(0.25, worth=20))
    >>> drawn = draw_assumptions([offer], n_draws=200)
    >>> round(float(drawn.expected["call"].kept[0]), 3), drawn.draws["call"].kept.shape
    (0.1, (200,))
    """
    checked = check_offers(offers)
    if n_draws < 2 or random_state < 0:
        raise SettingsError(
            f"n_draws must be 2 or more and random_state 0 or more; got {n_draws} and {random_state}."
        )
    if not 0.0 <= value_error < 3.0:
        raise SettingsError(f"value_error must be at least 0, e.g. 0.1 for 10 %; got {value_error!r}.")
    z = ndtri(_strata(n_draws, _stream("", "level", random_state)))
    level = np.exp(value_error * z - value_error**2 / 2.0)
    both = {offer.name: _drawn(offer, n_draws, random_state) for offer in checked}
    draws = {name: drawn for name, (drawn, _) in both.items()}
    return Assumptions(checked, draws, {name: mean for name, (_, mean) in both.items()}, level)


def posterior_uplift(assumed: Amount, measured: Evidence) -> Amount:
    """Return what is believed of an uplift after it was measured.

    Parameters
    ----------
    assumed : Amount
        Before; one with sd = 0 is certain, and stays.
    measured : Evidence
        What trials found.

    Returns
    -------
    Amount
        Mean by precision.

    Examples
    --------
    >>> posterior_uplift(Amount(5.0, 2.0), Evidence().and_also(1.0, 2.0)).mean
    3.0
    """
    if not measured.precision or not assumed.sd:
        return assumed
    prior = assumed.sd**-2
    precision = prior + measured.precision
    return Amount((prior * assumed.mean + measured.weighted) / precision, precision**-0.5)


def _stream(offer: str, what: str, random_state: int) -> np.random.Generator:
    name = f"{offer}\0{what}".encode()
    return np.random.default_rng([random_state, int.from_bytes(name)])


def _strata(size: int, rng: np.random.Generator) -> FloatArray:
    """Return one uniform number in each of so many equal strata, in random order."""
    return (rng.permutation(size) + rng.uniform(1e-9, 1.0 - 1e-9, size)) / size


def _drawn(offer: Offer, size: int, random_state: int) -> tuple[Believed, Believed]:
    """Return draws of an offer's assumptions, and their exact means."""
    streams = {what: _stream(offer.name, what, random_state) for what in _STREAMS}
    gamma = _share_draws(offer.acceptance, size, streams["acceptance"])
    kept, means = np.zeros(size), (offer.acceptance.mean, 0.0)
    if offer.saves is not None:
        kept = gamma * _share_draws(offer.saves, size, streams["saves"])
        means = (offer.acceptance.mean, offer.kept_share)
        if offer.measured.precision:
            gamma, kept, means = _with_evidence(offer, offer.saves, size, streams["evidence"])
    staying, staying_mean = gamma, means[0]
    if offer.staying is not None:
        staying, staying_mean = _share_draws(offer.staying, size, streams["staying"]), offer.staying.mean
    believed = Amount(0.0) if offer.uplift is None else posterior_uplift(offer.uplift, offer.measured)
    uplift = believed.mean + believed.sd * ndtri(_strata(size, streams["uplift"]))
    expected = (np.array([mean]) for mean in (*means, staying_mean, believed.mean))
    return Believed(gamma, kept, staying, uplift), Believed(*expected)


def _share_draws(share: Share, size: int, rng: np.random.Generator) -> FloatArray:
    return share_quantile(share, _strata(size, rng))


def share_quantile(share: Share, q: npt.ArrayLike) -> FloatArray:
    """Return quantiles of a share.

    Parameters
    ----------
    share : Share
        What is believed of it.
    q : array_like
        In (0, 1).

    Returns
    -------
    ndarray
        In [0, 1].

    Examples
    --------
    >>> share_quantile(Share(0.5, worth=2), [0.1, 0.9])
    array([0.1, 0.9])
    """
    at = np.asarray(q, dtype=np.float64)
    if share.is_exact:
        return np.full(at.shape, share.mean)
    return betaincinv(share.mean * share.worth, (1.0 - share.mean) * share.worth, at)


def _with_evidence(
    offer: Offer, saves: Share, size: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, tuple[float, float]]:
    """Draw acceptance, and acceptance times saves, given what was measured of the product."""
    gamma, log_gamma, width = _grid(offer.acceptance)
    saved, log_saved, height = _grid(saves)
    away = gamma[:, None] * saved - offer.measured.effect
    log_density = log_gamma[:, None] + log_saved - 0.5 * offer.measured.precision * away**2
    mass = np.exp(log_density - log_density.max()).ravel()
    mass /= mass.sum()
    # In strata of the probability: few draws stand for the whole grid.
    at = np.searchsorted(np.cumsum(mass), _strata(size, rng) * (1.0 - 1e-12)).clip(max=mass.size - 1)
    row, column = np.divmod(at, saved.size)
    drawn = gamma[row] + width * rng.uniform(-0.5, 0.5, size)
    kept = drawn * (saved[column] + height * rng.uniform(-0.5, 0.5, size))
    joint = mass.reshape(gamma.size, saved.size)
    return drawn, kept, (float(joint.sum(1) @ gamma), float(gamma @ joint @ saved))


def _grid(share: Share) -> tuple[FloatArray, FloatArray, float]:
    """Return midpoints over where a share may lie, the log of its density there, and their distance."""
    if share.is_exact:
        return np.array([share.mean]), np.zeros(1), 0.0
    low, high = share_quantile(share, [_TAIL, 1.0 - _TAIL])
    width = float(high - low) / _GRID
    at = low + width * (np.arange(_GRID) + 0.5)
    alpha, beta = share.mean * share.worth, (1.0 - share.mean) * share.worth
    return at, xlogy(alpha - 1.0, at) + xlog1py(beta - 1.0, -at), width


def _centred(drawn: FloatArray, mean: FloatArray) -> FloatArray:
    """Move draws so that their mean is exact."""
    return drawn + (mean - drawn.mean(axis=1, keepdims=True))
