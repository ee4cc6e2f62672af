"""What a neuron computes, in numpy: the arithmetic of `compiler.program`, without Lava.

Written apart from the simulator's kernels, so that comparing the two engines compares two
implementations.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from compiler.averages import DEVIATION_BITS, Averages
from compiler.products import DECAY_ONE, IMPULSE_ONE
from compiler.program import (
    MEMBRANE_MAX,
    TRACE_MAX,
    Gate,
    Message,
    PostValue,
    Soma,
    Trace,
)
from compiler.rounding import round_stochastically, words
from compiler.terms import Map, Quantity, Reset, per_neuron

DECAY_BITS = 12


def clip_24_bits(x: np.ndarray) -> np.ndarray:
    """Clips to the range of a membrane potential or accumulator."""
    return np.clip(x, -MEMBRANE_MAX, MEMBRANE_MAX)


def spread_spikes(intensity: np.ndarray, tau: int) -> np.ndarray:
    """The spikes of an input at tau, 0 or 1: as many in 256 steps as its intensity says."""
    return (intensity * (tau + 1) + 128 >> 8) - (intensity * tau + 128 >> 8)


class TraceState:
    """One exponential trace of N neurons, `compiler.program.Trace`, with its random numbers."""

    def __init__(self, trace: Trace, stream: int, seed: int, size: int) -> None:
        self._trace = trace
        self._stream = stream
        self._seed = seed
        self.value = np.zeros(size, np.int64)

    def advance(self, spiked: np.ndarray, time_step: int) -> np.ndarray:
        """Decays, takes up the spikes (N,), and returns the new values, int64 (N,)."""
        random = words(self._seed, self._stream, time_step, len(self.value)).astype(np.int64)
        decayed = self.value * self._trace.decay + random % DECAY_ONE >> DECAY_BITS
        added = decayed + (self._trace.impulse + random // DECAY_ONE % IMPULSE_ONE) // IMPULSE_ONE
        self.value = np.where(spiked > 0, np.minimum(added, TRACE_MAX), decayed)
        return self.value


ARRAYS = (
    *("membrane", "synaptic", "owed", "spiked", "held", "count", "previous", "apical", "retro"),
    *("mean", "variance", "deviation"),
)


def wrap_24_bits(x: np.ndarray) -> np.ndarray:
    """The same modulo 2^24, from -2^23 on: what a word of 24 bits holds."""
    half = MEMBRANE_MAX + 1
    return (x + half) % (2 * half) - half


def leak(x: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """What is left of x, rounded towards zero; int64, as |x| * decay does not fit 32 bits."""
    return np.sign(x) * (np.abs(x) * decay >> DECAY_BITS)


class Neurons:
    """The parameters of a population's neurons, each array int64 (N,)."""

    def __init__(self, soma: Soma, shape: Map) -> None:
        never = np.iinfo(np.int64).max
        self.reset = Reset(soma.reset)
        self.shift = soma.input_shift
        self.decay = per_neuron(soma.decay, shape)
        self.threshold = per_neuron(never if soma.threshold is None else soma.threshold, shape)
        self.bias = per_neuron(soma.bias or 0, shape)
        self.start = per_neuron(soma.start, shape)
        self.current_decay = None
        if soma.current_decay is not None:
            self.current_decay = per_neuron(soma.current_decay, shape)


@dataclass
class NeuronState:
    """State of the N neurons of one population, each array int64 (N,); changed step by step."""

    size: int
    steps: int
    membrane: np.ndarray = field(init=False)
    synaptic: np.ndarray = field(init=False)  # current
    owed: np.ndarray = field(init=False)  # 1 where a spike has still to be paid for
    spiked: np.ndarray = field(init=False)
    held: np.ndarray = field(init=False)  # the latched current
    count: np.ndarray = field(init=False)
    previous: np.ndarray = field(init=False)
    apical: np.ndarray = field(init=False)
    retro: np.ndarray = field(init=False)
    mean: np.ndarray = field(init=False)
    variance: np.ndarray = field(init=False)
    deviation: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        for name in ARRAYS:
            setattr(self, name, np.zeros(self.size, np.int64))

    def begin_fixation(self) -> None:
        """Clears what belongs to one presentation."""
        for state in (self.membrane, self.synaptic, self.owed, self.spiked, self.held, self.count):
            state[:] = 0

    def integrate(self, neurons: Neurons, current: np.ndarray) -> None:
        """One step of the presentation: leak, input, reset of the last spike, new spikes."""
        drive, threshold, reset = current << neurons.shift, neurons.threshold, neurons.reset
        if neurons.current_decay is not None:
            drive = wrap_24_bits(leak(self.synaptic, neurons.current_decay) + drive)
            self.synaptic = drive
        leaked, owed = leak(self.membrane, neurons.decay), self.owed > 0
        if reset is Reset.ZERO:
            leaked = np.where(owed, 0, leaked)
        potential = leaked + drive + neurons.bias
        if reset in (Reset.SUBTRACT, Reset.SUBTRACT_ONCE):
            potential = np.where(owed, potential - threshold, potential)
        if reset is Reset.CLEAR:
            potential = np.where(owed, 0, potential)
        potential = clip_24_bits(potential)
        spiked = potential > threshold
        if reset in (Reset.SUBTRACT_AT_ONCE, Reset.SUBTRACT_ONCE):
            potential = np.where(spiked, potential - threshold, potential)
        if reset is Reset.SUBTRACT_ONCE:
            potential = np.where(owed, potential + threshold, potential)
        if reset is Reset.ZERO_AT_ONCE:
            potential = np.where(spiked, 0, potential)
        self.membrane = clip_24_bits(potential)
        delayed = reset in (Reset.SUBTRACT, Reset.ZERO, Reset.CLEAR)
        owed = spiked if delayed else (self.membrane > threshold)
        pays = delayed or reset is Reset.SUBTRACT_ONCE
        self.owed = (owed & pays).astype(np.int64)
        self.spiked = spiked.astype(np.int64)
        self.count += self.spiked

    def relay(self, mask: np.ndarray) -> None:
        """One step of relays: the first neighbour to spike is the winner, and only it passes."""
        first = mask & ~(mask - 1)  # of several, the lowest bit
        self.membrane = np.where(self.membrane > 0, self.membrane, first)
        self.spiked = ((mask & self.membrane) > 0).astype(np.int64)
        self.count += self.spiked

    def tally(self, received: np.ndarray) -> None:
        """One step of neurons that add up what they receive, and do not spike."""
        self.count += received

    def inhibit(self, received: np.ndarray, winner: int) -> None:
        """Whoever did not win the pooling, so whoever lacks the winner's bit, forgets its count."""
        self.count[received & winner == 0] = 0

    def quantity(self, quantity: Quantity) -> np.ndarray:
        """The value of a quantity, int64 (N,)."""
        if quantity is Quantity.SURROGATE:
            return ((self.count > 0) & (self.count < self.steps)).astype(np.int64)
        if quantity is Quantity.PREVIOUS_SURROGATE:
            return ((self.previous > 0) & (self.previous < self.steps)).astype(np.int64)
        if quantity is Quantity.CHANGE:
            return self.count - self.previous
        return {
            Quantity.DEVIATION: self.deviation,
            Quantity.COUNT: self.count,
            Quantity.PREVIOUS_COUNT: self.previous,
            Quantity.APICAL: self.apical,
            Quantity.RETRO: self.retro,
            Quantity.WINNER: self.membrane,
        }[quantity]

    def average(self, averages: Averages, signal: int) -> None:
        """Moves the running averages where there is a signal, then measures the deviation."""
        now, before = self.count << averages.fraction, self.previous << averages.fraction
        if signal != 0:
            self.mean += _share(((now + before) >> 1) - self.mean, averages)
            spread = np.square(now - self.mean) + np.square(before - self.mean)
            self.variance += _share((spread >> (averages.fraction + 1)) - self.variance, averages)
        distance = (now - self.mean) << DEVIATION_BITS
        self.deviation = clip_24_bits(distance // (self.variance + averages.epsilon))

    def product(self, quantities: tuple[Quantity, ...]) -> np.ndarray:
        """The product of some quantities, int64 (N,); 1 where there are none."""
        value = np.ones(self.size, np.int64)
        for quantity in quantities:
            value = value * self.quantity(quantity)
        return value

    def payload(self, message: Message) -> np.ndarray:
        """The graded message, int64 (N,)."""
        return (self.quantity(message.quantity) >> message.drop) << message.lift

    def score(self, gate: Gate, seed: int, time_step: int) -> np.ndarray:
        """The message to a comparator or critic, int64 (N,)."""
        product = self.product(gate.score)
        if gate.noise:
            drawn = words(seed, gate.stream, time_step, self.size).astype(np.int64)
            product = product + drawn % (1 << gate.noise) - (1 << gate.noise) // 2
        return clip_24_bits(product) >> gate.score_shift

    def square(self, gate: Gate) -> np.ndarray:
        """The second message to a comparator that forms a norm, int64 (N,)."""
        assert gate.norm is not None
        return clip_24_bits(np.square(self.quantity(gate.norm)))

    def post_value(
        self, value: PostValue, signal: np.ndarray | int, seed: int, time_step: int
    ) -> np.ndarray:
        """What the soma writes into a post register, int64 (N,); `signal` of one or of each."""
        expected = self.product(value.factors)
        if value.reward:
            exact = np.abs(np.sign(signal)) * (value.reward * (np.sign(signal) > 0) - expected)
        else:
            told = {"": signal, "half": np.maximum(0, signal), "full": np.abs(signal)}
            exact = told[value.rectified] * expected
        scaled = exact * value.multiplier
        rounded = round_stochastically(scaled, value.shift, seed, value.stream, time_step)
        return np.clip(value.granularity * rounded, -TRACE_MAX, TRACE_MAX)

    def end_fixation(self) -> None:
        """The counts become those of the previous fixation."""
        self.previous[:] = self.count


def _share(x: np.ndarray, averages: Averages) -> np.ndarray:
    """So much of x as an average takes in, rounded."""
    return (x * averages.multiplier + (1 << (averages.shift - 1))) >> averages.shift
