"""One run: a readout learns from rewards, on the chip or in float, and is looked at on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from readout_settings import BY_POSITION, ENCODER_RATE, PRESET, Setting
from settings import VALIDATION

import clapp_neuro
from clapp_neuro.config import Experiment
from clapp_neuro.config.data import CLASSES
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.randomness import Purpose, keyed_generator
from clapp_neuro.readout import layer_features
from clapp_neuro.readouts.logistic import logistic_predictions
from clapp_neuro.readouts.reward import RewardReadout
from clapp_neuro.training.compiled_online import CompiledOnlineTrainer
from clapp_neuro.training.online import BLOCK
from clapp_neuro.training.tally import Tally
from clapp_neuro.verbs.own_readout import scores
from clapp_neuro.verbs.sight import chip_features, gaze, readouts
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle, write_bundle

Found = dict[str, Any]


def on_chip(
    setting: Setting, seed: int, rate: float, name: str, learned: Path, data: str | None
) -> Found:
    """The chip as a way's name says; what it has learned is written to `learned`."""
    start = learned.parent / f"start-{learned.stem}.pt"
    learned.parent.mkdir(parents=True, exist_ok=True)
    clapp_neuro.train(_experiment(seed, 0), start, data=data)
    clapp_neuro.compile(
        start,
        out=learned,
        seed=seed,
        static=name.startswith("untrained"),
        readout="reward-by-position" if name.endswith(BY_POSITION) else "reward",
        readout_rate=rate,
    )
    program, _ = read_bundle(learned)
    images = load_images(_experiment(seed, 0).data, data)
    state, curve = None, _Curve(images)
    critics = [number for number, gate in enumerate(program.gates) if gate.points]
    for first, last in _stretches(setting):
        result = simulate(program, gaze(program, images, last - first, seed, first), state=state)
        program, state = result.program, result.state
        rewarded = float((result.gates[first:last, critics] > 0).any(axis=1).mean())
        said = scores(program, images.test_images)
        curve.look(last, rewarded, said.sum(1).argmax(1), said.argmax(2))
    write_bundle(learned, program)
    events = result.events
    named = readouts(program)
    own = [p for p in events.projections if p.target in named]
    return {
        **curve.found,
        "post_clipped": sum(p.post_clipped for p in events.populations if p.name in named),
        "tag_clipped": sum(p.tag_clipped for p in own),
        "weight_clipped": sum(p.weight_clipped for p in own),
        "plastic_updates": sum(p.plastic_updates for p in own) / setting.looks[-1],
        "source": images.source,
    }


def in_float(setting: Setting, seed: int, rate: float, data: str | None) -> Found:
    """The float reference learns online, and the same rule in float hears its layers."""
    experiment = _experiment(seed, setting.looks[-1])
    images = load_images(experiment.data, data)
    weights = initial_weights(experiment)
    classes, sizes = CLASSES[experiment.data.dataset], experiment.encoder.layers
    readout = RewardReadout(sum(sizes), classes, keyed_generator(seed, Purpose.READOUT, 2), rate)
    tally, curve = Tally(len(sizes), 0), _Curve(images)
    with torch.inference_mode():
        trainer = CompiledOnlineTrainer(experiment, images, weights, None)
        for first, last in _stretches(setting):
            right = 0
            for step in range(first, last):
                trainer.advance(step, tally)
                z = np.concatenate(trainer.z)
                right += readout.learn(z, int(images.train_labels[trainer.seen[step % BLOCK]]))
            z = np.concatenate(layer_features(weights, experiment, images.test_images), axis=1)
            curve.look(last, right / (last - first), readout.answer(z))
    return {**curve.found, "source": images.source}


def linear(setting: Setting, seed: int, learned: Path, data: str | None) -> Found:
    """Logistic regression, off the chip, on what the readout on the chip has heard."""
    program, _ = read_bundle(learned)
    images = load_images(_experiment(seed, 0).data, data)
    labelled = setting.labelled
    train, test = (
        np.concatenate(list(chip_features(program, some).values()), axis=1)
        for some in (images.train_images[:labelled], images.test_images)
    )
    named = logistic_predictions(train, images.train_labels[:labelled], test)
    curve = _Curve(images)
    curve.look(setting.looks[-1], 0.0, named)
    return {name: curve.found[name] for name in ("validation", "test")}


class _Curve:
    """Percent right of the images for choices, and of those on which nothing is chosen."""

    def __init__(self, images: ImageSet) -> None:
        self.labels = images.test_labels
        self.split = min(VALIDATION, len(self.labels) // 2)
        self.found: Found = {
            name: [] for name in ("fixations", "rewarded", "validation", "test", "patches")
        }
        self.found["tested"] = len(self.labels) - self.split

    def look(
        self, fixations: int, rewarded: float, named: np.ndarray, patches: np.ndarray | None = None
    ) -> None:
        """named (images,), patches (images, positions): classes of the test images."""
        right = named == self.labels
        self.found["fixations"].append(fixations)
        self.found["rewarded"].append(100 * rewarded)
        self.found["validation"].append(100 * float(right[: self.split].mean()))
        self.found["test"].append(100 * float(right[self.split :].mean()))
        if patches is not None:
            seen = patches[self.split :] == self.labels[self.split :, None]
            self.found["patches"].append(100 * float(seen.mean()))


def way(name: str) -> Callable[..., Found]:
    """The run of one of `readout_settings.WAYS`: (setting, seed, rate, learned, data) -> Found."""
    if name == "float":
        return lambda setting, seed, rate, _learned, data: in_float(setting, seed, rate, data)
    return lambda setting, seed, rate, learned, data: on_chip(
        setting, seed, rate, name, learned, data
    )


def _stretches(setting: Setting) -> list[tuple[int, int]]:
    return list(zip((0, *setting.looks), setting.looks, strict=False))


def _experiment(seed: int, steps: int) -> Experiment:
    chosen = {"mode": "online", "steps": steps, "seed": seed, "sgd_rate": ENCODER_RATE}
    return clapp_neuro.with_training(clapp_neuro.load_preset(PRESET), **chosen)
