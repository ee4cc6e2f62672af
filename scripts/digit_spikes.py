"""Spikes of handwritten digits coded for sequential MNIST, where MNIST itself is not at hand.

    python scripts/digit_spikes.py [IMAGES]

scikit-learn's 8 x 8 digits, enlarged to 20 x 20 in a frame of 28 x 28 as MNIST's are, are read row
by row. Grey levels lie evenly in 0..255, 40 of them with both ends; for each one between the ends
an input spikes where the grey value rises to it from one pixel to the next, and another where it
falls below; one spikes at every pixel of 255 (github.com/intel-nrc-ecosystem/models,
smnist_tutorial). The cue's spikes are not among them.
"""

from __future__ import annotations

import sys

import numpy as np
from skimage.transform import resize
from sklearn.datasets import load_digits

LEVELS = np.linspace(0, 255, 40)[1:-1]
INPUTS, STEPS_WITH_INK = 80, 547
ENLARGED = {"nearest": 0, "bilinear": 1, "bicubic": 3}


def spikes(image: np.ndarray) -> int:
    """Crossings of all levels in both directions, and pixels of 255; image (28, 28) in 0..255."""
    pixels = image.reshape(-1)
    above = pixels[:, None] >= LEVELS
    before = np.concatenate([np.zeros((1, len(LEVELS)), bool), above[:-1]])
    return int(np.count_nonzero(above != before) + np.count_nonzero(pixels == 255))


def framed(digit: np.ndarray, order: int) -> np.ndarray:
    """A digit (8, 8) in 0..16 as MNIST has them: (28, 28) in 0..255."""
    image = np.zeros((28, 28))
    image[4:24, 4:24] = np.clip(resize(digit / 16, (20, 20), order=order, mode="edge"), 0, 1)
    return np.floor(image * 255)


def main() -> None:
    """Prints spikes an image and the rate an input and step, for three ways to enlarge."""
    digits = load_digits().images[: int(sys.argv[1]) if len(sys.argv) > 1 else 300]
    for name, order in ENLARGED.items():
        counts = np.array([spikes(framed(digit, order)) for digit in digits])
        low, high = np.percentile(counts, (5, 95))
        rate = counts.mean() / (INPUTS * STEPS_WITH_INK)
        print(
            f"{name}: {counts.mean():,.0f} spikes an image (90 % of images: {low:,.0f} to "
            f"{high:,.0f}), {rate:.4f} an input and step with ink"
        )


if __name__ == "__main__":
    main()
