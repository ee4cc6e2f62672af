"""What is measured of one chip: as it was, while it learns on, or grown up in the new world."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from chips import grown, native, offline, world_pair
from scales import DEFAULT, VALIDATION, Scale

from clapp_neuro.data.images import ImageSet
from clapp_neuro.verbs.adapt import Setting, tuned
from clapp_neuro.verbs.adaptation import (
    Encoder,
    Readouts,
    accuracy,
    chip_encoder,
    fitted,
    float_encoder,
    judge,
    learn_on,
)
from clapp_neuro.verbs.sight import chip_features
from compiler.program import Program

Found = dict[str, Any]
LOOKED_AT = 1_000


def course(
    scale: Scale, seed: int, drift: str, setting: Setting, folder: Path, data: str | None
) -> Found:
    """The chip when the world changed, and at each look while it learns on in the new one."""
    old, new = world_pair(scale, drift, data)
    return _looks(scale, seed, drift, setting, old, new, new, folder, data)


def unchanged(
    scale: Scale, seed: int, drift: str, setting: Setting, folder: Path, data: str | None
) -> Found:
    """The chip that learns on in the old world, as if nothing had changed."""
    old, new = world_pair(scale, drift, data)
    return _looks(scale, seed, drift, setting, old, new, old, folder, data)


def raised_there(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Found:
    """The chip that knows nothing but the new world."""
    old, new = world_pair(scale, drift, data)
    chip = native(scale, seed, drift, folder, data)
    return _judged(chip_encoder(chip), old, new, scale.labelled)


def pixels(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Found:
    """No encoder at all: the same readout of the images themselves."""
    old, new = world_pair(scale, drift, data)
    return _judged(lambda seen: [seen.reshape(len(seen), -1) / 255], old, new, scale.labelled)


def network(scale: Scale, seed: int, drift: str, folder: Path, data: str | None) -> Found:
    """The float network trained offline on the old world."""
    old, new = world_pair(scale, drift, data)
    encode = float_encoder(offline(scale, seed, drift, folder, data))
    return _judged(encode, old, new, scale.labelled)


def _looks(
    scale: Scale,
    seed: int,
    drift: str,
    setting: Setting,
    old: ImageSet,
    new: ImageSet,
    seen: ImageSet,
    folder: Path,
    data: str | None,
) -> Found:
    chip = grown(scale, seed, drift, folder, data)
    kept = fitted(chip_encoder(chip), old, scale.labelled)
    ends = scale.ends(setting)

    def look(learned: Program, fixations: int, **more: Any) -> Found:
        found = _judged(chip_encoder(learned), old, new, scale.labelled, kept)
        return {"fixations": fixations, **more, **found, **_dead(learned, new)}

    learning = zip(ends, learn_on(tuned(chip, setting), seen, ends, seed), strict=True)
    return {
        "frozen": look(chip, 0) if seen is new and setting == DEFAULT else None,
        "looks": [look(on.program, end, gate=on.gate) for end, on in learning],
    }


def _judged(
    encode: Encoder, old: ImageSet, new: ImageSet, labelled: int, kept: Readouts | None = None
) -> Found:
    """Accuracies by layer: `validation` for choices, `test` for reports."""
    answers = judge(encode, old, new, labelled, kept)
    choices = min(VALIDATION, len(old.test_labels) // 2)
    return {
        "validation": asdict(accuracy(answers, 0, choices)),
        "test": asdict(accuracy(answers, choices)),
        "tested": len(new.test_labels) - choices,
        "source": old.source,
    }


def _dead(chip: Program, world: ImageSet) -> Found:
    """Neurons by layer that none of the first test images of a world makes spike."""
    seen = chip_features(chip, world.test_images[:LOOKED_AT])
    return {"dead": [int(np.sum(~layer.any(axis=0))) for layer in seen.values()]}
