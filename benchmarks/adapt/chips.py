"""The networks that meet a change, chips that have learned and float ones: each made once."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from scales import Scale

import clapp_neuro
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint
from clapp_neuro.data.drift import NEW_CLASSES, worlds
from clapp_neuro.data.fashion import IDX_FILES
from clapp_neuro.data.idx import write_idx_gz
from clapp_neuro.data.images import ImageSet, load_images
from clapp_neuro.files import write_whole_folder
from clapp_neuro.verbs.adaptation import learn_on
from compiler.bundle import read_bundle, write_bundle
from compiler.program import Program

NOISE_SEED = 0  # one noisy world for all chips


def world_pair(scale: Scale, drift: str, data: str | None) -> tuple[ImageSet, ImageSet]:
    """The old world and the new one."""
    images = load_images(clapp_neuro.load_preset(scale.preset).data, data)
    return worlds(images, drift, NOISE_SEED)


def grown(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Program:
    """The chip that has learned in the old world of a change."""
    path = folder / str(seed) / f"grown-{home(drift)}.clapp"
    if not path.exists():
        old, _ = world_pair(scale, drift, data)
        write_bundle(path, _raised(scale, seed, drift, old, folder, data))
    return read_bundle(path)[0]


def native(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Program:
    """The chip that began alike, and has learned from as many fixations of the new world."""
    _, new = world_pair(scale, drift, data)
    return _raised(scale, seed, drift, new, folder, data)


def _raised(
    scale: Scale, seed: int, drift: str, world: ImageSet, folder: Path, data: str | None
) -> Program:
    newborn = _newborn(scale, seed, drift, folder, data)
    (raised,) = learn_on(newborn, world, (scale.born,), seed)
    return raised.program


def _newborn(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Program:
    """The compiled network before it has learned, calibrated in the old world."""
    path = folder / str(seed) / f"start-{home(drift)}.clapp"
    if not path.exists():
        model = _trained(scale, seed, drift, folder, data, mode="online", steps=0)
        clapp_neuro.compile(model, "loihi2-sim", path, seed=seed)
    return read_bundle(path)[0]


def offline(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Checkpoint:
    """The float network, trained in minibatches on the old world."""
    return load_checkpoint(
        _trained(scale, seed, drift, folder, data, mode="batch", steps=scale.batches)
    )


def _trained(
    scale: Scale, seed: int, drift: str, folder: Path, data: str | None, mode: str, steps: int
) -> Path:
    path = folder / str(seed) / f"{mode}-{home(drift)}.pt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        preset = clapp_neuro.load_preset(scale.preset)
        chosen = clapp_neuro.with_training(preset, mode=mode, steps=steps, seed=seed)
        clapp_neuro.train(chosen, path, data=old_data(scale, drift, folder, data))
    return path


def home(drift: str) -> str:
    """The name of a change's old world: all but one change the same images."""
    return "old-classes" if drift == NEW_CLASSES else "all"


def old_data(scale: Scale, drift: str, folder: Path, data: str | None) -> str | None:
    """Where training finds the old world: with new classes, a folder of idx files of its own."""
    if drift != NEW_CLASSES:
        return data
    place = folder / home(drift)
    if not place.exists():
        old, _ = world_pair(scale, drift, data)
        arrays = (old.train_images, old.train_labels, old.test_images, old.test_labels)
        files = {}
        for (name, _), array in zip(IDX_FILES, arrays, strict=True):
            content = io.BytesIO()
            write_idx_gz(content, array.astype(np.uint8))
            files[f"{name}.gz"] = content.getvalue()
        write_whole_folder(place, files)
    return str(place)
