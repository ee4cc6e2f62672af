"""Any neurons, for many networks at once: `compiler.program.Soma` on tensors.

Written apart from the simulator's kernels, so that comparing the two compares two implementations.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from compiler.backends.tensor.somata import DECAY_BITS, LOW_BITS, clip_24_bits
from compiler.program import MEMBRANE_BITS, Soma
from compiler.terms import Integers, Map, Reset, per_neuron

DELAYED = (Reset.SUBTRACT, Reset.ZERO, Reset.CLEAR)
NEVER = np.iinfo(np.int32).max  # no potential is as high


class Neurons:
    """R rows of N neurons in a presentation: potential, current and debts, int32 (R, N).

    `updates` (3, R) counts active updates, clipped potentials and wrapped currents.
    """

    def __init__(self, soma: Soma, shape: Map, bias: Tensor, rows: int) -> None:
        def own(values: Integers) -> Tensor:
            return torch.from_numpy(per_neuron(values, shape).astype(np.int32)).to(bias.device)

        self.reset, self.shift, self.bias = Reset(soma.reset), soma.input_shift, bias
        self.decay = own(soma.decay)
        self.threshold = own(NEVER if soma.threshold is None else soma.threshold)
        self.current_decay = None if soma.current_decay is None else own(soma.current_decay)
        self.potential = own(soma.start).expand(rows, -1)
        self.current = torch.zeros_like(self.potential)
        self.owed = torch.zeros_like(self.potential, dtype=torch.bool)
        self.active: list[Tensor] = []  # updates of each step, (R,)
        self.clipped, self.wrapped = torch.zeros(2, rows, dtype=torch.int64, device=bias.device)

    def step(self, arrived: Tensor) -> Tensor:
        """Who spikes, bool (R, N), of what has arrived, int32 (R, N)."""
        coming, reset, threshold = arrived << self.shift, self.reset, self.threshold
        idle = (self.potential | self.current | (coming + self.bias)) == 0
        drive = coming
        if self.current_decay is not None:
            summed = leak(self.current, self.current_decay) + coming
            drive = self.current = wrap_24_bits(summed)
            self.wrapped += (drive != summed).sum(1)
        leaked = leak(self.potential, self.decay)
        if reset is Reset.ZERO:
            leaked = leaked.masked_fill(self.owed, 0)
        moved = leaked + drive + self.bias
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_ONCE):
            moved = moved - self.owed * threshold
        if reset is Reset.CLEAR:
            moved = moved.masked_fill(self.owed, 0)
        before, clipped = clip_24_bits(moved)
        fired = before > threshold
        after = before
        if reset is Reset.SUBTRACT_AT_ONCE:
            after = before - fired * threshold
        elif reset is Reset.SUBTRACT_ONCE:
            after = before - fired * threshold + self.owed * threshold
        elif reset is Reset.ZERO_AT_ONCE:
            after = before.masked_fill(fired, 0)
        self.potential, again = clip_24_bits(after)
        if reset in DELAYED:
            self.owed = fired
        elif reset is Reset.SUBTRACT_ONCE:
            self.owed = self.potential > threshold
        self.active.append((~idle).sum(1))
        self.clipped += (clipped | again).sum(1)
        return fired


def leak(x: Tensor, decay: Tensor) -> Tensor:
    """What is left of x, rounded towards zero; in two halves, so that it fits 32 bits."""
    size = x.abs()
    left = (((size & LOW_BITS) * decay) >> DECAY_BITS) + (size >> DECAY_BITS) * decay
    return torch.where(x < 0, -left, left)


def wrap_24_bits(x: Tensor) -> Tensor:
    """Modulo 2^24, from -2^23 on."""
    half = 1 << MEMBRANE_BITS
    return ((x + half) & (2 * half - 1)) - half
