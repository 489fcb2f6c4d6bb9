"""Lots that customers draw: numbers that depend on a customer's id and an occasion, and on nothing else.

They are those by which experiments assign arms: a round can be drawn again by anybody who has the ids.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from habitue.experiments.assignment import id_text, uniform_of

__all__ = ["lots"]


def lots(customers: Iterable[object] | pd.Index, occasion: str) -> npt.NDArray[np.float64]:
    """Draw one number a customer.

    Parameters
    ----------
    customers : iterable
        Their ids.
    occasion : str
        What is drawn for, such as the name of a round.

    Returns
    -------
    ndarray of shape (n_customers,)
        Uniform in [0, 1); the same customer draws the same on the same occasion, in any order.

    Examples
    --------
    >>> drawn = lots(["ann", "bob"], "spring")
    >>> bool((drawn == lots(["bob", "ann"], "spring")[::-1]).all())
    True
    """
    if isinstance(customers, pd.Index):
        whole = pd.api.types.is_integer_dtype(customers.dtype)
        texts = map(str if whole else id_text, customers.tolist())
    else:
        texts = map(id_text, customers)
    return uniform_of(texts, experiment=occasion)
