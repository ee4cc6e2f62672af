"""One time step of integrate-and-fire neurons: in real numbers, or in integers that leak as a chip.

The equations are those of `compiler.ir.Neuron` and `compiler.terms.Reset`. Nothing wraps here and
nothing is clipped: engines do that, and count it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compiler.ir import Neuron, Population
from compiler.program import DECAY_ONE, Soma
from compiler.terms import Map, Reset, per_neuron

PAY_LATER = (Reset.SUBTRACT, Reset.ZERO, Reset.CLEAR)


def real_leak(values: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """What is left after a step."""
    return values * decay


def whole_leak(values: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """The same of integers, with decays in 1/4096, rounded towards zero."""
    left: np.ndarray = np.sign(values) * (np.abs(values) * decay // DECAY_ONE)
    return left


@dataclass(frozen=True)
class Parameters:
    """One value a neuron (N,); without `threshold` none spikes, without `current_decay` u = I."""

    decay: np.ndarray
    threshold: np.ndarray | None
    reset: Reset
    bias: np.ndarray
    start: np.ndarray
    current_decay: np.ndarray | None
    leak: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def some(self, chosen: np.ndarray) -> Parameters:
        """Those of some neurons, by index."""
        return Parameters(
            self.decay[chosen],
            None if self.threshold is None else self.threshold[chosen],
            self.reset,
            self.bias[chosen],
            self.start[chosen],
            None if self.current_decay is None else self.current_decay[chosen],
            self.leak,
        )


def real_parameters(population: Population) -> Parameters:
    """Of a population of LIF neurons."""
    neuron, shape = population.neuron, population.map
    assert isinstance(neuron, Neuron)
    return _parameters(neuron, population.bias or (0.0,), shape, real_leak, np.float64)


def whole_parameters(soma: Soma, shape: Map) -> Parameters:
    """Of its integers."""
    return _parameters(soma, soma.bias or (0,), shape, whole_leak, np.int64)


def _parameters(
    of: Neuron | Soma,
    bias: tuple[float, ...],
    shape: Map,
    leak: Callable[[np.ndarray, np.ndarray], np.ndarray],
    kind: type,
) -> Parameters:
    def each(values: float | tuple[float, ...]) -> np.ndarray:
        return per_neuron(values, shape).astype(kind)

    return Parameters(
        decay=each(of.decay),
        threshold=None if of.threshold is None else each(of.threshold),
        reset=Reset(of.reset),
        bias=each(bias),
        start=each(of.start),
        current_decay=None if of.current_decay is None else each(of.current_decay),
        leak=leak,
    )


class Cells:
    """The state of neurons (B, N): current `u` and potential `v` after a step.

    `before` is the potential that was compared with the threshold, `paid` where a reset for an
    earlier spike came in this step, `spikes` where it spiked; `last_u` and `last_v` are the state
    that the step began with.
    """

    def __init__(self, parameters: Parameters, batch: int) -> None:
        self.of = parameters
        shape = (batch, len(parameters.decay))
        self.v = np.broadcast_to(parameters.start, shape)
        self.u = np.zeros(shape, parameters.decay.dtype)
        self.last_u, self.last_v, self.before = self.u, self.v, self.v
        self.spikes = self.paid = np.zeros(shape, bool)

    def step(self, arriving: np.ndarray) -> None:
        """One step, with the sum (B, N) of what arrives in it."""
        of, reset, h = self.of, self.of.reset, self.of.threshold
        self.last_u, self.last_v = self.u, self.v
        leaking = of.current_decay
        self.u = arriving if leaking is None else of.leak(self.u, leaking) + arriving
        drive = self.u + of.bias
        whole = of.leak(self.v, of.decay) + drive
        if h is None:
            self.v = self.before = whole
            return
        self.paid = np.zeros_like(self.spikes)
        if reset in PAY_LATER:
            self.paid = self.spikes
        elif reset is Reset.SUBTRACT_ONCE:
            self.paid = self.v > h
        self.before = whole
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_ONCE):
            self.before = whole - h * self.paid
        elif reset is Reset.ZERO:
            self.before = np.where(self.paid, drive, whole)
        elif reset is Reset.CLEAR:
            self.before = np.where(self.paid, 0, whole)
        self.spikes = self.before > h
        self.v = self.before
        if reset in (Reset.SUBTRACT_AT_ONCE, Reset.SUBTRACT_ONCE):
            self.v = whole - h * self.spikes
        elif reset is Reset.ZERO_AT_ONCE:
            self.v = np.where(self.spikes, 0, whole)
