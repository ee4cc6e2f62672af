"""Random numbers by name: each (seed, purpose, counter) has a generator of its own.

Nothing that is drawn depends on what was drawn before, so a run that was interrupted goes on
with the very numbers it would have seen, and no generator state has to be stored.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What the numbers are for. The values are part of every result: never change them."""

    SACCADES = 1
    IMAGE_ORDER = 2
    BATCH_ORDER = 3
    BATCH_DRAWS = 4
    AUGMENTATION = 5
    PHOTOGRAPH_CROPS = 6
    NEGATIVES = 7
    READOUT = 8
    DRIFT = 9


def keyed_generator(seed: int, purpose: Purpose, counter: int) -> np.random.Generator:
    """The generator of (seed, purpose, counter): a Philox counter-based one."""
    key = np.random.SeedSequence((seed, int(purpose), counter))
    return np.random.Generator(np.random.Philox(key))
