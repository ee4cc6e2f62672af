"""Names and shapes of all tensors of a network. No PyTorch here.

`layer3.forward` (N_out, N_in) or (N_out, C, 3, 3) and, where there is one, `layer3.bias` (N_out,)
belong to the forward pass; what else a layer has is its rule's: `layer3.prediction` (N_z, N_c),
`layer3.prediction.2` for the second prediction step, and so on. Only the top layer of a module has
a rule.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clapp_neuro.config.data import CLASSES
from clapp_neuro.config.experiment import Experiment
from clapp_neuro.config.modules import modules
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.rules.seen import Shape

KERNEL = 3


@dataclass(frozen=True)
class Size:
    """What a rule must know of a layer to size its own matrices.

    inputs, neurons: channels of its input and output. context, top: neurons of the layer that
    predicts, and of the topmost one. dense: without kernels.
    """

    level: int
    levels: int
    inputs: int
    neurons: int
    context: int
    top: int
    classes: int
    predictions: int
    dense: bool


def modules_of(experiment: Experiment) -> tuple[tuple[int, ...], ...]:
    """The layers (from 1) of each module of an experiment."""
    return modules(len(experiment.encoder.layers), experiment.train)


def context_module(experiment: Experiment, module: int) -> int:
    """Index of the module whose activity predicts that of `module` (from 0).

    The topmost one predicts itself ("Predicting from higher layers", Appendix C).
    """
    last = len(modules_of(experiment)) - 1
    rule = find_rule(experiment.train.method)
    kind = rule.context or experiment.train.context
    return {"same": module, "above": min(module + 1, last), "top": last}[kind]


def sizes(experiment: Experiment) -> list[Size]:
    """The size of the top layer of each module."""
    layers = experiment.encoder.layers
    dense = experiment.encoder.architecture == "dense"
    below = (experiment.data.inputs if dense else experiment.data.channels, *layers)
    parts = modules_of(experiment)
    return [
        Size(
            level=part[-1],
            levels=len(layers),
            inputs=below[part[-1] - 1],
            neurons=layers[part[-1] - 1],
            context=layers[parts[context_module(experiment, number)][-1] - 1],
            top=layers[-1],
            classes=CLASSES[experiment.data.dataset],
            predictions=experiment.train.predictions,
            dense=dense,
        )
        for number, part in enumerate(parts)
    ]


def forward_shapes(experiment: Experiment, layer: int) -> dict[str, Shape]:
    """The synapses of the forward pass of a layer (from 1), by role."""
    encoder, data = experiment.encoder, experiment.data
    size = encoder.layers[layer - 1]
    if encoder.architecture == "dense":
        return {"forward": (size, (data.inputs, *encoder.layers)[layer - 1])}
    if encoder.architecture == "resnet50":
        from clapp_neuro.encoders.resnet import stage_shapes

        return stage_shapes(layer, data.channels)
    below = (data.channels, *encoder.layers)[layer - 1]
    bias: dict[str, Shape] = {"bias": (size,)} if encoder.bias else {}
    return {"forward": (size, below, KERNEL, KERNEL), **bias}


def weight_shapes(experiment: Experiment) -> dict[str, Shape]:
    """Shape of every tensor by its name."""
    rule = find_rule(experiment.train.method)
    own = {size.level: rule.matrices(size) for size in sizes(experiment)}
    shapes: dict[str, Shape] = {}
    for layer in range(1, len(experiment.encoder.layers) + 1):
        roles = {**forward_shapes(experiment, layer), **own.get(layer, {})}
        shapes |= {f"layer{layer}.{role}": shape for role, shape in roles.items()}
    return shapes


def fan_in(shape: Shape) -> int:
    """Presynaptic neurons of one neuron."""
    return math.prod(shape[1:]) or 1
