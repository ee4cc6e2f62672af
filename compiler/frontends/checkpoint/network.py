"""From a trained checkpoint to the source network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import TrainConfig
from clapp_neuro.config.modules import modules
from clapp_neuro.errors import InputError
from clapp_neuro.rules.registry import METHODS
from compiler.frontends.checkpoint.convolution import maps
from compiler.frontends.checkpoint.spike_timing import CLASS, timed_layers
from compiler.ir import (
    Comparator,
    Compartment,
    Modulator,
    Network,
    Neuron,
    Population,
    PreTraces,
    Projection,
    Schedule,
)
from compiler.local_rules import clapp, espp, lpl
from compiler.local_rules.layer import Layer, Learning

RULES = {"clapp": clapp, "espp": espp, "lpl": lpl}
"""Which file of `compiler/local_rules` lowers which method."""
LOWERED = (*RULES, *(name for name, method in METHODS.items() if method.timed))
"""All methods that learn on the chip: those, and the rules of spike times."""
INPUT = "input"
SACCADE = "saccade"  # the broadcast y: +1 fixation, -1 right after a saccade
INTENSITY = 1 / 255  # an input's 8-bit intensity stands for 0..1


def network_from_checkpoint(checkpoint: Checkpoint, *, plastic: bool = True) -> Network:
    """The spiking network of a checkpoint, with the rule that it was trained by.

    A convolutional layer `layer3` is a map and, where it is pooled, a map of relays `layer3.pool`
    one level above. Raises InputError for what no chip program computes: rate neurons, split
    gates, biases that learn.
    """
    experiment = checkpoint.experiment
    encoder, train = experiment.encoder, experiment.train
    if encoder.neurons != "spiking":
        raise InputError(
            f"encoder.neurons is '{encoder.neurons}': a chip has spiking neurons only; train with "
            "a spiking preset, for example fashion-dense"
        )
    spikes = encoder.input == "spikes"
    scale = 1.0 if spikes else INTENSITY
    inputs = Population(INPUT, experiment.data.inputs, 0, scale=scale, spikes=spikes)
    learns = plastic and train.method != "random"
    if encoder.architecture == "conv":
        if learns:
            _require_chip_rule(len(encoder.layers), train)
        found = maps(
            checkpoint, inputs, (lambda name: _learning(checkpoint, name)) if learns else None
        )
        signals = (SACCADE,) if learns else ()
        return _network(
            checkpoint, found.populations, found.projections, found.comparators, signals=signals
        )
    if learns and METHODS[train.method].timed:
        populations, projections, critics = timed_layers(checkpoint, inputs)
        signals = (CLASS,) if critics else ()
        return _network(
            checkpoint, populations, projections, critics, signals=signals, rest=encoder.rest
        )
    if learns:
        _require_chip_rule(len(encoder.layers), train)
    populations, projections = [inputs], []
    comparators: list[Comparator] = []
    for level, size in enumerate(encoder.layers, 1):
        name = f"layer{level}"
        below = populations[-1].name
        neuron = Neuron(encoder.decay, encoder.threshold, encoder.reset)
        learning = _learning(checkpoint, name) if learns else Learning({})
        population = Population(name, size, level, neuron, averages=learning.averages)
        populations.append(population)
        for role, (source, compartment) in {
            "forward": (below, Compartment.SOMA),
            "prediction": (name, Compartment.APICAL),
            "retrodiction": (name, Compartment.RETRO),
        }.items():
            rule = learning.rules.get(role)
            if rule is not None or compartment is Compartment.SOMA:
                title = f"{name}.{role}"
                weights = checkpoint.weights[title].double().numpy()
                projections.append(Projection(title, source, name, compartment, weights, rule))
        comparators += learning.comparators
    signals = (SACCADE,) if learns else ()
    rest = encoder.rest if learns and encoder.traces == "exponential" else 0
    return _network(checkpoint, populations, projections, comparators, signals=signals, rest=rest)


def _learning(checkpoint: Checkpoint, name: str) -> Learning:
    """How a layer learns, by the file of its method."""
    tensors = {
        key.removeprefix(f"{name}."): tensor.double().numpy()
        for key, tensor in checkpoint.weights.items()
        if key.startswith(f"{name}.")
    }
    encoder, train = checkpoint.experiment.encoder, checkpoint.experiment.train
    learning = RULES[train.method].learning(Layer(name, SACCADE, train, tensors))
    if encoder.traces == "counts":
        return learning
    traces = PreTraces(encoder.tau_fast, encoder.tau_slow)
    rules = {role: replace(rule, traces=traces) for role, rule in learning.rules.items()}
    return replace(learning, rules=rules)


def _network(
    checkpoint: Checkpoint,
    populations: list[Population],
    projections: list[Projection],
    comparators: Sequence[Comparator] = (),
    *,
    signals: Sequence[str] = (),
    rest: int = 0,
) -> Network:
    """The parts as a network, with what a program carries along of where it comes from."""
    experiment = checkpoint.experiment
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(experiment.encoder.steps, rest),
        tuple(comparators),
        tuple(Modulator(name) for name in signals),
        dict(checkpoint.calibration),
        {
            "experiment": experiment.model_dump_json(),
            "step": str(checkpoint.step),
            "data": str(checkpoint.data.get("source", "")),
            **{f"version.{name}": version for name, version in checkpoint.versions.items()},
        },
    )


def _require_chip_rule(layers: int, train: TrainConfig) -> None:
    """InputError, with the parameter and the remedy, for learning that is not lowered."""
    static = "or compile with learning left out (--static)"
    if train.method not in RULES:
        raise InputError(
            f"train.method is '{train.method}': the rules that are lowered to the chip are those "
            f"of {', '.join(LOWERED)}; train with one of them, {static}"
        )
    if train.decay != 0:
        raise InputError(
            f"train.weight_decay is {train.decay:g}: on the chip a synapse learns from traces, it "
            f"does not decay by itself; train with --weight-decay 0, {static}"
        )
    if train.gate == "split":
        raise InputError(
            "train.gate is 'split': a layer of the chip has one comparator and so one gate "
            f"(Eq. 17); train with gate 'shared', {static}"
        )
    deep = any(len(part) > 1 for part in modules(layers, train))
    if train.context != "same" or deep:
        raise InputError(
            "train.context and train.modules: on the chip each layer learns from itself; leave "
            f"both out, {static}"
        )
    if train.predictions > 1 or train.skip > 0:
        raise InputError(
            f"train.prediction_steps is {train.prediction_steps}, train.skip {train.skip} and "
            f"train.directions '{train.directions}': the chip keeps a trace of the last fixation "
            f"only; train with 1, 0 and 'down', {static}"
        )
