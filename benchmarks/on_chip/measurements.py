"""One network of one seed: untrained, online in float, or learning on the simulated chip."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from settings import DEFAULT, LOWERINGS, STRETCHES, VALIDATION, Lowering, Network

import clapp_neuro
from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import Experiment
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.files import write_whole
from clapp_neuro.readout import layer_features
from clapp_neuro.readouts.logistic import logistic_predictions
from clapp_neuro.verbs.sight import chip_features, gaze, machine_of
from compiler import energy
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle
from compiler.events import Events
from compiler.passes.placing.place import place
from compiler.program import Program

Found = dict[str, Any]


def once(path: Path, measure: Callable[[], Found]) -> Found:
    """What is stored at `path`, or what is measured now and stored there."""
    if not path.exists():
        began = time.perf_counter()
        found = measure()
        text = json.dumps({**found, "seconds": time.perf_counter() - began})
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda file: file.write(text.encode()))
    stored: Found = json.loads(path.read_text())
    return stored


def untrained(network: Network, seed: int, folder: Path, data: str | None) -> Found:
    """Readout of the network before it has learned."""
    start = _start(network, seed, folder, data)
    return {"accuracy": _of_float(start, network, data)}


def online(network: Network, seed: int, rate: float, folder: Path, data: str | None) -> Found:
    """The float reference online: readout and learning curve."""
    preset = clapp_neuro.load_preset(network.preset)
    chosen = {"mode": "online", "steps": network.fixations, "seed": seed, "sgd_rate": rate}
    path = folder / f"online-{rate:.6f}.pt"
    result = clapp_neuro.train(clapp_neuro.with_training(preset, **chosen), path, data=data)
    layers = range(len(result.layers))
    curve = {
        name: [[getattr(s.layers[layer], name) for s in result.history] for layer in layers]
        for name in ("loss", "gate")
    }
    return {**curve, "accuracy": _of_float(path, network, data)}


def on_chip(
    network: Network, seed: int, rate: float, name: str, folder: Path, data: str | None
) -> Found:
    """The compiled network on the simulator: readout, learning curve, events and energy."""
    lowering = LOWERINGS[name]
    program, _ = read_bundle(_compiled(network, seed, rate, name, folder, data))
    images = load_images(_experiment(network).data, data)
    learned, events, found = _learn(program, images, network.fixations, seed, lowering)
    labelled = images.train_images[: network.labelled]
    features = (chip_features(learned, some) for some in (labelled, images.test_images))
    accuracy = _accuracy(*(list(some.values()) for some in features), images, network.labelled)
    return {**found, "accuracy": accuracy, **_costs(program, events)}


def on_lava(network: Network, seed: int, rate: float, folder: Path, data: str | None) -> Found:
    """The beginning of the default's run, bit by bit beside Lava."""
    path = _compiled(network, seed, rate, DEFAULT, folder, data)
    found = clapp_neuro.verify(path, learn=True, fixations=network.prefix, data=data, seed=seed)
    return {
        "fixations": found.fixations,
        "values": found.values_compared,
        "differences": found.mismatches,
    }


def _compiled(
    network: Network, seed: int, rate: float, name: str, folder: Path, data: str | None
) -> Path:
    lowering, path = LOWERINGS[name], folder / f"{name}.clapp"
    clapp_neuro.compile(
        _start(network, seed, folder, data, rate),
        network.target,
        path,
        seed=seed,
        kernels=lowering.kernels or network.kernels,
        consolidation=lowering.consolidation,
        consolidate_every=lowering.every,
    )
    return path


def _learn(
    program: Program, images: ImageSet, fixations: int, seed: int, lowering: Lowering
) -> tuple[Program, Events, Found]:
    stimulus = gaze(program, images, fixations, seed)
    result = simulate(program, stimulus, shared_rounding=lowering.shared)
    curve = learning_curve(program, stimulus.signals, result.scores, result.gates)
    return result.program, result.events, curve


def learning_curve(
    program: Program, signals: dict[str, np.ndarray], scores: np.ndarray, gates: np.ndarray
) -> Found:
    """Hinge loss (Eq. 3), in margins, and share of open gates: layers x stretches."""
    curve: dict[str, list[list[float]]] = {"loss": [], "gate": []}
    for i, gate in enumerate(program.gates):
        y = signals[gate.modulator].astype(np.float64)
        missing = np.maximum(0.0, gate.margin - y * scores[:, i]) / gate.margin
        missing[y == 0] = 0.0
        for name, values in (("loss", missing), ("gate", gates[:, i] != 0)):
            stretches = np.array_split(values, STRETCHES)
            curve[name].append([float(part.mean()) for part in stretches])
    return curve


def _costs(program: Program, events: Events) -> Found:
    """What a fixation costs: plastic updates, synapses visited by carries, joules with bounds."""
    machine = machine_of(program)
    estimate = energy.estimate(events, place(program, machine), machine)
    dynamic = estimate.learning.dynamic if estimate.learning is not None else None
    band = dynamic.to_json() if dynamic is not None else None
    learning = events.learning
    somata = [p for p in events.populations if not p.host]
    return {
        "plastic_updates": learning.plastic_updates / events.fixations,
        "carry_visits": learning.carry_visits / events.fixations,
        "management_visits": learning.averaged / events.fixations,
        "learning_energy": {
            key: value / events.fixations if key in ("value", "low", "high") else value
            for key, value in (band or {}).items()
        },
        "tag_clipped": sum(p.tag_clipped for p in events.projections),
        "weight_clipped": sum(p.weight_clipped for p in events.projections),
        "post_clipped": sum(p.post_clipped for p in somata),
        "post_writes": sum(p.post_writes for p in somata),
        "silent": [p.silent / (p.neurons * events.fixations) for p in somata],
        "saturated": [p.saturated / (p.neurons * events.fixations) for p in somata],
    }


def _experiment(network: Network, **train: Any) -> Experiment:
    return clapp_neuro.with_training(clapp_neuro.load_preset(network.preset), **train)


def _start(
    network: Network, seed: int, folder: Path, data: str | None, rate: float | None = None
) -> Path:
    """The checkpoint of the network before it has learned, which says how fast it will."""
    name = "start.pt" if rate is None else f"start-{rate:.6f}.pt"
    if not (folder / name).exists():
        chosen = {"mode": "online", "steps": 0, "seed": seed}
        if rate is not None:
            chosen["sgd_rate"] = rate
        folder.mkdir(parents=True, exist_ok=True)
        clapp_neuro.train(_experiment(network, **chosen), folder / name, data=data)
    return folder / name


def _of_float(path: Path, network: Network, data: str | None) -> Found:
    checkpoint = load_checkpoint(path)
    experiment = checkpoint.experiment
    images = load_images(experiment.data, data)
    train, test = (
        layer_features(checkpoint.weights, experiment, some)
        for some in (images.train_images[: network.labelled], images.test_images)
    )
    return _accuracy(train, test, images, network.labelled)


def _accuracy(
    train: list[np.ndarray], test: list[np.ndarray], images: ImageSet, labelled: int
) -> Found:
    """Percent, by layer, of a readout of the labelled images: `validation` for choices, `test`."""
    right = [
        logistic_predictions(train_x, images.train_labels[:labelled], test_x) == images.test_labels
        for train_x, test_x in zip(train, test, strict=True)
    ]
    validation = min(VALIDATION, len(images.test_labels) // 2)
    return {
        "validation": [100 * float(layer[:validation].mean()) for layer in right],
        "test": [100 * float(layer[validation:].mean()) for layer in right],
        "source": images.source,
        "tested": len(images.test_labels) - validation,
    }
