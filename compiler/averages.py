"""Running averages of a neuron's activity, in integers: what its soma does once a fixation.

With n and n_prev the spike counts of this fixation and of the one before, `mean` M and `variance`
V in units of 2^-fraction of a count (of a squared count), all divisions rounded down, at
tau = steps and only where `signal` is not 0:

    M <- M + ((((n + n_prev) << fraction - 1) - M) * multiplier + 2^(shift-1) >> shift)
    s  = ((n << fraction) - M)^2 + ((n_prev << fraction) - M)^2 >> fraction + 1
    V <- V + ((s - V) * multiplier + 2^(shift-1) >> shift)

and then, whatever the signal,

    deviation = (((n << fraction) - M) << DEVIATION_BITS) / (V + epsilon), clipped to 24 bits

M and V are words of 32 bits, products take two. The quotient comes one digit after the other, by
shift, compare and subtract: a programmable soma needs no instruction that divides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

DEVIATION_BITS = 16  # fraction bits of a deviation
VARIANCE_BITS = 30  # of a word of 32 bits: room for the sign and for epsilon


@dataclass(frozen=True, eq=False)
class Averages:
    """State and constants of one population; mean and variance int32 (N,)."""

    __pydantic_config__: ClassVar[dict[str, bool]] = {"arbitrary_types_allowed": True}  # arrays

    signal: str
    multiplier: int
    shift: int
    fraction: int
    epsilon: int
    mean: np.ndarray = field(repr=False)
    variance: np.ndarray = field(repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Averages):
            return NotImplemented
        mine = {k: v for k, v in self.__dict__.items() if k not in ("mean", "variance")}
        theirs = {k: v for k, v in other.__dict__.items() if k not in ("mean", "variance")}
        return (
            mine == theirs
            and np.array_equal(self.mean, other.mean)
            and np.array_equal(self.variance, other.variance)
        )


def fraction_bits(steps: int) -> int:
    """The most fraction bits with which a squared count of that many steps fits a word."""
    return VARIANCE_BITS - (steps * steps - 1).bit_length()
