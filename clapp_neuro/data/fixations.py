"""The agent's gaze: which patch of which image is seen, and whether a saccade led there.

Random access: every coin and every shuffle is keyed by (seed, purpose, counter), so the stream
from `start` on is the tail of the stream from 0, whatever was computed before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from clapp_neuro.errors import InputError
from clapp_neuro.randomness import Purpose, keyed_generator

WORDS_PER_BLOCK = 1024
COINS_PER_BLOCK = 64 * WORDS_PER_BLOCK


class Fixations(NamedTuple):
    """A stretch of the stream; three arrays of one length."""

    image: npt.NDArray[np.int64]  # index of the image
    position: npt.NDArray[np.int64]  # index of the patch in the image
    label: npt.NDArray[np.int8]  # y: +1 same image, -1 after a saccade, 0 nothing to predict from


def fixation_stream(
    images: int, positions: int, fixations: int, seed: int, start: int = 0
) -> Fixations:
    """Fixations `start` to `start + fixations - 1` of the endless stream.

    The position advances cyclically. At every fixation a fair coin decides: stay on the image
    (label +1) or go to the next image of a shuffled order (label −1; with more than one image
    never the same one). "With saccade probability 0.5 at any time step" (paper, Appendix B).
    The very first fixation has the label 0: there is nothing to predict from.

    Raises InputError without images, with fewer than 2 positions, or for negative counts.
    """
    if images < 1:
        raise InputError("there are no images to look at: give at least one")
    if positions < 2:
        raise InputError(f"an image of {positions} position(s) has no sequence: 2 are needed")
    if fixations < 0 or start < 0:
        raise InputError(f"fixations ({fixations}) and start ({start}) cannot be negative")
    stop = start + fixations
    coins = _coins(seed, start, stop)
    saccades = _saccades_before(seed, start) + np.cumsum(coins, dtype=np.int64)
    label = np.where(coins, -1, 1).astype(np.int8)
    if start == 0 and fixations:
        label[0] = 0
    position = np.arange(start, stop, dtype=np.int64) % positions
    return Fixations(_images_at(seed, images, saccades), position, label)


def _block(seed: int, block: int) -> npt.NDArray[np.uint8]:
    """One block of coins, 1 = saccade; the stream's very first coin is never a saccade."""
    words = keyed_generator(seed, Purpose.SACCADES, block).bit_generator.random_raw(WORDS_PER_BLOCK)
    coins = np.unpackbits(words.astype("<u8").view(np.uint8))
    if block == 0:
        coins[0] = 0
    return coins


def _coins(seed: int, start: int, stop: int) -> npt.NDArray[np.bool_]:
    first, last = start // COINS_PER_BLOCK, -(-stop // COINS_PER_BLOCK)
    blocks = [_block(seed, block) for block in range(first, last)]
    if not blocks:
        return np.zeros(0, dtype=np.bool_)
    offset = first * COINS_PER_BLOCK
    return np.concatenate(blocks)[start - offset : stop - offset].astype(np.bool_)


def _saccades_before(seed: int, start: int) -> int:
    whole, rest = divmod(start, COINS_PER_BLOCK)
    count = sum(int(_block(seed, block).sum()) for block in range(whole))
    return count + (int(_block(seed, whole)[:rest].sum()) if rest else 0)


def _images_at(seed: int, images: int, saccades: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The image seen after so many saccades."""
    if images <= 2:
        # one image is always the same; two can only alternate
        return saccades % images
    result = np.empty_like(saccades)
    rounds = saccades // images
    for number in np.unique(rounds):
        chosen = rounds == number
        result[chosen] = image_order(seed, images, int(number))[saccades[chosen] % images]
    return result


def image_order(seed: int, images: int, number: int) -> npt.NDArray[np.int64]:
    """The shuffled order of round `number` through all images, int64[images].

    From three images on, a round never begins with the image on which the round before ended:
    in that case its first two are exchanged, which leaves its own last image alone.
    """
    order = keyed_generator(seed, Purpose.IMAGE_ORDER, number).permutation(images)
    if number > 0 and images > 2:
        before = keyed_generator(seed, Purpose.IMAGE_ORDER, number - 1).permutation(images)
        if order[0] == before[-1]:
            order[[0, 1]] = order[[1, 0]]
    return order.astype(np.int64)
