"""What the readout on the chip says of images: the class of which it expects most.

One look at a patch is a fixation, and the chip's own critic knows one fixation only. The class of
an image is asked for after all its positions: whoever asks adds up the scores.
"""

from __future__ import annotations

import numpy as np

from clapp_neuro.verbs.sight import IMAGES_AT_ONCE, experiment_of, scan
from compiler.backends.simulator import infer
from compiler.frontends.checkpoint.readout import READOUT
from compiler.program import Program


def has_readout(program: Program) -> bool:
    """Whether the program names classes itself."""
    return any(p.name == READOUT for p in program.populations)


def scores(program: Program, images: np.ndarray) -> np.ndarray:
    """Scores of the classes, int64 (images, positions, classes), without noise.

    What the readout's dendrites collect in each fixation: the weights times the counts.
    """
    positions = experiment_of(program).data.positions
    heard = program.arriving[READOUT]
    parts = []
    for first in range(0, len(images), IMAGES_AT_ONCE):
        seen = scan(program, images[first : first + IMAGES_AT_ONCE])
        counts, _ = infer(program, seen, keep=tuple(s.source for s in heard))
        # products of integers far below 2^53: exact in float64, and fast
        added = sum(counts[s.source].astype(np.float64) @ s.weights.T for s in heard)
        parts.append(np.asarray(added, np.int64).reshape(-1, positions, added.shape[-1]))
    return np.concatenate(parts)


def answers(program: Program, images: np.ndarray) -> np.ndarray:
    """The class of each image, int64 (images,): that with the largest sum over the positions."""
    found: np.ndarray = scores(program, images).sum(1).argmax(1)
    return found
