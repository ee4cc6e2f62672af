"""Kernels that learn in turn (`compiler.turns`): the epoch of one position, and what is carried."""

from __future__ import annotations

import torch
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
    m.counters.learn(s, rows, began, {"TAG_CLIPPED": clipped})


def carry_over(m: Machine, s: Synapses) -> None:
    """The management processor moves whole units into the weights, `compiler.program.Synapses`."""
    units, most = s.tag_units, m.program.weight_max
    exact = units * m.weights[s.name].long() + m.tags[s.name]
    wanted = (exact + units // 2) // units
    weights = wanted.clamp(-most, most)
    rest = exact - units * weights
    tags = rest.clamp(-m.program.largest_tag(s), m.program.largest_tag(s))
    m.weigh(s, weights.to(torch.int8))
    m.tags[s.name] = tags.to(torch.int16)
    clipped = [synapses.counted(weights != wanted), synapses.counted(tags != rest)]
    m.counters.average_copies(s, s.weights.size, *clipped)
