"""What somata and comparators compute, for many networks at once: `compiler.program` on tensors.

Written apart from the simulator's kernels, so that comparing the two compares two implementations.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from compiler.averages import DEVIATION_BITS, Averages
from compiler.ir import Quantity
from compiler.program import (
    MEMBRANE_MAX,
    NORM_BITS,
    RECIPROCAL_BITS,
    SCORE_BITS,
    TRACE_MAX,
    Gate,
    Message,
    PostValue,
    Soma,
)

DECAY_BITS = 12
LOW_BITS = (1 << DECAY_BITS) - 1

State = dict[str, Tensor]
"""count, previous, apical, retro, deviation, of relays winner: int32 (R, N); mean, variance: int64.
"""


def step(
    soma: Soma, v: Tensor, fired: Tensor, drive: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step from the potential v int32 (R, N) of neurons that `fired` in the step before.

    `drive` is the current, shifted, and the bias. Returns the potential, who spikes, and the
    numbers (R,) of active updates (any current or potential) and of clipped potentials. (|v| ·
    decay) >> 12 is formed in two halves, so that it fits 32 bits.
    """
    assert soma.plain is not None, "others are `neurons.Neurons`"
    decay, threshold = soma.plain
    active = ((drive | v) != 0).sum(1)
    size = v.abs()
    low, high = size & LOW_BITS, size >> DECAY_BITS
    leaked = ((low * decay) >> DECAY_BITS) + high * decay
    leaked = torch.where(v < 0, -leaked, leaked)
    leaked = leaked.masked_fill(fired, 0) if soma.reset == "zero" else leaked - fired * threshold
    moved = leaked + drive
    kept = moved.clamp(-MEMBRANE_MAX, MEMBRANE_MAX)
    return kept, kept > threshold, active, (moved != kept).sum(1)


def integrate(
    soma: Soma, drive: Tensor, steps: int, log: list[Tensor] | None = None
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Spikes bool (R, T, N) from what drives each step, int32 (R, T, N), or (R, 1, N) if it holds.

    Second, the numbers of active updates, (R, T), and of clipped potentials, (R,). The potential
    (R, N) after each step is appended to `log`.
    """
    v = torch.zeros_like(drive[:, 0])
    fired = torch.zeros_like(v, dtype=torch.bool)
    spikes, updates = [], []
    clipped = torch.zeros(len(v), dtype=torch.int64, device=v.device)
    for tau in range(steps):
        now = drive[:, min(tau, drive.shape[1] - 1)]
        v, fired, active, beyond = step(soma, v, fired, now)
        updates.append(active)
        clipped += beyond
        spikes.append(fired)
        if log is not None:
            log.append(v)
    return torch.stack(spikes, 1), (torch.stack(updates, 1), clipped)


def relay(
    masks: Tensor, log: list[Tensor] | None = None
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """Spikes bool (R, T, N) of relays, and who has won, from the masks int32 (R, T, N) of spikes.

    The first to spike wins: its mask, the lowest bit of the first mask that is not 0, is logged in
    place of a potential. Third, the updates of `integrate`: a relay with a winner, or with anything
    arriving, is active.
    """
    winner = torch.zeros_like(masks[:, 0])
    spikes, updates = [], []
    for mask in masks.unbind(1):
        updates.append(((mask | winner) != 0).sum(1))
        winner = torch.where(winner == 0, mask & -mask, winner)
        spikes.append((mask & winner) != 0)
        if log is not None:
            log.append(winner)
    never = torch.zeros(len(masks), dtype=torch.int64, device=masks.device)
    return torch.stack(spikes, 1), winner, (torch.stack(updates, 1), never)


def encode(intensity: Tensor, steps: int) -> Tensor:
    """Spikes bool (R, T, N) of an input that sends some: its intensity, evenly spread."""
    ahead = torch.arange(steps + 1, device=intensity.device)[:, None]
    reached = (intensity[:, None] * ahead + 128) >> 8
    return reached[:, 1:] != reached[:, :-1]


def quantity(state: State, wanted: Quantity, steps: int) -> Tensor:
    """The value of a quantity, int64 (R, N)."""
    count, previous = state["count"].long(), state["previous"].long()
    if wanted is Quantity.COUNT:
        return count
    if wanted is Quantity.PREVIOUS_COUNT:
        return previous
    if wanted is Quantity.SURROGATE:
        return ((count > 0) & (count < steps)).long()
    if wanted is Quantity.PREVIOUS_SURROGATE:
        return ((previous > 0) & (previous < steps)).long()
    if wanted is Quantity.CHANGE:
        return count - previous
    return state[wanted.value].long()  # apical, retro, deviation or winner


def product(state: State, quantities: tuple[Quantity, ...], steps: int) -> Tensor:
    """The product of some quantities, int64 (R, N)."""
    value = torch.ones_like(state["count"], dtype=torch.int64)
    for each in quantities:
        value = value * quantity(state, each, steps)
    return value


def payload(state: State, message: Message, steps: int) -> Tensor:
    """The graded message, int32 (R, N)."""
    value = quantity(state, message.quantity, steps)
    return ((value >> message.drop) << message.lift).to(torch.int32)


def clip_24_bits(x: Tensor) -> tuple[Tensor, Tensor]:
    """Clipped to 24 bits with sign; where it was clipped."""
    kept = x.clamp(-MEMBRANE_MAX, MEMBRANE_MAX)
    return kept, kept != x


def coincidences(
    state: State,
    factors: tuple[Quantity, ...],
    shift: int,
    steps: int,
    noise: Tensor | int = 0,
) -> tuple[Tensor, Tensor]:
    """Messages to the comparator, int64 (R, N), with some noise; where they were clipped."""
    kept, clipped = clip_24_bits(product(state, factors, steps) + noise)
    return kept >> shift, clipped


def noise(gate: Gate, drawn: Tensor) -> Tensor:
    """The noise of a critic's scores from a random word for every neuron, int64 (R, N)."""
    return (drawn.long() & ((1 << gate.noise) - 1)) - (1 << (gate.noise - 1))


def reward(gate: Gate, label: Tensor, messages: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What a critic decides, as `decide`, from the messages int64 (R, N) of its neurons.

    Last, the class that was named, int64 (R,).
    """
    classes = gate.classes
    rows, size = messages.shape
    turns = pad(messages, (0, -size % classes)).view(rows, -1, classes)
    totals, clipped = clip_24_bits(turns.sum(1))
    number = torch.arange(classes, device=messages.device)
    best = torch.where(totals == totals.amax(1, keepdim=True), number, classes).amin(1)
    asked = number == label[:, None]
    known = asked.any(1)
    right = (totals * asked).sum(1)
    if classes > 1:
        right = right - totals.masked_fill(asked, -2 * MEMBRANE_MAX).amax(1)
    opened = torch.where(best == label, gate.largest, -1)
    return right * known, opened * known, clipped.sum(1), best


def decide(gate: Gate, label: Tensor, sums: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """(score, gate, clipped sums), int64 (R,) each, from the unclipped sums of the messages."""
    clipped = torch.zeros_like(label)
    kept = []
    for total in sums:
        value, beyond = clip_24_bits(total)
        kept.append(value)
        clipped = clipped + beyond
    score, sent = kept[0], label
    if gate.norm is not None:
        square = (kept[1] << 2 * NORM_BITS).double()  # below 2^52: the root's floor is exact
        length = square.sqrt().long()
        there = length > 0
        divisor = length.clamp_min(1)
        score, beyond = clip_24_bits(torch.div(score << SCORE_BITS, divisor, rounding_mode="floor"))
        clipped = clipped + (beyond & there)
        score = score * there
        sent = label * ((1 << RECIPROCAL_BITS) // divisor) * there
    stays, left = gate.margins
    margin = torch.where(label < 0, left, stays)
    return score, sent * (label * score < margin), clipped


def average(state: State, averages: Averages, signal: Tensor) -> Tensor:
    """Moves mean and variance where there is a signal (R,), then measures the deviation.

    Returns where the deviation was clipped.
    """
    now, before = (state[name].long() << averages.fraction for name in ("count", "previous"))
    mean, variance = state["mean"], state["variance"]
    moves = (signal != 0)[:, None]
    moved = mean + _share(((now + before) >> 1) - mean, averages)
    mean = torch.where(moves, moved, mean)
    spread = (now - mean).square() + (before - mean).square()
    moved = variance + _share((spread >> (averages.fraction + 1)) - variance, averages)
    variance = torch.where(moves, moved, variance)
    distance = (now - mean) << DEVIATION_BITS
    deviation = torch.div(distance, variance + averages.epsilon, rounding_mode="floor")
    kept, clipped = clip_24_bits(deviation)
    state |= {"mean": mean, "variance": variance, "deviation": kept.to(torch.int32)}
    return clipped


def _share(x: Tensor, averages: Averages) -> Tensor:
    return (x * averages.multiplier + (1 << (averages.shift - 1))) >> averages.shift


def post_value(
    state: State, value: PostValue, signal: Tensor, drawn: Tensor, steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """What the soma writes, int32 (R, N), where it is not zero, and where it was clipped.

    signal: int64 (R,), or (R, N) of a critic that points. drawn: a random word for every neuron,
    int32 (R, N).
    """
    told = signal if signal.ndim == 2 else signal[:, None]
    value_of = product(state, value.factors, steps)
    if value.reward:
        surprise = value.reward * (told > 0) - value_of
        return _written(value, (told != 0) * surprise, drawn)
    if value.rectified == "half":
        told = told.clamp_min(0)
    elif value.rectified == "full":
        told = told.abs()
    return _written(value, told * value_of, drawn)


def _written(value: PostValue, exact: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The value int64 (R, N) scaled, rounded and clipped, as `post_value` returns it."""
    scaled = exact * value.multiplier
    random = drawn.long() & ((1 << value.shift) - 1)
    rounded = value.granularity * ((scaled + random) >> value.shift)
    kept = rounded.clamp(-TRACE_MAX, TRACE_MAX)
    return kept.to(torch.int32), rounded != 0, kept != rounded
