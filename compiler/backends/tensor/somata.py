"""What somata and comparators compute, for many networks at once: `compiler.program` on tensors.

Written apart from the simulator's kernels, so that comparing the two compares two implementations.
"""

from __future__ import annotations

import torch
from torch import Tensor

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
"""count, previous, apical, retro, deviation: int32 (R, N); mean, variance: int64."""


def integrate(
    soma: Soma, current: Tensor, steps: int, positions: int = 1, log: list[Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Spikes bool (R, T, N) from currents int32 (R, T, N), or (R, 1, N) for a held current.

    Second, the numbers (2, R) of active updates (any current or potential) and of clipped
    potentials. (|v| · decay) >> 12 is formed in two halves, so that it fits 32 bits. A bias is one
    of a channel, the same at all its `positions`. The potential (R, N) after each step is appended
    to `log`.
    """
    assert soma.plain is not None, "others are refused"
    decay, threshold = soma.plain
    v = torch.zeros_like(current[:, 0])
    fired = torch.zeros_like(v, dtype=torch.bool)
    bias = torch.tensor(soma.bias or (0,), dtype=torch.int32, device=v.device)
    bias = bias.repeat_interleave(positions) if soma.bias else bias
    spikes, updates = [], torch.zeros(2, len(v), dtype=torch.int64, device=v.device)
    for step in range(steps):
        drive = current[:, min(step, current.shape[1] - 1)]
        drive = (drive << soma.input_shift) + bias
        updates[0] += ((drive | v) != 0).sum(1)
        size = v.abs()
        low, high = size & LOW_BITS, size >> DECAY_BITS
        leaked = ((low * decay) >> DECAY_BITS) + high * decay
        leaked = torch.where(v < 0, -leaked, leaked)
        if soma.reset == "zero":
            leaked = leaked.masked_fill(fired, 0)
        else:
            leaked = leaked - fired * threshold
        moved = leaked + drive
        v = moved.clamp(-MEMBRANE_MAX, MEMBRANE_MAX)
        updates[1] += (moved != v).sum(1)
        fired = v > threshold
        spikes.append(fired)
        if log is not None:
            log.append(v)
    return torch.stack(spikes, 1), updates


def relay(masks: Tensor, log: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Spikes of relays, as `integrate`, from the masks int32 (R, T, N) of who spikes.

    The first to spike wins: its mask, the lowest bit of the first mask that is not 0, is logged in
    place of a potential. A relay with a winner, or with anything arriving, is active.
    """
    winner = torch.zeros_like(masks[:, 0])
    spikes, updates = [], torch.zeros(2, len(masks), dtype=torch.int64, device=masks.device)
    for mask in masks.unbind(1):
        updates[0] += ((mask | winner) != 0).sum(1)
        winner = torch.where(winner == 0, mask & -mask, winner)
        spikes.append((mask & winner) != 0)
        if log is not None:
            log.append(winner)
    return torch.stack(spikes, 1), updates


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
    return state[wanted.value].long()  # apical, retro or deviation


def product(state: State, quantities: tuple[Quantity, ...], steps: int) -> Tensor:
    """The product of some quantities, int64 (R, N)."""
    value = quantity(state, quantities[0], steps)
    for other in quantities[1:]:
        value = value * quantity(state, other, steps)
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
    state: State, factors: tuple[Quantity, ...], shift: int, steps: int
) -> tuple[Tensor, Tensor]:
    """Messages to the comparator, int64 (R, N); where the product was clipped."""
    kept, clipped = clip_24_bits(product(state, factors, steps))
    return kept >> shift, clipped


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

    signal: int64 (R,). drawn: a random word for every neuron, int32 (R, N).
    """
    if value.rectified == "half":
        signal = signal.clamp_min(0)
    elif value.rectified == "full":
        signal = signal.abs()
    scaled = signal[:, None] * product(state, value.factors, steps) * value.multiplier
    random = drawn.long() & ((1 << value.shift) - 1)
    rounded = value.granularity * ((scaled + random) >> value.shift)
    kept = rounded.clamp(-TRACE_MAX, TRACE_MAX)
    return kept.to(torch.int32), rounded != 0, kept != rounded
