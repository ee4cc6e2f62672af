"""What networks are drawn from: neurons of any kind, real weights of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

# Few neurons, and the widths at which vector kernels change from one tile to the next.
WIDTHS = st.integers(1, 5) | st.sampled_from([1, 2, 8, 15, 16, 17, 31, 33, 64, 65])
STEPS = st.integers(1, 9) | st.sampled_from([16, 31, 64, 127])
DECAYS = st.sampled_from([0.9, 0.0, 1.0, 0.5]) | st.floats(0, 1)
# From a neuron that every input saturates to one that nothing reaches; most are in between, as
# below most weights are neither all zero nor all the same: silence is quickly explored.
THRESHOLDS = st.sampled_from([0.5, 0.25, 1.0, 0.1, 0.5, 2.0, 0.25, 0.1, 1e-6, 1e-3, 30.0, 1e6])
RESETS = st.sampled_from(["subtract", "zero"])
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def weights(draw: Draw, shape: tuple[int, ...]) -> np.ndarray:
    """Real weights, from all zero to all the same."""
    kind = draw(st.sampled_from([*["normal"] * 5, "equal", "sparse", "zero"]))
    scale = draw(st.sampled_from([1.0, 1.0, 4.0, 0.2]))
    random = np.random.default_rng(draw(SEEDS))
    values = random.normal(0.5, 1.0, shape) / np.sqrt(shape[-1])
    if kind == "zero":
        return np.zeros(shape)
    if kind == "equal":
        return np.full(shape, scale)
    if kind == "sparse":
        values *= random.random(shape) < 0.3
    return values * scale
