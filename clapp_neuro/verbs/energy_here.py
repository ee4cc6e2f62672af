"""The same work on the machine at hand, measured where its counters can be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally
from clapp_neuro.verbs.float_network import float_weights
from clapp_neuro.verbs.sight import experiment_of
from compiler.backends.simulator import infer, simulate
from compiler.energy import Measured, NotMeasured, measure, open_nvml, open_rapl
from compiler.energy.meters import Meter
from compiler.program import Program
from compiler.trace import Stimulus

DENSE = "dense network, inference"
DENSE_LEARNING = "dense network, inference and learning, one fixation after another"
LOOP = "event loop, inference"
LEARNING = "event loop, inference and learning"


@dataclass(frozen=True)
class Here:
    """Joules an image by what was run: on this processor, and on this GPU."""

    cpu: dict[str, Measured | NotMeasured]
    gpu: dict[str, Measured | NotMeasured]

    def sentences(self) -> tuple[str, ...]:
        """A line for each piece of work; one reason where nothing could be measured."""
        said = []
        for where, found in (("this CPU", self.cpu), ("this GPU", self.gpu)):
            for what, line in found.items():
                subject = where if isinstance(line, NotMeasured) else f"{where}, an image, {what}"
                said.append(f"{subject}: {line}")
        return tuple(dict.fromkeys(said))


def measure_here(program: Program, stimulus: Stimulus, images: int, seen: ImageSet) -> Here:
    """Each piece of work with this stimulus, for one of the images.

    The event loop is the simulator, which computes the program's integers; the dense network is
    the float reference, all fixations at once where it does not learn.
    """
    work: dict[str, Callable[[], object]] = {
        DENSE: lambda: _dense(program, stimulus, "cpu"),
        LOOP: lambda: infer(program, stimulus, keep=()),
    }
    if program.plastic:
        work[LEARNING] = lambda: simulate(program, stimulus)
        learner = _dense_learner(program, seen)
        if learner is not None:
            work[DENSE_LEARNING] = lambda: _learn(learner, stimulus.fixations)
    on_gpu: dict[str, Callable[[], object]] = {DENSE: lambda: _dense(program, stimulus, "cuda")}
    seen_gpu = torch.cuda.is_available()
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}" if seen_gpu else None
    gpu: Meter | NotMeasured = open_nvml(uuid)
    if not seen_gpu and not isinstance(gpu, NotMeasured):
        gpu = NotMeasured(f"PyTorch sees no CUDA GPU, though there is one ({gpu.what})")
    return Here(_each(open_rapl(), work, images), _each(gpu, on_gpu, images))


def _each(
    meter: Meter | NotMeasured, work: dict[str, Callable[[], object]], images: int
) -> dict[str, Measured | NotMeasured]:
    found: dict[str, Measured | NotMeasured] = {}
    for what, call in work.items():
        line = measure(meter, call)
        found[what] = line.each(images) if isinstance(line, Measured) else line
    return found


def _dense_learner(program: Program, seen: ImageSet) -> OnlineTrainer | None:
    """The reference's online training from the program's weights.

    None where the program does not hold all that the reference keeps of a network: running
    averages, kernels before they were copied.
    """
    experiment, weights = experiment_of(program), float_weights(program)
    needed = {name: weight.shape for name, weight in initial_weights(experiment).items()}
    held = {name: weight.shape for name, weight in weights.items()}
    whole = needed == {name: held.get(name) for name in needed}
    return OnlineTrainer(experiment, seen, weights, None) if whole else None


def _learn(learner: OnlineTrainer, fixations: int) -> None:
    tally = Tally(len(learner.layers), 0)
    for step in range(fixations):
        learner.advance(step, tally)


def _dense(program: Program, stimulus: Stimulus, device: str) -> None:
    """The float network looking at the same fixations."""
    inputs = torch.from_numpy(stimulus.intensities["input"].astype(np.float32) / 255).to(device)
    weights = {name: weight.to(device) for name, weight in float_weights(program).items()}
    activities(weights, inputs, experiment_of(program))
    if device == "cuda":
        torch.cuda.synchronize()
