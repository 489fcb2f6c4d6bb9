"""Formulas: arrays in, arrays out, one file per distribution family.

What a paper prints stands here as a function on numpy arrays that can be checked with five numbers typed
in. It deliberately knows no data frame, keeps no state, reads no file and fits nothing: the estimators in
:mod:`habitue.models` do that. Every family is a module, used by its name::

    from habitue.numerics import bgnbd

    bgnbd.p_alive(bgnbd.Params(0.243, 30.9, 0.793, 2.43), 2, 213.0, 272.0)

A family's functions have the same names everywhere (``log_likelihood``, ``p_alive``, ``expected_purchases``,
``p_no_purchase``, ...). Where to look::

    nbd                            nobody leaves
    bgnbd  mbgnbd                  leaving after a purchase    beta_dropout, beta_dropout_histories: what they
                                                               share; purchases_ahead: their integrals
    bgcnbdk  mbgcnbdk              the same, regular buyers    erlang_gaps, erlang_ahead, regular_buyers
    pareto_nbd  ggompertz_nbd      leaving at any time         explained, silent_leaving, silent_futures; of
                                                               each family _likelihood and _presence;
                                                               gompertz_leaving
    pareto_nbd_paths               covariates that change      covariate_paths; pareto_nbd_exposures,
                                                               pareto_nbd_silence, pareto_nbd_paths_slopes
    bgbb                           opportunities               bgbb_silence, bgbb_future
    sbg  bdw                       contracts                   bdw_survival, long_sums
    gamma_gamma                    spend
    drift  many_tests              whether two samples differ; which of many tests to believe
    shares                         intervals for a share, and for promoters less detractors
    quantile_bins                  bins that hold equal shares, point masses apart
    seasons  season_totals         the year's profile and its clock; totals that go wrong together
    discounting  purchases         money later; what simulators return
    churn_profit                   what a campaign to keep customers earns
    calibration_maps               probabilities that mean what they say
    zero_inflated_lognormal        spend, most of it nothing    spend_losses, rescaling
    discrete_hazards               when customers leave, period by period    censored_scores
    psis  ensemble  convergence    draws from a posterior      log_density
    conformal                      intervals that hold as often as they say
    arrays  beta_ratio  many_rows  panels  quadrature          tools of all of them
"""

from __future__ import annotations

from habitue.numerics.discounting import Discount

__all__ = ["Discount"]
