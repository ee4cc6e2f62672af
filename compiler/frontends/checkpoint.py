"""From a trained checkpoint to the source network."""

from __future__ import annotations

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import TrainConfig
from clapp_neuro.config.modules import modules
from clapp_neuro.errors import InputError
from compiler.ir import (
    Comparator,
    Compartment,
    LearningRule,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Schedule,
)
from compiler.local_rules import clapp

INPUT = "input"
SACCADE = "saccade"  # the broadcast y: +1 fixation, -1 right after a saccade
INTENSITY = 1 / 255  # an input's 8-bit intensity stands for 0..1


def network_from_checkpoint(checkpoint: Checkpoint, *, plastic: bool = True) -> Network:
    """The dense spiking network of a checkpoint, with CLAPP's rule where it was trained by it.

    Raises InputError for what no chip program computes: rate neurons, split gates.
    """
    experiment = checkpoint.experiment
    encoder, train = experiment.encoder, experiment.train
    if encoder.neurons != "spiking":
        raise InputError(
            f"encoder.neurons is '{encoder.neurons}': a chip has spiking neurons only; train with "
            "a spiking preset, for example fashion-dense"
        )
    if encoder.architecture != "dense":
        raise InputError(
            f"encoder.architecture is '{encoder.architecture}': convolutions are not lowered yet; "
            "train a dense preset, for example fashion-dense"
        )
    learns = plastic and train.method != "random"
    if learns:
        _require_chip_rule(len(encoder.layers), train)
    populations = [Population(INPUT, experiment.data.inputs, 0, scale=INTENSITY)]
    projections: list[Projection] = []
    comparators: list[Comparator] = []
    for level, size in enumerate(encoder.layers, 1):
        name = f"layer{level}"
        below = populations[-1].name
        neuron = Neuron(encoder.decay, encoder.threshold, encoder.reset)
        populations.append(Population(name, size, level, neuron))
        gate = f"{name}.gate"
        rules = _rules(train.sgd_rate, gate, train.retrodiction) if learns else {"forward": None}
        ends = {
            "forward": (below, Compartment.SOMA),
            "prediction": (name, Compartment.APICAL),
            "retrodiction": (name, Compartment.RETRO),
        }
        for role, rule in rules.items():
            source, compartment = ends[role]
            weights = checkpoint.weights[f"{name}.{role}"].double().numpy()
            projections.append(
                Projection(f"{name}.{role}", source, name, compartment, weights, rule)
            )
        if learns:
            comparators.append(Comparator(gate, name, SACCADE, train.margin))
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(encoder.steps),
        tuple(comparators),
        (Modulator(SACCADE),) if learns else (),
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
    if train.method != "clapp":
        raise InputError(
            f"train.method is '{train.method}': the rule that is lowered to the chip is clapp; "
            f"train with it, {static}"
        )
    if train.gate == "split":
        raise InputError(
            "train.gate is 'split': a layer of the chip has one comparator and so one gate "
            f"(Eq. 17); train with gate 'shared', {static}"
        )
    deep = any(len(part) > 1 for part in modules(layers, train))
    if train.context != "same" or deep:
        raise InputError(
            "train.context and train.modules: on the chip each layer predicts itself; leave both "
            f"out, {static}"
        )
    if train.predictions > 1 or train.skip > 0:
        raise InputError(
            f"train.prediction_steps is {train.prediction_steps}, train.skip {train.skip} and "
            f"train.directions '{train.directions}': the chip keeps a trace of the last fixation "
            f"only; train with 1, 0 and 'down', {static}"
        )


def _rules(rate: float, gate: str, retro: str) -> dict[str, LearningRule | None]:
    """The rule of each projection. With W_retro = W_predᵀ at the start, Eq. 8 keeps it so."""
    if retro == "none":
        return {
            "forward": clapp.forward_without_retrodiction(rate, gate),
            "prediction": clapp.prediction(rate, gate),
        }
    return {
        "forward": clapp.forward(rate, gate),
        "prediction": clapp.prediction(rate, gate),
        "retrodiction": clapp.retrodiction(rate, gate),
    }
