"""Neurons that tell nothing: those that never spike, and those that spike whatever is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clapp_neuro.verbs.sight import (
    IMAGES_AT_ONCE,
    LARGEST_COUNTS,
    experiment_of,
    readout_populations,
    scan,
)
from compiler.backends.simulator import infer
from compiler.program import Program

IMAGES = 200


@dataclass(frozen=True)
class Untold:
    """Of a layer's neurons, how many never spiked, and how many did in every fixation."""

    neurons: int
    dead: int
    always_on: int


def dead_neurons(program: Program, images: np.ndarray) -> dict[str, Untold]:
    """By layer, of the fixations over images (B, H, W), without learning from them."""
    layers = tuple(readout_populations(program))
    sizes = {name: program.population(name).size for name in layers}
    positions = experiment_of(program).data.positions
    at_once = min(IMAGES_AT_ONCE, max(1, LARGEST_COUNTS // (sum(sizes.values()) * positions)))
    ever = {name: np.zeros(size, bool) for name, size in sizes.items()}
    always = {name: np.ones(size, bool) for name, size in sizes.items()}
    for first in range(0, len(images), at_once):
        seen = scan(program, images[first : first + at_once])
        counts, _ = infer(program, seen, keep=layers)
        for name in layers:
            spiked = counts[name] > 0
            ever[name] |= spiked.any(0)
            always[name] &= spiked.all(0)
    return {
        name: Untold(sizes[name], int((~ever[name]).sum()), int(always[name].sum()))
        for name in layers
    }
