"""The same work on the machine at hand, measured where its counters can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from clapp_neuro.data.images import ImageSet
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally
from clapp_neuro.verbs.float_network import float_weights
from clapp_neuro.verbs.sight import experiment_of
from compiler.backends import tensor
from compiler.backends.simulator import infer, simulate
from compiler.energy import Measured, NotMeasured, measure, open_nvml, open_rapl
from compiler.energy.meters import Meter
from compiler.program import Program
from compiler.trace import Stimulus

DENSE = "dense network, inference"
DENSE_LEARNING = "dense network, inference and learning, one fixation after another"
INTEGERS = "dense network in integers, inference"
INTEGERS_LEARNING = "dense network in integers, inference and learning, one fixation after another"
LOOP = "event loop, inference"
LEARNING = "event loop, inference and learning"
LEARNED = 90
"""Fixations that are learned from on tensors: there each takes milliseconds, whatever spikes."""


@dataclass(frozen=True)
class Work:
    """Something to run, and how many images it looks at."""

    run: Callable[[], object]
    images: float


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

    def rows(self) -> list[tuple[str, ...]]:
        """Rows below those of `Comparison.rows`: above idle as dynamic, with idle as the total."""
        rows: list[tuple[str, ...]] = []
        for where, found in (("this CPU", self.cpu), ("this GPU", self.gpu)):
            for what, line in found.items():
                if isinstance(line, Measured):
                    cells = (phase_of(what), line.net, "–", "–", line.whole, "–")
                    rows.append((f"{where}, measured: {what}", *cells))
        return rows


def phase_of(what: str) -> str:
    """Which phase of a comparison a piece of work is."""
    return "learning" if what in (DENSE_LEARNING, INTEGERS_LEARNING, LEARNING) else "inference"


def measure_images(program: Program, stimulus: Stimulus, images: int, seen: ImageSet) -> Here:
    """Each piece of work with this stimulus, for one of the images.

    The event loop is the simulator, which computes the program's integers; the dense network is
    the float reference, all fixations at once where it does not learn. On a GPU what learns is the
    engine on tensors, which computes the integers as dense products.
    """
    each = stimulus.fixations / images
    on_cpu = {
        DENSE: Work(lambda: _dense(program, stimulus, "cpu"), images),
        **_event_loop(program, stimulus, images),
    }
    learner = _dense_learner(program, seen) if program.plastic else None
    if learner is not None:
        on_cpu[DENSE_LEARNING] = Work(lambda: _learn(learner, stimulus.fixations), images)

    def on_gpu(device: str) -> dict[str, Work]:
        dense = {DENSE: Work(lambda: _dense(program, stimulus, device), images)}
        return dense | _learning_on_tensors(program, stimulus, each, device)

    return Here(_each(open_rapl(), on_cpu), _on_gpu(on_gpu))


def measure_samples(program: Program, stimulus: Stimulus) -> Here:
    """The same for a network of another tool, whose float source is not at hand: in integers."""
    images = stimulus.fixations

    def on_tensors(device: str) -> dict[str, Work]:
        return {INTEGERS: Work(lambda: tensor.infer(program, stimulus, device=device), images)}

    on_cpu = on_tensors("cpu") | _event_loop(program, stimulus, images)
    return Here(_each(open_rapl(), on_cpu), _on_gpu(on_tensors))


def _event_loop(program: Program, stimulus: Stimulus, images: float) -> dict[str, Work]:
    work = {LOOP: Work(lambda: infer(program, stimulus, keep=()), images)}
    if program.plastic:
        work[LEARNING] = Work(lambda: simulate(program, stimulus), images)
    return work


def _learning_on_tensors(
    program: Program, stimulus: Stimulus, each: float, device: str
) -> dict[str, Work]:
    if not program.plastic:
        return {}
    some = stimulus.part(0, LEARNED)
    run = partial(tensor.simulate, [program], [some], device=device)
    return {INTEGERS_LEARNING: Work(run, some.fixations / each)}


def gpu_meter() -> tuple[str, Meter | NotMeasured]:
    """The device of the GPU that PyTorch sees first, and its counter, or why there is none."""
    seen = torch.cuda.is_available()
    uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}" if seen else None
    meter: Meter | NotMeasured = open_nvml(uuid)
    if not seen and not isinstance(meter, NotMeasured):
        meter = NotMeasured(f"PyTorch sees no CUDA GPU, though there is one ({meter.what})")
    return "cuda", meter


def _on_gpu(work: Callable[[str], Mapping[str, Work]]) -> dict[str, Measured | NotMeasured]:
    device, meter = gpu_meter()
    return _each(meter, work(device))


def _each(
    meter: Meter | NotMeasured, work: Mapping[str, Work]
) -> dict[str, Measured | NotMeasured]:
    found: dict[str, Measured | NotMeasured] = {}
    for what, piece in work.items():
        line = measure(meter, piece.run)
        found[what] = line.each(piece.images) if isinstance(line, Measured) else line
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
