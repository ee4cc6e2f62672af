"""What is seen: images, patches, and the order of the gaze."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from clapp_neuro.config.part import Part, Positive, Rate
from clapp_neuro.errors import InputError

IMAGE_SIDES = {"fashion-mnist": 28, "stl10": 96}
"""Pixels along one side of a data set's square images."""

CLASSES = {"fashion-mnist": 10, "stl10": 10}

Pairs = tuple[tuple[int, ...], tuple[int, ...]]
"""Positions of the contexts, and of what is predicted from each."""


class DataConfig(Part):
    """Images and how they become a sequence of fixations.

    A grey image is cut into `patch`×`patch` windows every `stride` pixels, scanned down the
    columns (paper, Appendix B). `intensity` shows a pixel as its brightness in 0..1; `signed`
    normalises by `mean` and `std` (rate neurons only); `on-off` does so and shows the two signs
    as a pair of inputs (Appendix C). order: with `scan` the gaze goes on from the foot of a
    column to the top of the next, one sequence an image, as it does online; with `columns` each
    column is a sequence of its own, as in the paper's experiments.
    """

    dataset: Literal["fashion-mnist", "stl10"] = "fashion-mnist"
    images: Positive | None = None  # use only the first so many training images
    crop: Positive | None = None  # side of the crop, None: the whole image
    augment: bool = False  # batch mode: random crop and horizontal flip in place of the centre
    patch: Positive = 14
    stride: Positive = 7
    coding: Literal["intensity", "signed", "on-off"] = "intensity"
    mean: float = 0.0
    std: Rate = 1.0
    order: Literal["scan", "columns"] = "scan"

    @model_validator(mode="after")
    def _fits(self) -> DataConfig:
        full = IMAGE_SIDES[self.dataset]
        if self.side > full:
            raise InputError(f"crop {self.side} is larger than the {full}x{full} images")
        if self.positions < 2:
            raise InputError(
                f"patch {self.patch} with stride {self.stride} leaves {self.positions} fixation(s) "
                f"in a {self.side}x{self.side} image, but a prediction needs at least 2"
            )
        return self

    @property
    def side(self) -> int:
        """Pixels along one side of what is seen of an image."""
        return self.crop or IMAGE_SIDES[self.dataset]

    @property
    def grid(self) -> int:
        """Fixations along one side of an image."""
        return max(0, (self.side - self.patch) // self.stride + 1)

    @property
    def positions(self) -> int:
        """Fixations in one image."""
        return self.grid**2

    @property
    def channels(self) -> int:
        """Input neurons a pixel: two with on-off coding."""
        return 2 if self.coding == "on-off" else 1

    @property
    def inputs(self) -> int:
        """Input neurons of one patch."""
        return self.patch**2 * self.channels

    @property
    def sequence(self) -> int:
        """Fixations in a row without a jump: the whole image (scan) or a column."""
        return self.positions if self.order == "scan" else self.grid

    def pairs(self, distance: int, across: bool = False) -> Pairs:
        """All (context, predicted) positions of an image that are `distance` fixations apart.

        across: along the rows of the grid instead of in the order of the gaze.
        """
        if across:
            contexts = tuple(range(self.positions - distance * self.grid))
            return contexts, tuple(place + distance * self.grid for place in contexts)
        contexts = tuple(
            start + place
            for start in range(0, self.positions, self.sequence)
            for place in range(self.sequence - distance)
        )
        return contexts, tuple(position + distance for position in contexts)
