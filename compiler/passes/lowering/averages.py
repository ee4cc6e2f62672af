"""Lowers running averages: shares, floors and what was measured so far to fixed point."""

from __future__ import annotations

import numpy as np

from clapp_neuro.errors import InputError
from compiler.averages import Averages, fraction_bits
from compiler.ir import Population
from compiler.passes.lowering.scales import scaling
from compiler.report import Note


def lower_averages(population: Population, steps: int, notes: list[Note]) -> Averages | None:
    """The averages of a population in units of a count; None where it keeps none.

    InputError for what is no activity between 0 and 1, and for a share that rounds to nothing.
    """
    real = population.averages
    if real is None:
        return None
    for what, values in (("mean", real.mean), ("variance", real.variance)):
        if not ((values >= 0) & (values <= 1)).all():
            raise InputError(
                f"population {population.name}: the running {what} of an activity lies between 0 "
                f"and 1, but one is {values[(values < 0) | (values > 1)][0]:g}: train again"
            )
    fraction = fraction_bits(steps)
    scaled = scaling(real.share)
    epsilon = round(real.epsilon * steps**2 * 2.0**fraction)
    if scaled is None or epsilon < 1:
        raise InputError(
            f"population {population.name}: its averages have the share {real.share:g} and epsilon "
            f"{real.epsilon:g}, which are nothing in fixed point: make them larger"
        )
    multiplier, shift = scaled
    # The update rounds half a unit of 2^shift, so there must be a bit to round.
    multiplier, shift = (multiplier, shift) if shift else (2 * multiplier, 1)
    mean = np.rint(real.mean * steps * 2.0**fraction).astype(np.int32)
    variance = np.rint(real.variance * steps**2 * 2.0**fraction).astype(np.int32)
    error = abs(multiplier / 2**shift / real.share - 1)
    text = (
        f"running mean and variance with {fraction} fraction bits, share {multiplier}/2^{shift} "
        f"(error {error:.1e}), epsilon {epsilon}"
    )
    notes.append(Note("learning", population.name, text, error))
    return Averages(real.signal, multiplier, shift, fraction, epsilon, mean, variance)
