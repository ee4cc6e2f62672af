"""The layers of a checkpoint that was trained by a rule of spike times, and its critic."""

from __future__ import annotations

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.config import TrainConfig
from clapp_neuro.config.data import CLASSES
from clapp_neuro.rules.registry import METHODS
from compiler.ir import (
    Comparator,
    Compartment,
    Neuron,
    Population,
    Projection,
    Quantity,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.local_rules.stdp import stdp

CLASS = "class"  # the label of what is seen, for the critic
REWARD = "reward"


def timed_layers(
    checkpoint: Checkpoint, inputs: Population
) -> tuple[list[Population], list[Projection], list[Comparator]]:
    """Dense layers whose forward projections all learn, from the input up, and the critic.

    There is none where the rule is not rewarded.
    """
    experiment = checkpoint.experiment
    encoder = experiment.encoder
    neuron = Neuron(encoder.decay, encoder.threshold, encoder.reset)
    populations = [inputs]
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
    return populations, projections, [critic] if rewarded else []


def _rule(train: TrainConfig) -> SpikeTimingRule:
    """The rule of a method that learns from spike times: its file says whether it is rewarded."""
    rate, window = train.sgd_rate, (train.depression, train.tau_plus, train.tau_minus)
    if METHODS[train.method].rule == "reward_stdp":
        return reward_stdp(rate, *window, train.retention, REWARD)
    return stdp(rate, rate * window[0], *window[1:])
