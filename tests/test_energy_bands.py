"""Uncertainty: what figures share cancels in ratios, adds up in sums; the rest is independent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.energy import Band
from compiler.energy.band import total
from compiler.targets.figures import Figure

POSITIVE = st.floats(1e-14, 1e-3)
SPREAD = st.floats(1.0, 100.0)
SEED = st.integers(0, 3)


@st.composite
def figures(draw: st.DrawFn, unit: str = "J") -> Figure:
    value = draw(POSITIVE)
    low, high = value / draw(SPREAD), value * draw(SPREAD)
    return Figure(value=value, low=low, high=high, unit=unit, grade="C", source="drawn")


def ends(band: Band) -> tuple[float, float, float]:
    return band.low, band.value, band.high


@given(figures(), figures(), figures("1"), SEED)
@settings(max_examples=25, deadline=None)
def test_a_shared_factor_cancels_in_a_ratio(first, second, factor, seed):
    one, other = Band.of(first, "one", seed), Band.of(second, "other", seed)
    shared = Band.of(factor, "factor", seed)
    ratio = one.times(shared, "J").over(other.times(shared, "J"))
    assert ends(ratio) == pytest.approx(ends(one.over(other)), rel=1e-9)
    itself = one.times(shared, "J").over(one.times(shared, "J"))
    assert ends(itself) == pytest.approx((1, 1, 1))


@given(figures(), figures(), figures("1"), st.floats(0, 1e9), SEED)
@settings(max_examples=25, deadline=None)
def test_a_shared_factor_does_not_average_out_in_a_sum(first, second, factor, count, seed):
    one, other = Band.of(first, "one", seed), Band.of(second, "other", seed)
    shared = Band.of(factor, "factor", seed)
    each = one.scaled(count).times(shared, "J") + other.times(shared, "J")
    both = (one.scaled(count) + other).times(shared, "J")
    assert ends(each) == pytest.approx(ends(both), rel=1e-9)
    alike = [one.times(shared, "J")] * 3  # the same figure three times is three times as wide
    summed = total(alike)
    assert isinstance(summed, Band)
    assert ends(summed) == pytest.approx(tuple(3 * end for end in ends(alike[0])), rel=1e-9)


@given(SPREAD, SPREAD, SEED)
@settings(max_examples=25, deadline=None)
def test_independent_factors_multiply_as_log_normal_ones_do(first, second, seed):
    """In logarithms, half widths of a product are those of its factors as a right angle's legs."""
    widths = [math.log(first), math.log(second)]
    one, other = (
        Band.of(Figure(value=1, low=1 / s, high=s, unit="J", grade="C", source="drawn"), key, seed)
        for s, key in ((first, "one"), (second, "other"))
    )
    expected = math.hypot(*widths)
    for band in (one.times(other, "J"), one.over(other)):
        assert math.log(band.high) == pytest.approx(expected, rel=0.08, abs=1e-9)
        assert -math.log(band.low) == pytest.approx(expected, rel=0.08, abs=1e-9)


@given(figures(), SEED)
@settings(max_examples=25, deadline=None)
def test_draws_depend_on_seed_and_name_alone(figure, seed):
    again = Band.of(figure, "one", seed)
    assert np.array_equal(Band.of(figure, "one", seed).samples, again.samples)
    if figure.low < figure.value < figure.high:
        for other in (Band.of(figure, "two", seed), Band.of(figure, "one", seed + 1)):
            assert not np.array_equal(other.samples, again.samples)
            assert ends(other) == pytest.approx(ends(again), rel=1e-3)  # the same figure
