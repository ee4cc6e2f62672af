"""A worked example of each rule: two fixations, the change that is expected and that of the chip.

The expected change is the rule's in real numbers (`real_rule`), given the spikes that the chip
counts. The executed one is the mean over some seeds of stochastic rounding, by the simulator.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from compiler.backends.simulator import Result, infer, simulate
from compiler.ir import Network
from compiler.products import general
from compiler.program import TAG_UNITS, Program, Synapses
from compiler.real_rule import RealNetwork
from compiler.trace import Stimulus

PAIRS = 8  # of fixations, to choose from
LABELS = (1, -1)
DRAWS = (8, 64)  # at least and at most so many seeds ...
SYNAPSES = 1 << 22  # ... and in all about so many synapses


@dataclass(frozen=True)
class Example:
    """One projection. Changes of weights are in the source network's own units.

    synapse: (target, source) of the largest expected change. executed: mean over `draws` seeds,
    `error` its standard error. matrix: executed over expected change of the whole matrix, each
    synapse in the direction in which it should change; None where nothing should. clipped: post
    values of its target that were clipped, in all draws: what is executed is then too small.
    """

    projection: str
    label: int
    synapse: tuple[int, int]
    expected: float
    executed: float
    error: float
    matrix: float | None
    draws: int
    clipped: int

    def row(self) -> tuple[str, ...]:
        """Cells of a table: projection, synapse, expected, executed, whole matrix."""
        j, i = self.synapse
        if self.matrix is None:
            return (self.projection, "–", "0", f"{self.executed:.3g}", "gate closed or silent")
        executed = f"{self.executed:.4g} ± {self.error:.1g}"
        matrix = f"{self.matrix - 1:+.1%}" + (", post values clipped" if self.clipped else "")
        return (self.projection, f"[{j}, {i}]", f"{self.expected:.4g}", executed, matrix)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def worked_example(network: Network, program: Program) -> tuple[Example, ...]:
    """The example of each plastic projection; none for a static program.

    Nor for rules of spike times: what they change within a fixation changes its spikes.

    Of some fixed pairs of inputs, with both values of the broadcast signal, the one from which
    most projections learn.
    """
    if not program.plastic or any(general(s) for s in program.synapses):
        return ()
    label, stimulus, expected = _lesson(network, program)
    size = sum(s.weights.size for s in program.synapses)
    draws = int(np.clip(SYNAPSES // size, *DRAWS))
    seeds = [(program.seed + k) % 2**32 for k in range(draws)]
    runs = [simulate(replace(program, seed=seed), stimulus) for seed in seeds]
    return tuple(
        _example(network, program, runs, name, label, change) for name, change in expected.items()
    )


def _lesson(network: Network, program: Program) -> tuple[int, Stimulus, dict[str, np.ndarray]]:
    """The label and input from which most projections learn, the first such, and what they do."""
    best, found = -1, (0, Stimulus({}, {}), dict[str, np.ndarray]())
    for pair, label in product(range(PAIRS), LABELS):
        stimulus = _stimulus(program, pair, label)
        changes = _expected(network, program, stimulus)
        learning = sum(bool(change.any()) for change in changes.values())
        if learning > best:
            best, found = learning, (label, stimulus, changes)
        if learning == len(changes):
            break
    return found


def _stimulus(program: Program, pair: int, label: int) -> Stimulus:
    """Fixed numbers: the broadcast says nothing at the first fixation, `label` at the second."""
    random = np.random.default_rng(pair)
    seen = {
        p.name: random.integers(0, 256, (2, p.size)).astype(np.uint8)
        for p in program.populations
        if p.soma is None
    }
    return Stimulus(seen, {name: np.array([0, label], np.int8) for name in program.modulators})


def _expected(network: Network, program: Program, stimulus: Stimulus) -> dict[str, np.ndarray]:
    """The change of each plastic matrix in real numbers, given what the chip's neurons count."""
    counts, _ = infer(program, stimulus, threads=1)
    activity = {name: z / program.timetable.steps for name, z in counts.items()}
    for name, intensities in stimulus.intensities.items():
        activity[name] = intensities * network.population(name).scale
    real = RealNetwork(network)
    for f in range(stimulus.fixations):
        signals = {name: float(y[f]) for name, y in stimulus.signals.items()}
        real.fixation({name: z[f] for name, z in activity.items()}, signals)
    plastic = [p for p in network.projections if p.rule is not None]
    return {p.name: real.weights[p.name] - p.weights for p in plastic}


def _example(
    network: Network,
    program: Program,
    runs: list[Result],
    name: str,
    label: int,
    expected: np.ndarray,
) -> Example:
    index = next(k for k, s in enumerate(program.synapses) if s.name == name)
    before = program.synapses[index]
    unit = before.unit / TAG_UNITS / network.population(before.source).scale  # of the source
    row, column = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    total, clipped, drawn = np.zeros(expected.shape, np.int64), 0, []
    for run in runs:
        change = _tag_units(run.program.synapses[index]) - _tag_units(before)
        total += change
        drawn.append(change[row, column] * unit)
        clipped += sum(p.post_clipped for p in run.events.populations if p.name == before.target)
    mean = total * (unit / len(runs))
    magnitude = float(np.abs(expected).sum())
    return Example(
        projection=name,
        label=label,
        synapse=(int(row), int(column)),
        expected=float(expected[row, column]),
        executed=float(mean[row, column]),
        error=float(np.std(drawn, ddof=1) / np.sqrt(len(drawn))),
        matrix=float((mean * np.sign(expected)).sum()) / magnitude if magnitude else None,
        draws=len(drawn),
        clipped=clipped,
    )


def _tag_units(s: Synapses) -> np.ndarray:
    """Weights and tags together, int64."""
    assert s.tags is not None
    return TAG_UNITS * s.weights.astype(np.int64) + s.tags
