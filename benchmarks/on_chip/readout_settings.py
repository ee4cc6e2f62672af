"""What is measured of the readout on the chip: which layers, seeds, rates, when it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PRESET = "fashion-dense"
ENCODER_RATE = 2**-9  # what `make on-chip` chose for this preset
BY_POSITION = "-by-position"  # the name of a way with a readout for each position ends so
WAYS = {
    "learning": "on the chip, while the layers learn",
    "untrained": "on the chip, on layers that stay untrained",
    "learning-by-position": "a readout for each position, while the layers learn",
    "untrained-by-position": "a readout for each position, on layers that stay untrained",
    "float": "the same rule in float, while float layers learn online",
}
FITTED = ("learning", "untrained")  # beside which a linear readout of their layers is fitted


@dataclass(frozen=True)
class Setting:
    """rates: of the readout; validation chooses each way's own, on the first seed.

    looks: fixations after which the test images are named. labelled: images behind the linear
    readout that is fitted off the chip.
    """

    looks: tuple[int, ...]
    labelled: int
    seeds: tuple[int, ...]
    rates: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(self.__dict__)


FULL = Setting(
    looks=(5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 540_000),
    labelled=20_000,
    seeds=(0, 1, 2, 3, 4),
    rates=(0.0015, 0.003),
)
SCALES = {
    "full": FULL,
    "short": Setting(FULL.looks[:6], 5_000, FULL.seeds, (0.0015, 0.003)),
    "trial": Setting((300, 900), 300, (0, 1), (0.001, 0.002)),  # whether everything runs
}
