"""What the readout on the chip says of images: the class of which it expects most.

One look at a patch is a fixation, and the chip's own critic knows one fixation only. The class of
an image is asked for after all its positions: whoever asks adds up the scores.
"""

from __future__ import annotations

import numpy as np

from clapp_neuro.verbs.sight import IMAGES_AT_ONCE, experiment_of, readouts, scan
from compiler.backends.simulator import infer
from compiler.program import Program


def has_readout(program: Program) -> bool:
    """Whether the program names classes itself."""
    return bool(readouts(program))


def scores(program: Program, images: np.ndarray) -> np.ndarray:
    """Scores of the classes, int64 (images, positions, classes), without noise.

    What the dendrites of a position's readout collect: the weights times the counts.
    """
    positions = experiment_of(program).data.positions
    named = readouts(program)
    asked = named * positions if len(named) == 1 else named
    heard = [[s for s in program.arriving[name] if not s.paired] for name in asked]
    sources = {s.source for some in heard for s in some}
    parts = []
    for first in range(0, len(images), IMAGES_AT_ONCE):
        seen = scan(program, images[first : first + IMAGES_AT_ONCE])
        counts, _ = infer(program, seen, keep=tuple(sorted(sources)))
        # products of integers far below 2^53: exact in float64, and fast
        grid = {
            name: counts[name].astype(np.float64).reshape(-1, positions, counts[name].shape[1])
            for name in sources
        }
        said = [
            sum(grid[s.source][:, position] @ s.weights.T for s in some)
            for position, some in enumerate(heard)
        ]
        parts.append(np.stack(said, axis=1).astype(np.int64))
    return np.concatenate(parts)


def answers(program: Program, images: np.ndarray) -> np.ndarray:
    """The class of each image, int64 (images,): that with the largest sum over the positions."""
    found: np.ndarray = scores(program, images).sum(1).argmax(1)
    return found
