"""What a run amounts to, in figures: firing rates, loss and gates, rewards, readouts of counts."""

from __future__ import annotations

import numpy as np

from clapp_neuro.data.images import ImageSet
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.verbs.own_readout import answers, has_readout
from clapp_neuro.verbs.sight import chip_features, readouts
from compiler.backends.simulator import Result
from compiler.events import Events
from compiler.frontends.checkpoint.convolution import MEAN
from compiler.frontends.checkpoint.readout import READOUT
from compiler.program import Program


def rates(program: Program, events: Events) -> dict[str, float]:
    """Spikes per neuron and time step of each population that can send any."""
    silent = (READOUT, *readouts(program))
    spiking = {p.name for p in program.populations if p.spiking and p.name not in silent}
    return {
        p.name: p.spikes / (p.neurons * program.timetable.steps * events.fixations)
        for p in events.populations
        if not p.host and p.name in spiking
    }


def learning_curve(
    program: Program, signals: dict[str, np.ndarray], result: Result | None
) -> tuple[dict[str, float], dict[str, float]]:
    """Loss and share of open gates over the last fifth, for each layer that has a gate.

    The loss is the hinge loss (Eq. 3) in margins, or where a critic rewards the share of -1.
    """
    if result is None:
        return {}, {}
    done = result.state.fixation
    last = max(1, done // 5)
    loss, opened = {}, {}
    for i, gate in enumerate(program.gates):
        if gate.points:  # of a readout, which is no layer
            continue
        decided, layer = result.gates[-last:, i], gate.population.removesuffix(MEAN)
        opened[layer] = float((decided != 0).mean())
        if gate.classes:  # a critic: how often it was not pleased
            loss[layer] = float((decided < 0).mean())
            continue
        y = signals[gate.modulator][done - last : done].astype(np.float64)
        stays, left = gate.margins
        margin = np.where(y < 0, left, stays)
        missing = np.maximum(0.0, margin - y * result.scores[-last:, i])
        loss[layer] = float(missing.mean() / abs(stays))
    return loss, opened


def rewarded(program: Program, result: Result | None) -> float | None:
    """How often the readout on the chip was right in the last fifth of the run."""
    if result is None or not has_readout(program):
        return None
    critics = [i for i, gate in enumerate(program.gates) if gate.points]
    last = max(1, result.state.fixation // 5)
    return float((result.gates[-last:, critics] > 0).any(axis=1).mean())


def own_accuracy(program: Program, images: ImageSet) -> float | None:
    """Test accuracy in 0..1 of what the chip itself answers."""
    if not has_readout(program):
        return None
    return float((answers(program, images.test_images) == images.test_labels).mean())


def probed(program: Program, images: ImageSet, labelled: int) -> dict[str, float]:
    """Test accuracy in 0..1 of a linear readout of each layer's counts on the chip."""
    train_x = chip_features(program, images.train_images[:labelled])
    test_x = chip_features(program, images.test_images)
    labels = images.train_labels[:labelled]
    return {
        name: logistic_readout(train_x[name], labels, test_x[name], images.test_labels)
        for name in train_x
    }
