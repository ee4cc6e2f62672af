"""A worked example of each rule: two fixations, the change that is expected and that of the chip.

The expected change is the rule's in real numbers (`compiler.real_numbers`), given the spikes that
the chip counts. The executed one is the mean over some seeds of stochastic rounding, by the
simulator. Of a kernel it is the sum over its positions: of the copies, over how many times as
fast each learns. Rules of spike times have theirs in `spike_timing_example`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import torch

from clapp_neuro.encoders.layers import first_to_spike
from compiler.backends.simulator import simulate, trace
from compiler.ir import Connection, LearningRule, Map, Network
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.program import Program
from compiler.real_numbers.rule import RealNetwork
from compiler.real_numbers.traces import RealTraces, encoded
from compiler.trace import FixationTrace, Stimulus
from compiler.worked_examples.lower_part import lower_part, network_of
from compiler.worked_examples.row import Example, change, draws, largest, size, two_fixations
from compiler.worked_examples.spike_timing import spike_timing_example

PAIRS = 8  # of fixations, to choose from
LABELS = (1, -1)
LARGEST = 1 << 25  # synapses; beyond, an example would take longer than the compilation


def worked_example(network: Network, program: Program) -> tuple[Example, ...]:
    """The example of each plastic projection; none for a static program.

    Of more than LARGEST synapses those of a lower part.

    Of some fixed pairs of inputs, with both values of the broadcast signal, the one from which
    most projections learn.
    """
    if size(program) > LARGEST:
        program = lower_part(program, LARGEST)
        network = network_of(network, program)
    if not program.plastic:
        return ()
    # what a readout names must not be left to chance
    program = replace(program, gates=tuple(replace(g, noise=0) for g in program.gates))
    if any(isinstance(p.rule, SpikeTimingRule) for p in network.projections):
        return spike_timing_example(network, program)
    label, stimulus, expected = _lesson(network, program)
    drawn: dict[str, list[tuple[float, float]]] = {name: [] for name in expected}
    clipped = Counter[str]()
    for k in range(draws(program)):
        run = simulate(replace(program, seed=(program.seed + k) % 2**32), stimulus)
        for name, whole in expected.items():
            moved = change(network, program, run.program, name)
            drawn[name].append(_looked_at(moved, whole))
        clipped.update({p.name: p.post_clipped for p in run.events.populations})
    return tuple(
        _example(name, label, whole, drawn[name], clipped[_target(network, name)])
        for name, whole in expected.items()
    )


def unshown(program: Program) -> str:
    """Which worked examples there are not, of a program with so many synapses; empty for none."""
    synapses = size(program)
    if not program.plastic or synapses <= LARGEST:
        return ""
    some, learning = (
        sum(s.rule is not None for s in part.synapses)
        for part in (lower_part(program, LARGEST), program)
    )
    what = f"of the lowest {some} of {learning} projections that learn" if some else "left out"
    more = f"{synapses:,} synapses, more than {LARGEST:,}"
    return f"{what}: {more}, would take longer than all else"


def _lesson(network: Network, program: Program) -> tuple[int, Stimulus, dict[str, np.ndarray]]:
    """The label and input from which most projections learn, the first such, and what they do."""
    best, found = -1, (0, Stimulus({}, {}), dict[str, np.ndarray]())
    heard = {gate.modulator for gate in program.gates if gate.classes}
    for pair, label in product(range(PAIRS), LABELS):
        # nothing is said at the first fixation, and a critic hears the class that will be named
        signals = {
            name: np.array([-1, 0] if name in heard else [0, label], np.int8)
            for name in program.modulators
        }
        stimulus = two_fixations(program, pair, signals)
        changes = _expected(network, program, stimulus)
        learning = sum(bool(change.any()) for change in changes.values())
        if learning > best:
            best, found = learning, (label, stimulus, changes)
        if learning == len(changes):
            break
    return found


def _expected(network: Network, program: Program, stimulus: Stimulus) -> dict[str, np.ndarray]:
    """The change of each plastic matrix in real numbers, given what the chip's neurons count."""
    seen = list(trace(program, stimulus, learn=False))
    activity = [_activity(network, program, one) for one in seen]
    for name, intensities in stimulus.intensities.items():
        for z, shown in zip(activity, intensities, strict=True):
            z[name] = shown * network.population(name).scale
    real, traces = RealNetwork(network), _traces(network)
    for f in range(stimulus.fixations):
        signals = {name: float(y[f]) for name, y in stimulus.signals.items()}
        spikes = {name: fired.astype(np.float64) for name, fired in seen[f].spikes.items()}
        for name, intensities in stimulus.intensities.items():
            spikes[name] = encoded(intensities[f], network.schedule.steps)
        source = {p.name: p.source for p in network.projections}
        heard = {name: kept.fixation(spikes[source[name]]) for name, kept in traces.items()}
        real.fixation(activity[f], signals, heard)
    plastic = [p for p in network.projections if p.rule is not None]
    return {p.name: real.weights[p.name] - p.weights for p in plastic}


def _traces(network: Network) -> dict[str, RealTraces]:
    """What synapses know in place of counts, of each projection where they do."""
    return {
        p.name: RealTraces(p.rule.traces, network.schedule)
        for p in network.projections
        if isinstance(p.rule, LearningRule) and p.rule.traces is not None
    }


def _activity(network: Network, program: Program, seen: FixationTrace) -> dict[str, np.ndarray]:
    """z of every population that spikes, and of the means: of neighbours only the winner's."""
    z = {name: counts / program.timetable.steps for name, counts in seen.counts.items()}
    for p in network.projections:
        source, target = network.population(p.source), network.population(p.target)
        if p.connection is Connection.SUM:
            z[target.name] = z[source.name].reshape(target.size, -1).mean(1)
        elif p.connection is Connection.UNPOOL:
            z[target.name] = z[target.name] * _winners(seen.spikes[target.name], target.map)
    return z


def _winners(spikes: np.ndarray, shape: Map) -> np.ndarray:
    """bool (N,): who of each 2x2 neighbours has won, as in the reference; spikes (T, N)."""
    fired = torch.from_numpy(spikes).view(len(spikes), 1, *shape)
    won = torch.zeros(1, shape[0], shape[1] * shape[2], dtype=torch.bool)
    return won.scatter_(2, first_to_spike(fired).flatten(2), True).numpy().ravel()


def _target(network: Network, name: str) -> str:
    """The population on which a projection ends."""
    return next(p.target for p in network.projections if p.name == name)


def _looked_at(change: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """What an example says of one run: that synapse's change, and all in the expected direction."""
    return float(change[largest(expected)]), float((change * np.sign(expected)).sum())


def _example(
    name: str, label: int, expected: np.ndarray, drawn: list[tuple[float, float]], clipped: int
) -> Example:
    place = largest(expected)
    one, along = np.mean(drawn, axis=0)
    magnitude = float(np.abs(expected).sum())
    return Example(
        projection=name,
        label=label,
        synapse=tuple(int(i) for i in place),
        expected=float(expected[place]),
        executed=float(one),
        error=float(np.std([change for change, _ in drawn], ddof=1) / np.sqrt(len(drawn))),
        matrix=float(along) / magnitude if magnitude else None,
        draws=len(drawn),
        clipped=clipped,
    )
