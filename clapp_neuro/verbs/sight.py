"""What the chip looks at: a compiled program's own data set as intensities and saccades."""

from __future__ import annotations

import json
import os

import numpy as np
from pydantic import ValidationError

from clapp_neuro.config import Experiment, read_experiment
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.data.patches import fixated_inputs, image_inputs, intensities
from clapp_neuro.errors import InputError
from compiler.backends.simulator import infer
from compiler.frontends.checkpoint import INPUT
from compiler.frontends.checkpoint.convolution import POOLED
from compiler.program import MACHINE, Program, Soma
from compiler.targets import NeuromorphicMachine, load_target
from compiler.trace import Stimulus

IMAGES_AT_ONCE = 500
LARGEST_COUNTS = 1 << 28  # of neurons times fixations at a time, a byte each
LARGEST_STIMULUS = 1 << 30  # input neurons times fixations: a byte each, several while it is made


def experiment_of(program: Program) -> Experiment:
    """The experiment that the program was compiled from; InputError where the file lacks it."""
    text = program.provenance.get("experiment")
    if text is None and "inputs" in program.provenance:
        raise InputError(
            "the program is of another tool and has no images of its own: show it samples with "
            "clapp-neuro answer, or with run and energy, --input SAMPLES.npy"
        )
    if text is None:
        raise InputError("the program does not say which data it was trained on: compile it again")
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InputError("the program's experiment is damaged: compile the model again")
    return read_experiment(values, "the program's experiment")


def machine_of(program: Program) -> NeuromorphicMachine:
    """The machine that the program was compiled for: its own description, or one that ships."""
    text = program.provenance.get(MACHINE)
    if text is None:
        return load_target(program.target).machine
    try:
        return NeuromorphicMachine.model_validate_json(text)
    except ValidationError as error:
        raise InputError(
            "the program's machine description is damaged: compile the model again"
        ) from error


def images_of(program: Program, data: str | os.PathLike[str] | None) -> ImageSet:
    """The images of the program's experiment; `data` as in `load_images`."""
    return load_images(experiment_of(program).data, data)


def gaze(program: Program, images: ImageSet, fixations: int, seed: int, start: int = 0) -> Stimulus:
    """Fixations of the agent's gaze over the learning images, as the online reference sees them."""
    if fixations < 1:
        raise InputError(f"{fixations} fixations: give at least 1")
    if seed < 0:
        raise InputError(f"seed {seed}: give 0 or more")
    config = experiment_of(program).data
    _require_memory(fixations * config.inputs)
    seen = images.learning_images
    stream = fixation_stream(len(seen), config.positions, fixations, seed, start)
    inputs = {INPUT: intensities(fixated_inputs(seen, stream, config))}
    signals = dict.fromkeys(program.modulators, stream.label)
    critics = [gate for gate in program.gates if gate.classes]
    if critics and images.unlabelled_images is not None:
        raise InputError(
            f"the program is rewarded for naming an image's class, but the learning images of "
            f"{images.dataset} have no labels: give another data set"
        )
    if critics:
        label = images.train_labels[stream.image].astype(np.int8)
        by_position = len(readouts(program)) > 1
        for position, critic in enumerate(critics):
            told = np.where(stream.position == position, label, -1) if by_position else label
            signals[critic.modulator] = told.astype(np.int8)
    return Stimulus(inputs, signals)


def _require_memory(intensities: int) -> None:
    if intensities > LARGEST_STIMULUS:
        raise InputError(
            f"{intensities:,} intensities are more than fit at a time: look at fewer images, and "
            "go on from what was learned"
        )


def scan(program: Program, images: np.ndarray) -> Stimulus:
    """Every position of every image (B, H, W) in order; a saccade leads to each image."""
    if len(images) == 0:
        raise InputError("there are no images to look at: give at least one")
    config = experiment_of(program).data
    patches = intensities(image_inputs(images, config))
    labels = np.ones((len(images), config.positions), np.int8)
    labels[:, 0] = -1
    labels[0, 0] = 0
    flat = patches.reshape(-1, patches.shape[-1])
    return Stimulus({INPUT: flat}, dict.fromkeys(program.modulators, labels.ravel()))


def readouts(program: Program) -> tuple[str, ...]:
    """The readouts on the chip: none, one, or one for each position of the gaze, in their order.

    InputError where a file has several, but not as many as its images have positions.
    """
    found = tuple(gate.population for gate in program.gates if gate.points)
    if len(found) > 1 and len(found) != (positions := experiment_of(program).data.positions):
        raise InputError(
            f"the program has {len(found)} readouts for {positions} positions: compile the model "
            "again"
        )
    return found


def readout_populations(program: Program) -> dict[str, str]:
    """By layer, the population that the layer above hears: its relays where it is pooled.

    A readout on the chip is no layer: it never spikes.
    """
    names = [p.name for p in program.populations]
    somata = {p.name: p.soma for p in program.populations if isinstance(p.soma, Soma)}
    layers = [name for name, soma in somata.items() if soma.threshold is not None]
    return {name: name + POOLED if name + POOLED in names else name for name in layers}


def chip_features(program: Program, images: np.ndarray) -> dict[str, np.ndarray]:
    """Mean spike counts over fixations and positions, float (images, N), for each layer.

    N are a layer's channels where it is a map.
    """
    positions = experiment_of(program).data.positions
    read = readout_populations(program)
    kept = sum(program.population(name).size for name in read.values())
    at_once = min(IMAGES_AT_ONCE, max(1, LARGEST_COUNTS // (kept * positions)))
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(images), at_once):
        part = images[first : first + at_once]
        counts, _ = infer(program, scan(program, part), keep=tuple(read.values()))
        for layer, name in read.items():
            channels = program.population(name).map[0]
            grid = counts[name].reshape(len(part), positions, channels, -1)
            parts.setdefault(layer, []).append(grid.mean((1, 3), dtype=np.float64))
    return {name: np.concatenate(values) for name, values in parts.items()}
