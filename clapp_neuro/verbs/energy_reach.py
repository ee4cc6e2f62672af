"""What it costs to learn until a readout reaches a given accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clapp_neuro.data.images import ImageSet
from clapp_neuro.progress import Report
from clapp_neuro.readouts.logistic import logistic_readout
from clapp_neuro.verbs.sight import chip_features, experiment_of, gaze
from compiler import energy as costs
from compiler.backends.simulator import Result, simulate
from compiler.energy import Line
from compiler.program import Program
from compiler.targets import NeuromorphicMachine

FIRST = 50
"""Images before the readout is fitted anew; each stretch doubles what was seen."""


@dataclass(frozen=True)
class Reach:
    """Learning until `wanted` was reached, or until every learning image had been seen once.

    curve: (images learned from, accuracy in 0..1). dynamic and total: joules of all that learning,
    inference included, by a machine's name, of which labels are the words; the readout that judges
    it is not counted.
    """

    wanted: float
    reached: bool
    curve: tuple[tuple[int, float], ...]
    labels: dict[str, str] = field(default_factory=dict)
    dynamic: dict[str, Line] = field(default_factory=dict)
    total: dict[str, Line] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many images were learned from."""
        return self.curve[-1][0]

    @property
    def best(self) -> float:
        """The highest accuracy seen."""
        return max(accuracy for _, accuracy in self.curve)

    def sentence(self) -> str:
        """What was reached, after how much."""
        if self.images == 0:
            return f"accuracy {self.wanted:.1%}: reached before any learning ({self.best:.1%})"
        if self.reached:
            return f"accuracy {self.wanted:.1%}: reached after learning from {self.images:,} images"
        return (
            f"accuracy {self.wanted:.1%}: not reached by {self.images:,} images, the best was "
            f"{self.best:.1%}; what these took:"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows by machine."""
        rows: list[tuple[str, ...]] = [("to get there", "cores, dynamic", "total")]
        for name, line in self.total.items():
            rows.append((self.labels[name], str(self.dynamic[name]), str(line)))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "wanted": self.wanted,
            "reached": self.reached,
            "images": self.images,
            "curve": [list(point) for point in self.curve],
            "machines": {
                name: {"dynamic": self.dynamic[name].to_json(), "total": self.total[name].to_json()}
                for name in self.total
            },
        }


def learn_until(
    program: Program,
    seen: ImageSet,
    wanted: float,
    seed: int,
    machines: tuple[str, ...] | None,
    own: NeuromorphicMachine,
    readout_images: int,
    report: Report,
) -> Reach:
    """Let the program learn, in stretches that double, until its readout has the accuracy.

    machines: which to cost it on, beside the program's own; None: all.
    """
    positions = experiment_of(program).data.positions
    most = len(seen.learning_images)
    curve = [(0, _accuracy(program, seen, readout_images))]
    result: Result | None = None
    while curve[-1][1] < wanted and curve[-1][0] < most:
        done = curve[-1][0]
        stretch = min(max(done, FIRST), most - done)
        shown = gaze(program, seen, stretch * positions, seed, start=done * positions)
        result = simulate(program, shown, state=None if result is None else result.state)
        program = result.program
        curve.append((done + stretch, _accuracy(program, seen, readout_images)))
        report(curve[-1][0], most, f"{curve[-1][1]:.1%}")
    reached = curve[-1][1] >= wanted
    if result is None:
        return Reach(wanted, reached, tuple(curve))
    estimates = costs.compare(result.events, program, machines, own=own).estimates
    samples = {e.name: e.sample for e in estimates if e.sample is not None}
    return Reach(
        wanted=wanted,
        reached=reached,
        curve=tuple(curve),
        labels={e.name: e.label for e in estimates if e.name in samples},
        dynamic={name: sample.dynamic for name, sample in samples.items()},
        total={name: sample.total for name, sample in samples.items()},
    )


def _accuracy(program: Program, seen: ImageSet, images: int) -> float:
    """Test accuracy in 0..1 of a readout of the last layer's counts."""
    train = list(chip_features(program, seen.train_images[:images]).values())[-1]
    test = list(chip_features(program, seen.test_images[:images]).values())[-1]
    return logistic_readout(train, seen.train_labels[:images], test, seen.test_labels[:images])
