"""A compiled program's integers as the float network that they stand for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from clapp_neuro.encoders.activity import as_maps
from clapp_neuro.encoders.layers import answer, forward
from clapp_neuro.encoders.parts import parts
from clapp_neuro.verbs.sight import experiment_of, readout_populations, readouts
from compiler.backends import simulator
from compiler.connectivity import on_the_map
from compiler.program import Program, Soma, Synapses
from compiler.terms import CHANNELWISE, Connection
from compiler.trace import Stimulus


def float_weights(program: Program) -> dict[str, Tensor]:
    """Weights and biases by the reference's names, float32; what has fixed weights has none.

    Nor has a readout on the chip, which is no part of the reference. Of untied kernels all copies,
    or the shared kernel where they are still alike; of a pair of synapses the high ones, which
    drive neurons.
    """
    on_the_chip = readouts(program)
    weights = {
        s.name: torch.from_numpy(_kernels(program, s) * weight_unit(program, s.name)).float()
        for s in program.synapses
        if s.connection not in CHANNELWISE and s.target not in on_the_chip and not s.paired
    }
    for p in program.populations:
        if isinstance(p.soma, Soma) and p.soma.bias:
            bias = np.array(p.soma.bias) * program.potential_unit(p.name)
            weights[f"{p.name}.bias"] = torch.from_numpy(bias).float()
    return weights


def _kernels(program: Program, s: Synapses) -> np.ndarray:
    if s.connection is not Connection.UNTIED:
        return s.weights
    height, width = program.population(s.target).map[1:]
    middle = s.weights[height // 2 * width + width // 2]  # which sees as much of the map as any
    alike = s.weights == middle * on_the_map(s.weights.shape, (height, width))
    return middle if alike.all() else s.weights


def float_maps(program: Program, stimulus: Stimulus, weights: dict[str, Tensor]) -> list[Tensor]:
    """Activity of each layer of the float network in every fixation (F, N, ...), after pooling."""
    experiment = experiment_of(program)
    inputs = torch.from_numpy(stimulus.intensities["input"].astype(np.float32) / 255)
    found: list[list[Tensor]] = [[] for _ in experiment.encoder.layers]
    with torch.inference_mode():
        for some in parts(len(inputs), inputs.device):
            answers = forward(weights, as_maps(inputs[some], experiment), experiment.encoder)
            for maps, seen in zip(found, answers, strict=True):
                maps.append(seen.map)
    return [torch.cat(maps) for maps in found]


def maps_on_chip_spikes(
    program: Program, stimulus: Stimulus, weights: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Activity (F, N, ...) of each float layer above the first, given the chip's spikes below.

    By the population that the layer stands for. Layers are looked at one by one: in a deep network
    one spike more or less is answered by many others further up.
    """
    experiment = experiment_of(program)
    steps, read = program.timetable.steps, list(readout_populations(program).values())
    found: dict[str, list[Tensor]] = {name: [] for name in read[1:]}
    for some in parts(stimulus.fixations, torch.device("cpu")):
        shown = list(simulator.trace(program, stimulus.part(some.start, some.stop), learn=False))
        for number, (below, name) in enumerate(pairwise(read), 2):
            fired = np.stack([t.spikes[below] for t in shown], axis=1)
            shape = program.population(below).shape or (program.population(below).size,)
            spikes = torch.from_numpy(fired.astype(np.float32)).view(steps, len(shown), *shape)
            with torch.inference_mode():
                seen = answer(number, weights, spikes.mean(0), spikes, experiment.encoder)
            found[name].append(seen.map)
    return {name: torch.cat(maps) for name, maps in found.items()}


def weight_unit(program: Program, name: str) -> float:
    """The real value of one weight unit of a projection, in the source's own scale of inputs."""
    s = next(s for s in program.synapses if s.name == name)
    # the first weights took over the input's scale of 1/255 an intensity, unless it spikes
    source = program.population(s.source)
    return s.unit * (255.0 if source.soma is None and not source.spikes else 1.0)
