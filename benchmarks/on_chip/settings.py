"""What is measured: networks, seeds, rates of the reference, ways of learning on the chip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

VALIDATION = 5_000
"""The first so many test images are for choices; all others are held out."""

STRETCHES = 50  # of a learning curve
LAST = STRETCHES // 5  # stretches over which a loss is taken


@dataclass(frozen=True)
class Lowering:
    """One way from an update to an 8-bit weight.

    consolidation, every: of `compile`. shared: one random number for all synapses of an epoch, as
    Lava's stock engine draws. kernels: of `compile`, where it is not the network's.
    """

    title: str
    consolidation: str = "carry"
    every: int | None = None
    shared: bool = False
    kernels: str | None = None


LAVA = "lava"  # the name of a comparison with it, among those of lowerings
DEFAULT = "carry"
# The most telling first: they are measured in this order.
LOWERINGS = {
    DEFAULT: Lowering("tag, carried by its sign every 512 time steps (default)"),
    "direct": Lowering("no tag: each update rounded into the weight", "direct"),
    "pair-32": Lowering("no tag: pair of 8-bit synapses, high and low", "pair", every=32),
    "batch-32": Lowering("batch of 32: tag, all of it rounded into the weight", "transfer"),
    "carry-8": Lowering("default, carried every 8 fixations", every=8),
    "stock": Lowering("default, one random number an epoch (stock Lava)", shared=True),
    "stock-direct": Lowering("no tag, one random number an epoch", "direct", shared=True),
    "batch-8": Lowering("batch of 8", "transfer", every=8),
    "tied-averaged": Lowering(
        "default, copies of a kernel averaged every 32 fixations", kernels="tied-averaged"
    ),
}


@dataclass(frozen=True)
class Network:
    """A preset with everything that one network of it needs.

    rates: of which validation chooses the reference's, on the first `choosing` seeds; `fastest`: of
    those up to it, since `compile` refuses faster ones for some way to learn. lowerings: beside the
    default, on the first `compared` seeds. prefix: so many fixations of the first seed are compared
    with Lava, learning; 0 for none. target: what is compiled for.
    """

    preset: str
    fixations: int
    labelled: int
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    choosing: int = 2
    compared: int = 3
    lowerings: tuple[str, ...] = ()
    kernels: str = "untied"
    prefix: int = 60
    target: str = "loihi2-sim"
    fastest: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return dict(self.__dict__)


RATES = (2**-11, 2**-10, 2**-9, 2**-8)
FOR_MAPS = ("tied-averaged",)
# Synapses that know spikes by exponential traces, on a machine without graded spikes: as long a run
# as that of counts, `dense`. A higher rate than these the compiler refuses: a step of W_pred would
# not fit the accumulator.
TRACES = Network(
    "fashion-traces",
    fixations=540_000,
    labelled=20_000,
    seeds=(0, 1, 2, 3, 4),
    rates=RATES[:2],
    choosing=1,
    prefix=4,
    target="binary-spikes-sim",
)
FULL = {
    "dense": Network(
        "fashion-dense",
        fixations=540_000,  # each of 60,000 images has nine positions
        labelled=20_000,
        seeds=(0, 1, 2, 3, 4),
        rates=RATES,
        choosing=5,
        compared=5,
        lowerings=tuple(name for name in LOWERINGS if name not in (DEFAULT, *FOR_MAPS)),
    ),
    "dense-3": Network("fashion-dense-3", 540_000, 20_000, (0, 1, 2, 3, 4), RATES, choosing=5),
    "conv": Network(
        "fashion-conv-chip",
        540_000,
        20_000,
        (0, 1, 2, 3, 4),
        RATES,
        compared=5,
        lowerings=FOR_MAPS,
        prefix=4,  # Lava takes seconds for one
        fastest=RATES[2],
    ),
    "traces": TRACES,
}
SCALES = {
    "full": FULL,
    "short": {
        "dense": FULL["dense"],
        "dense-3": FULL["dense-3"],
        "conv": replace(
            FULL["conv"],
            fixations=60_000,
            labelled=5_000,
            rates=RATES[2:],
            choosing=1,
        ),
        "traces": TRACES,
    },
    "trial": {  # whether everything runs, in a minute
        "dense": replace(
            FULL["dense"],
            fixations=900,
            labelled=300,
            seeds=(0, 1),
            rates=RATES[1:3],
            choosing=1,
            compared=1,
            prefix=4,
        ),
    },
}
