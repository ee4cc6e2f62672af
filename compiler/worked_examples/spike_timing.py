"""Worked examples of rules of spike times: two fixations, expected and executed change of synapses.

Such a rule changes weights, and so spikes, within a fixation: each seed of rounding has a raster
of its own. The expected change is the rule's in real numbers (`compiler.real_numbers`) for that
raster, the executed one that of the same run; an example gives the means over the seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compiler.backends.simulator import Raster, learn_and_watch
from compiler.ir import Comparator, Network, Quantity
from compiler.program import Program
from compiler.real_numbers.rule import named_class
from compiler.real_numbers.spike_timing import RealSpikeTiming
from compiler.trace import Stimulus
from compiler.worked_examples.row import Example, change, draws, largest, two_fixations

PAIRS = 8  # of fixations, to choose from
NONE, REWARDED = -1, 1  # labels: no class, and for who is told whether it was right


def spike_timing_example(network: Network, program: Program) -> tuple[Example, ...]:
    """The example of each plastic projection.

    Of some fixed pairs of inputs, the one from which most projections learn. What rewards is
    positive: a critic is told that the class that the network names is the right one.
    """
    label, stimulus, first = _lesson(network, program)
    chosen = {name: largest(expected) for name, expected in first.items()}
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in first}
    clipped = Counter[str]()
    for k in range(draws(program)):
        seeded = replace(program, seed=(program.seed + k) % 2**32)
        learned, rasters, events = learn_and_watch(seeded, stimulus)
        expected = _expected(network, program, rasters, stimulus)
        for name, place in chosen.items():
            should, did = expected[name], change(network, program, learned, name)
            along = float((did * np.sign(should)).sum())
            whole = float(np.abs(should).sum())
            drawn[name].append(np.array([should[place], did[place], along, whole]))
        clipped.update({p.name: p.tag_clipped + p.weight_clipped for p in events.projections})
    return tuple(
        _example(name, label, place, np.array(drawn[name]), clipped[name])
        for name, place in chosen.items()
    )


def _lesson(
    network: Network, program: Program
) -> tuple[int | None, Stimulus, dict[str, np.ndarray]]:
    """The label and input from which most projections learn, the first such, and what they do."""
    best = -1
    found: tuple[int | None, Stimulus, dict[str, np.ndarray]] = None, Stimulus({}, {}), {}
    for label, stimulus in _lessons(network, program):
        _, rasters, _ = learn_and_watch(program, stimulus)
        changes = _expected(network, program, rasters, stimulus)
        learning = sum(bool(moved.any()) for moved in changes.values())
        if learning > best:
            best, found = learning, (label, stimulus, changes)
        if learning == len(changes):
            break
    return found


def _lessons(network: Network, program: Program) -> Iterator[tuple[int | None, Stimulus]]:
    critic = next((c for c in network.comparators if c.classes), None)
    for pair in range(PAIRS):
        label = REWARDED if program.modulators else None
        if critic is not None:
            untold = two_fixations(program, pair, _signals(program, NONE, NONE))
            label = _named(program, critic, untold)
        first = 0 if critic is None else NONE
        yield label, two_fixations(program, pair, _signals(program, first, label or 0))


def _signals(program: Program, first: int, second: int) -> dict[str, np.ndarray]:
    return {name: np.array([first, second], np.int8) for name in program.modulators}


def _named(program: Program, critic: Comparator, stimulus: Stimulus) -> int:
    """The class that the critic's population names at the second fixation."""
    _, rasters, _ = learn_and_watch(program, stimulus)
    counts = rasters[1][critic.population].sum(0)
    return named_class(critic, {Quantity.COUNT: counts})


def _expected(
    network: Network, program: Program, rasters: list[Raster], stimulus: Stimulus
) -> dict[str, np.ndarray]:
    """The change of each plastic matrix in real numbers, given what the chip's neurons do."""
    real = RealSpikeTiming(network, program.timetable.period)
    for f, raster in enumerate(rasters):
        real.fixation(raster, {name: float(y[f]) for name, y in stimulus.signals.items()})
    plastic = [p for p in network.projections if p.rule is not None]
    return {p.name: real.weights[p.name] - p.weights for p in plastic}


def _example(
    name: str, label: int | None, place: tuple[np.intp, ...], drawn: np.ndarray, clipped: int
) -> Example:
    """From a row a seed: expected, executed, executed along the whole matrix, expected of it."""
    should, did, along, whole = drawn.T
    return Example(
        projection=name,
        label=label,
        synapse=tuple(int(i) for i in place),
        expected=float(should.mean()),
        executed=float(did.mean()),
        error=float((did - should).std(ddof=1) / np.sqrt(len(drawn))),
        matrix=float(along.sum() / whole.sum()) if whole.any() else None,
        draws=len(drawn),
        clipped=clipped,
    )
