"""Kernels that learn become copies, one a position: a chip's plastic synapses are not shared.

A shared kernel changes by the sum of what its P positions say. Copies that are averaged learn P
times as fast, so that their mean changes as the shared kernel would. Entries that look off the map
at the border have fewer copies, and their mean changes by P / copies as much: for 3x3 kernels on
16x16 positions by 7 % at an edge of the kernel, by 14 % at a corner.

A copy that is left to itself hears one position, where the kernel has the sum of P. P times as
fast, its updates add up to as much, with P times the variance; sqrt(P) times as fast, they have the
kernel's variance and add up to less. It learns P^(3/4) times as fast, which of the powers 1, 3/4
and 1/2 leaves the least loss (docs/on_chip.md).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.alike import copies
from compiler.ir import Connection, LearningRule, Projection
from compiler.passes.quantizing.integer_weights import IntegerWeights
from compiler.passes.quantizing.quantize import Quantized
from compiler.report import Note

ALONE = 3 / 4  # power of the number of positions: how much faster a copy learns that stays alone
AVERAGED_EVERY = 32  # fixations; as often as tags are carried into weights


def faster(positions: int, averaged: int) -> float:
    """How many times as fast as a shared kernel each of its copies learns.

    averaged: after how many fixations they are averaged, 0 for never.
    """
    return positions if averaged else positions**ALONE


def untie(quantized: Quantized, averaged: int) -> tuple[Quantized, tuple[Note, ...]]:
    """The network with a copy of each plastic kernel at each position.

    averaged: after how many fixations the management processor averages the copies, 0 for never.
    Raises InputError where that is negative.
    """
    if averaged < 0:
        raise InputError(f"copies averaged every {averaged} fixations: give 0 (never) or more")
    network, integers = quantized.network, dict(quantized.integers)
    projections, notes = [], []
    for p in network.projections:
        shared = p.connection is Connection.CONVOLUTION
        if not (shared and isinstance(p.rule, LearningRule)):
            projections.append(p)
            continue
        height, width = network.population(p.target).map[1:]
        projections.append(_copied(p, height * width, faster(height * width, averaged)))
        integers[p.name] = _copies(integers[p.name], (height, width))
        how = f"averaged every {averaged} fixations" if averaged else "which part as they learn"
        text = f"{height * width} copies of each kernel, one a position, {how}"
        notes.append(Note("untie", p.name, text))
    untied = replace(network, projections=tuple(projections))
    return replace(quantized, network=untied, integers=integers), tuple(notes)


def _copied(p: Projection, positions: int, times: float) -> Projection:
    assert isinstance(p.rule, LearningRule), "rules of spike times do not learn kernels"
    terms = tuple(replace(t, coefficient=t.coefficient * times) for t in p.rule.terms)
    return replace(
        p,
        weights=np.broadcast_to(p.weights, (positions, *p.weights.shape)),
        connection=Connection.UNTIED,
        rule=replace(p.rule, terms=terms),
    )


def _copies(kernels: IntegerWeights, side: tuple[int, int]) -> IntegerWeights:
    """A copy for each position, with zeros where it would look off the map."""
    assert kernels.tags is not None, "what learns has tags"
    weights, tags = copies(kernels.weights, side), copies(kernels.tags, side)
    return replace(kernels, weights=weights, tags=tags)
