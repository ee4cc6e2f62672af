"""How a population is split: the fewest slices that fit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.passes.placing.part import Part
from compiler.passes.placing.split import Grid, best_grid


def only_neurons(most: int) -> Callable[[Part], bool]:
    return lambda part: part.neurons <= most


@pytest.mark.parametrize(
    ("shape", "most", "expected"),
    [
        ((128, 16, 16), 8192, (1, 2, 2)),  # positions first: one neuron then reaches fewer slices
        ((1, 1, 1), 5, (1, 1, 1)),
        ((7, 1, 1), 3, (3, 1, 1)),
        ((10, 3, 4), 12, (5, 1, 2)),  # rows in three parts would be 12 slices
        ((2, 6, 8), 8, (1, 3, 4)),
    ],
)
def test_the_fewest_slices_with_the_fewest_channel_parts(shape, most, expected):
    grid = best_grid(shape, only_neurons(most), np.zeros(shape[1:], int), 1)
    assert all(part.neurons <= most for part in grid.parts())
    assert (grid.channel_parts, grid.row_parts, grid.column_parts) == expected


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)),
    most=st.integers(1, 60),
    axons=st.integers(0, 4),
)
@settings(max_examples=100, deadline=None)
def test_no_grid_has_fewer_slices(shape, most, axons):
    sent = np.full(shape[1:], axons)
    room = max(axons, 2 * most)
    found = best_grid(shape, only_neurons(most), sent, room)
    for parts in product(*(range(1, side + 1) for side in shape)):
        grid = Grid(shape, *parts)
        if all(p.neurons <= most and p.neurons * axons <= room for p in grid.parts()):
            assert (found.slices, found.channel_parts) <= (grid.slices, grid.channel_parts)
