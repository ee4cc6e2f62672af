"""`verify`: the simulator against another engine, bit by bit, or against the float reference."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from clapp_neuro.config import Experiment, with_training
from clapp_neuro.data.images import ImageSet
from clapp_neuro.device import find_device
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError, unknown
from clapp_neuro.progress import Report, silent
from clapp_neuro.rules.registry import find_rule
from clapp_neuro.training.moments import online_trainer
from clapp_neuro.training.tally import Tally
from clapp_neuro.verbs.float_network import (
    float_maps,
    float_weights,
    maps_on_chip_spikes,
    weight_unit,
)
from clapp_neuro.verbs.samples import is_foreign, random_samples
from clapp_neuro.verbs.sight import experiment_of, gaze, images_of, readout_populations
from compiler.backends import lava, simulator, tensor
from compiler.bundle import read_bundle
from compiler.connectivity import on_the_map
from compiler.passes.untie import faster
from compiler.program import Program, Synapses
from compiler.terms import Connection
from compiler.trace import Stimulus
from compiler.verify import Difference, compare
from compiler.worked_examples.held import held

ENGINES = ("lava", "tensor", "reference")


@dataclass(frozen=True)
class VerifyResult:
    """Outcome of a verification; `agreement` is filled in against the float reference only.

    Against the reference `equal` means that every layer's spike counts correlate by at least 0.99
    with those of a float layer that hears the chip's own spikes from below (what the float network
    counts by itself is shown beside it: in a deep one, few spikes that differ below are many
    further up), and every matrix's change by at least 0.25: rounding makes exact
    equality impossible, and what one fixation changes is mostly below one unit of a tag, so that
    changes are noisy, but those of a wrong rule do not correlate.
    """

    against: str
    learn: bool
    equal: bool
    mismatches: int
    fixations: int
    time_steps: int
    weights_compared: int
    values_compared: int
    first_difference: Difference | None
    agreement: dict[str, dict[str, float]]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


CORRELATION = 0.99
CHANGE_CORRELATION = 0.25


def verify(
    path: str | os.PathLike[str],
    *,
    against: str = "lava",
    learn: bool = False,
    fixations: int = 20,
    data: str | os.PathLike[str] | None = None,
    seed: int = 0,
    timeout: float = 600.0,
    device: str = "cpu",
    report: Report = silent,
) -> VerifyResult:
    """Run a program on two engines and compare.

    device: cpu or cuda, where the engine on tensors runs; timeout: seconds for Lava.
    Raises InputError for an unknown engine, a file that is none, or Lava missing.
    """
    if against not in ENGINES:
        raise unknown("engine", against, ENGINES)
    if not (math.isfinite(timeout) and timeout > 0):
        raise InputError(f"a time limit of {timeout} s: give a number above 0")
    program, _ = read_bundle(path)
    if learn and not program.plastic:
        raise InputError(f"'{path}' has no plastic synapses: leave --learn out")
    if is_foreign(program):
        if against == "reference" or data is not None:
            raise InputError(
                f"'{path}' is of another tool: it is verified on random samples, against lava or "
                "tensor, and its source by compiler.emulate"
            )
        stimulus = random_samples(program, fixations, seed)
    else:
        images = images_of(program, data)
        stimulus = gaze(program, images, fixations, seed)
        if against == "reference":
            learning = images if learn else None
            return _against_reference(program, stimulus, learning, seed)
    ours = simulator.trace(program, stimulus, learn)
    if against == "tensor":
        theirs = tensor.trace(program, stimulus, learn, device=find_device(device).type)
    else:
        theirs = lava.trace(program, stimulus, learn, timeout)
    for total in compare(program, ours, theirs):
        report(total.fixations, fixations, f"{total.mismatches} differences")
    return VerifyResult(
        against,
        learn,
        total.equal,
        total.mismatches,
        total.fixations,
        total.time_steps,
        total.weights_compared,
        total.values_compared,
        total.first_difference,
        {},
    )


def _against_reference(
    program: Program, stimulus: Stimulus, learning: ImageSet | None, seed: int
) -> VerifyResult:
    """Spike counts, and with the images to learn from weight changes, beside the float network's.

    Both start from the program's own integer weights, so what is measured is integer arithmetic
    and rounding, not what quantisation dropped before.
    """
    experiment = experiment_of(program)
    weights = float_weights(program) | _averages(program)
    counts, _ = simulator.infer(program, stimulus)
    agreement: dict[str, dict[str, float]] = {}
    answers = float_maps(program, stimulus, weights)
    alone = maps_on_chip_spikes(program, stimulus, weights)
    compared = 0
    judged = []
    for name, layer in zip(readout_populations(program).values(), answers, strict=True):
        ours = counts[name] / program.timetable.steps
        compared += counts[name].size
        judged.append(f"{name} counts")
        agreement[judged[-1]] = _agreement(layer.flatten(1).double().numpy(), ours)
        if name in alone:
            judged[-1] = f"{name} on the chip's spikes"
            agreement[judged[-1]] = _agreement(alone[name].flatten(1).double().numpy(), ours)
    low = [name for name in judged if agreement[name]["correlation"] < CORRELATION]
    changed = 0
    if learning is not None:
        settings = with_training(experiment, seed=seed)
        changes = _weight_changes(program, stimulus, settings, learning, weights)
        low += [name for name, a in changes.items() if a["correlation"] < CHANGE_CORRELATION]
        agreement |= changes
        changed = sum(s.weights.size for s in program.synapses)
    return VerifyResult(
        "reference",
        learning is not None,
        not low,
        len(low),
        stimulus.fixations,
        stimulus.fixations * program.timetable.period,
        changed,
        compared + changed,
        None,
        agreement,
    )


def _weight_changes(
    program: Program,
    stimulus: Stimulus,
    experiment: Experiment,
    images: ImageSet,
    weights: dict[str, torch.Tensor],
) -> dict[str, dict[str, float]]:
    """Change of every plastic matrix on the chip beside the float online rule's.

    The float network learns from the same stretch of gaze, which its seed determines.
    """
    before = {name: w.clone() for name, w in weights.items()}
    tally = Tally(len(experiment.encoder.layers), 0)
    weights |= _states(experiment)  # the chip's traces and averages begin anew as well
    with torch.inference_mode():
        trainer = online_trainer(experiment, images, weights, None)
        for step in range(stimulus.fixations):
            trainer.advance(step, tally)
    learned = simulator.simulate(program, stimulus).program
    changes = {}
    for s in program.synapses:
        if s.name not in before:  # fixed weights, or a readout on the chip
            continue
        ours = (_real(learned, s.name) - _real(program, s.name)) * _sooner(s)
        theirs = (weights[s.name] - before[s.name]).double().numpy()
        changes[f"{s.name} change"] = _agreement(theirs, ours)
    return changes


def _states(experiment: Experiment) -> dict[str, torch.Tensor]:
    """What the method keeps beside its weights, as it is before anything was seen."""
    kept = find_rule(experiment.train.method).states
    fresh = initial_weights(experiment) if kept else {}
    return {name: tensor for name, tensor in fresh.items() if name.split(".")[1] in kept}


def _averages(program: Program) -> dict[str, torch.Tensor]:
    """The running averages of the populations that keep them, in the reference's units."""
    steps = program.timetable.steps
    found = {}
    for p in program.populations:
        if p.averages is not None:
            one = 2.0**p.averages.fraction
            found[f"{p.name}.mean"] = torch.from_numpy(p.averages.mean / one / steps).float()
            variance = p.averages.variance / one / steps**2
            found[f"{p.name}.variance"] = torch.from_numpy(variance).float()
    return found


def _real(program: Program, name: str) -> np.ndarray:
    """A projection's weights in real numbers, with what its tags or low synapses hold.

    Of untied kernels the mean of the copies, which is what a shared kernel would be.
    """
    s = next(s for s in program.synapses if s.name == name)
    values, unit = held(program, name)
    real = values * (weight_unit(program, name) * unit / s.unit)
    if s.connection is not Connection.UNTIED:
        return real
    height, width = program.population(s.target).map[1:]
    return real.sum(0) / on_the_map(s.weights.shape, (height, width)).sum(0)


def _sooner(s: Synapses) -> float:
    """How much faster the mean of copies would change that learned as the shared kernel does."""
    if s.connection is not Connection.UNTIED:
        return 1.0
    return len(s.weights) / faster(len(s.weights), s.averaged)


def _agreement(expected: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Correlation and relative error; both are 1 and 0 where neither side has anything."""
    e, f = expected.ravel(), found.ravel()
    if not e.any() and not f.any():
        return {"correlation": 1.0, "relative_error": 0.0}
    spread = float(e.std() * f.std())
    centred = float(((e - e.mean()) * (f - f.mean())).mean())
    norm = float(np.linalg.norm(e))
    return {
        "correlation": centred / spread if spread else 0.0,
        "relative_error": float(np.linalg.norm(f - e)) / norm if norm else float("inf"),
    }
