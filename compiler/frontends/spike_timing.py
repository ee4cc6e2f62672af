"""From a checkpoint that was trained by a rule of spike times to the source network."""

from __future__ import annotations

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import TrainConfig
from clapp_neuro.config.data import CLASSES
from clapp_neuro.rules.registry import METHODS
from compiler.ir import (
    Comparator,
    Compartment,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Quantity,
    Schedule,
)
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.local_rules.stdp import stdp
from compiler.spike_timing import SpikeTimingRule

INPUT = "input"
CLASS = "class"  # the label of what is seen, for the critic
REWARD = "reward"


def spike_timing_network(checkpoint: Checkpoint) -> Network:
    """The dense network whose forward projections all learn, from a checkpoint that may."""
    experiment = checkpoint.experiment
    encoder = experiment.encoder
    neuron = Neuron(encoder.decay, encoder.threshold, encoder.reset)
    populations = [Population(INPUT, experiment.data.inputs, 0, spikes=True)]
    projections = []
    for level, size in enumerate(encoder.layers, 1):
        name, below = f"layer{level}", populations[-1].name
        populations.append(Population(name, size, level, neuron))
        forward = f"{name}.forward"
        weights = checkpoint.weights[forward].double().numpy()
        rule = _rule(experiment.train)
        projections.append(Projection(forward, below, name, Compartment.SOMA, weights, rule))
    rewarded = any(p.rule.eligibility for p in projections if isinstance(p.rule, SpikeTimingRule))
    classes = CLASSES[experiment.data.dataset]
    critic = Comparator(REWARD, name, CLASS, 0.0, (Quantity.COUNT,), classes=classes)
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(encoder.steps, encoder.rest),
        (critic,) if rewarded else (),
        (Modulator(CLASS),) if rewarded else (),
        calibration=dict(checkpoint.calibration),
        provenance=provenance(checkpoint),
    )


def provenance(checkpoint: Checkpoint) -> dict[str, str]:
    """Where a network comes from, as a program carries it along."""
    return {
        "experiment": checkpoint.experiment.model_dump_json(),
        "step": str(checkpoint.step),
        "data": str(checkpoint.data.get("source", "")),
        **{f"version.{name}": version for name, version in checkpoint.versions.items()},
    }


def _rule(train: TrainConfig) -> SpikeTimingRule:
    """The rule of a method that learns from spike times: its file says whether it is rewarded."""
    rate, window = train.sgd_rate, (train.depression, train.tau_plus, train.tau_minus)
    if METHODS[train.method].rule == "reward_stdp":
        return reward_stdp(rate, *window, train.retention, REWARD)
    return stdp(rate, rate * window[0], *window[1:])
