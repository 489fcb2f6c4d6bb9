"""Small groups: none is shown, none can be worked out from the rest, nobody is lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from habitue.scorecard.groups import OTHER, hidden_months, pooled

SIZES = st.dictionaries(st.sampled_from([*"abcdefgh", OTHER]), st.integers(1, 120), min_size=1)


@given(SIZES, st.integers(1, 60))
def test_what_is_shown_is_large_enough_and_pools_hide(sizes: dict[str, int], min_count: int) -> None:
    shown = pooled(sizes, min_count=min_count)
    assert set(shown) == set(sizes)
    totals: dict[str, int] = {}
    for group, told in shown.items():
        assert told in (group, OTHER)
        totals[told] = totals.get(told, 0) + sizes[group]
    assert sum(totals.values()) == sum(sizes.values())
    if any(size < min_count for size in sizes.values()):
        inside = [group for group, told in shown.items() if told == OTHER]
        # Either the pool is large enough and of two, or it is everybody.
        assert len(inside) == len(sizes) or (len(inside) > 1 and totals[OTHER] >= min_count)
        assert all(total >= min_count for told, total in totals.items() if told != OTHER)
    else:
        assert shown == {group: group for group in sizes}


@given(SIZES, st.integers(1, 60))
def test_what_months_hide_cannot_be_told_by_subtraction(sizes: dict[str, int], min_count: int) -> None:
    hidden = hidden_months(sizes, min_count=min_count)
    small = {name for name, size in sizes.items() if size < min_count}
    assert small <= set(hidden)
    assert all("suppressed" in why for why in hidden.values())
    if not small:
        assert not hidden
    elif set(hidden) != set(sizes):
        assert len(hidden) > 1
        assert sum(sizes[name] for name in hidden) >= min_count


def test_a_month_without_anybody_hides_nothing() -> None:
    assert hidden_months({"2024-01": 0, "2024-02": 50}, min_count=30) == {}
