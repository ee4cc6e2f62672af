"""An encoder between two worlds: it goes on learning in the new one, and is judged in both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clapp_neuro.checkpoint import Checkpoint
from clapp_neuro.data.drift import Images
from clapp_neuro.data.images import ImageSet
from clapp_neuro.readout import layer_features
from clapp_neuro.readouts.features import Features
from clapp_neuro.readouts.logistic import fit_logistic
from clapp_neuro.verbs.sight import chip_features, gaze
from compiler.backends.simulator import simulate
from compiler.program import Program

Encoder = Callable[[Images], Sequence[Features]]
"""Images (B, H, W) in, features (B, N) of each layer out."""

Readouts = tuple[Callable[[Features], Features], ...]
"""A fitted readout of each layer: features in, classes out."""

Right = tuple[npt.NDArray[np.bool_], ...]
"""By layer, whether each test image of a world is named rightly."""

Share = tuple[float, ...]
"""By layer, 0..1."""


@dataclass(frozen=True)
class Grown:
    """A chip that has learned on.

    gate: share of fixations since the look before that opened a gate, by gate. clipped: share of
    all post values of the run that were too large for their register.
    """

    program: Program
    gate: Share
    clipped: float


@dataclass(frozen=True)
class Answers:
    """What the readouts of one encoder name rightly.

    new, old: fitted on labelled images of that world, seen through this encoder. new_by_old: fitted
    so in the old world, tested in the new one. new_kept, old_kept: fitted in the old world before
    it changed, through the encoder of then, and not touched since. None where the new classes are
    not those that the readout knows.
    """

    new: Right
    old: Right
    new_by_old: Right | None
    new_kept: Right | None
    old_kept: Right


@dataclass(frozen=True)
class Accuracy:
    """Accuracies of `Answers`, by layer."""

    new: Share
    old: Share
    new_by_old: Share | None
    new_kept: Share | None
    old_kept: Share


def accuracy(answers: Answers, first: int = 0, end: int | None = None) -> Accuracy:
    """On the test images from `first` up to `end`; None is the last."""

    def share(right: Right) -> Share:
        return tuple(float(layer[first:end].mean()) for layer in right)

    return Accuracy(
        new=share(answers.new),
        old=share(answers.old),
        new_by_old=None if answers.new_by_old is None else share(answers.new_by_old),
        new_kept=None if answers.new_kept is None else share(answers.new_kept),
        old_kept=share(answers.old_kept),
    )


def fitted(encode: Encoder, world: ImageSet, labelled: int) -> Readouts:
    """Readouts fitted on the first `labelled` images of a world.

    Raises InputError where these are of a single class.
    """
    seen = encode(world.train_images[:labelled])
    return tuple(fit_logistic(x, world.train_labels[:labelled]) for x in seen)


def judge(
    encode: Encoder, old: ImageSet, new: ImageSet, labelled: int, kept: Readouts | None = None
) -> Answers:
    """What an encoder tells apart in both worlds.

    kept: the readouts of before the change; None for the encoder of then, whose own they are.
    """
    by_old, by_new = fitted(encode, old, labelled), fitted(encode, new, labelled)
    in_old, in_new = encode(old.test_images), encode(new.test_images)
    kept = by_old if kept is None else kept
    known = bool(np.isin(new.test_labels, old.train_labels).all())
    return Answers(
        new=_right(by_new, in_new, new),
        old=_right(by_old, in_old, old),
        new_by_old=_right(by_old, in_new, new) if known else None,
        new_kept=_right(kept, in_new, new) if known else None,
        old_kept=_right(kept, in_old, old),
    )


def _right(readouts: Readouts, features: Sequence[Features], world: ImageSet) -> Right:
    return tuple(read(x) == world.test_labels for read, x in zip(readouts, features, strict=True))


def chip_encoder(program: Program) -> Encoder:
    """The mean spike counts of a compiled program that does not learn meanwhile."""
    return lambda images: list(chip_features(program, images).values())


def float_encoder(network: Checkpoint) -> Encoder:
    """The mean activity of a float network, which learns nothing."""
    return lambda images: layer_features(network.weights, network.experiment, images)


def learn_on(
    program: Program,
    images: ImageSet,
    looks: Sequence[int],
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Grown]:
    """A chip that learns without labels, after each of so many fixations, which grow."""
    state, done = None, 0
    for end in looks:
        stimulus = gaze(program, images, end - done, seed, start=done)
        result = simulate(program, stimulus, state=state, progress=progress)
        opened = result.gates[done - end :] != 0
        program, state, done = result.program, result.state, end
        neurons = result.events.populations
        clipped = sum(p.post_clipped for p in neurons) / max(1, sum(p.post_writes for p in neurons))
        yield Grown(program, tuple(opened.mean(0).tolist()), clipped)
