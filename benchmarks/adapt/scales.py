"""What is measured: how long chips live, which changes they meet, how they may learn on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from clapp_neuro.data.drift import DRIFTS
from clapp_neuro.verbs.adapt import Setting

VALIDATION = 5_000
"""The first so many test images of a world, at most half, are for choices, the others held out."""

DEFAULT = Setting()
SETTINGS = (
    DEFAULT,
    Setting(margin=0.25),
    Setting(rate=0.25),
    Setting(every=8),
)
"""The default, then the most telling ones, in the order in which they are measured."""
FAR = Setting(margin=4.0)
"""What won back most on the validation images where the default did not win back enough."""


@dataclass(frozen=True)
class Scale:
    """Sizes of everything.

    born: fixations of the old world that a chip has learned from when the world changes. looks:
    fixations since the change at which the default setting is judged; tried: the one of them up to
    which the other settings learn, all but `far`: that one learns up to the last of `far_looks`,
    from the changes `far_drifts`. batches: minibatches of the float network's offline training.
    long: fixations of the long run, looked at `stretches` times.
    """

    preset: str
    born: int
    batches: int
    looks: tuple[int, ...]
    tried: int
    labelled: int
    seeds: tuple[int, ...]
    long: int
    stretches: int
    far_looks: tuple[int, ...]
    far_drifts: tuple[str, ...] = ("noise", "invert")
    drifts: tuple[str, ...] = DRIFTS
    settings: tuple[Setting, ...] = SETTINGS
    far: Setting = FAR

    def to_json(self) -> dict[str, Any]:
        """Plain data, the settings as they call themselves."""
        return {
            **asdict(self),
            "settings": [str(s) for s in self.settings],
            "far": str(self.far),
        }

    def ends(self, setting: Setting) -> tuple[int, ...]:
        """Fixations since the change at which a chip with this setting is judged."""
        if setting == self.far:
            return self.far_looks
        return self.looks if setting == DEFAULT else (self.tried,)


SCALES = {
    "full": Scale(
        preset="fashion-dense",
        born=540_000,  # each of 60,000 images has nine positions
        batches=1_000,
        looks=(54_000, 180_000),
        tried=54_000,
        labelled=5_000,
        seeds=(0, 1, 2),
        long=1_000_000,
        stretches=10,
        far_looks=(54_000, 180_000, 540_000),
    ),
    "trial": Scale(  # whether everything runs, in a minute
        preset="fashion-dense",
        born=900,
        batches=3,
        looks=(90, 180),
        tried=180,
        labelled=200,
        seeds=(0, 1),
        long=400,
        stretches=2,
        far_looks=(180, 270),
        far_drifts=("dim",),
        drifts=("dim", "new-classes"),
        settings=(DEFAULT, Setting(margin=0.25)),
    ),
}
