"""Kernels that learn in turn (`compiler.turns`): the epoch of one position; what is carried."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from compiler.backends.tensor import maps, synapses
from compiler.backends.tensor.machine import Machine
from compiler.program import ProgramPopulation, Synapses
from compiler.turns import turns_of


def learn(
    m: Machine,
    s: Synapses,
    population: ProgramPopulation,
    slot: int,
    position: int,
    time_step: int,
) -> None:
    """The learning epoch of one position; the first one counts that of the whole slot."""
    assert s.rule is not None
    source, turns = m.program.population(s.source), turns_of(m.program, s)
    message = source.message(turns.sent(slot, population.level - source.level))
    told = maps.by_position(m.post[population.name, s.rule.register], population.map)
    row, column = divmod(position, turns.width)
    half = turns.kernel // 2
    framed = pad(m.sent(s.source, message).unflatten(1, source.map), (half, half, half, half))
    seen = framed[:, :, row : row + turns.kernel, column : column + turns.kernel]
    x1 = seen.permute(0, 2, 3, 1).flatten(1)[:, None] >> 1
    y = told[:, position, None]
    held = m.tags[s.name]
    moved, clipped = synapses.learn(
        held.view(*x1.shape, -1),
        x1,
        y,
        s.rule.exponent,
        m.key(s.index, time_step),
        m.program.largest_tag(s),
    )
    m.tags[s.name] = moved.view_as(held)
    rows = (x1 != 0).sum((1, 2)) * (y != 0).any(2)[:, 0]
    began = (told != 0).flatten(1).any(1) & (position == 0)
    m.counters.learn(s, slot, rows, began, {"TAG_CLIPPED": clipped})


def carry_over(m: Machine, s: Synapses) -> None:
    """The management processor moves whole units into the weights, `compiler.program.Synapses`."""
    largest = m.program.weight_max, m.program.largest_tag(s)
    weights, tags, *clipped = _carried(m.weights[s.name], m.tags[s.name], s.tag_units, *largest)
    m.weigh(s, weights.to(torch.int8))
    m.tags[s.name] = tags.to(torch.int16)
    m.counters.average_copies(s, s.weights.size, *clipped)


def carry_pair(m: Machine, low: Synapses) -> None:
    """The management processor moves whole units from low synapses into the high ones."""
    high, most = m.program.synapses[m.program.synapse_row[low.into]], m.program.weight_max
    halves = m.weights[high.name], m.weights[low.name]
    *carried, high_clipped, low_clipped = _carried(*halves, 1 << low.fine, most, most)
    for s, weights, clipped in zip((high, low), carried, (high_clipped, low_clipped), strict=True):
        m.weigh(s, weights.to(torch.int8))
        m.counters.average_copies(s, s.weights.size, clipped, torch.zeros_like(clipped))


def _carried(
    weights: Tensor, rests: Tensor, units: int, most: int, largest: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(weights, rests, clipped weights, clipped rests) once whole units are in the weights."""
    exact = units * weights.long() + rests
    wanted = (exact + units // 2) // units
    kept = wanted.clamp(-most, most)
    left = exact - units * kept
    rest = left.clamp(-largest, largest)
    return kept, rest, synapses.counted(kept != wanted), synapses.counted(rest != left)
