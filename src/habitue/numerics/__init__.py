"""Formulas: arrays in, arrays out, one file per distribution family.

What a paper prints stands here as a function on numpy arrays that can be checked with five numbers typed
in. It deliberately knows no data frame, keeps no state, reads no file and fits nothing: the estimators in
:mod:`habitue.models` do that. Every family is a module, used by its name::

    from habitue.numerics import bgnbd

    bgnbd.p_alive(bgnbd.Params(0.243, 30.9, 0.793, 2.43), 2, 213.0, 272.0)
"""

from __future__ import annotations

__all__: list[str] = []
