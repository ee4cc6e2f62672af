"""Runs the network on Lava and compares it with what the simulator of clapp-neuro computed.

    python run.py             shows the fixations of stimulus.npz, weights as they are
    python run.py --learn     the same, learning

Exit codes: 0 equal to the bit, 1 different, 2 it could not run.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

import numpy as np

from clapp_neuro.errors import InputError
from compiler.backends.lava.child_watch import ChildWatch, end_at_once
from compiler.backends.lava.compat import load_lava
from compiler.backends.lava.outcome import Outcome, outcome
from compiler.backends.lava.project.stored import read_arrays, read_program
from compiler.backends.lava.recording import Recording, time_steps
from compiler.connectivity import synapse_count
from compiler.parts import take_apart
from compiler.program import Program, Tally
from compiler.terms import Compartment

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Reads, runs, shows, compares."""
    parser = argparse.ArgumentParser(description="Run this network on Lava.")
    parser.add_argument("--learn", action="store_true", help="let the plastic synapses learn")
    learn: bool = parser.parse_args().learn
    program = read_program(HERE)
    if learn and not program.plastic:
        raise InputError("this network has no plastic synapses: leave --learn out")
    stimulus = read_arrays(HERE / "stimulus.npz")
    expected = read_arrays(HERE / ("expected_learning.npz" if learn else "expected.npz"))
    ended = run_on_lava(program, stimulus, learn)
    show(program, ended, learn)
    return 0 if equal(expected, found_in(program, ended, learn)) else 1


def run_on_lava(program: Program, stimulus: dict[str, np.ndarray], learn: bool) -> Outcome:
    """Builds the processes, runs every fixation, stops the processes."""
    load_lava()
    from compiler.backends.lava.build import Network  # imports Lava, so only now

    inputs = [p.name for p in program.populations if p.soma is None]
    intensities = {name: stimulus[f"{name}.intensities"] for name in inputs}
    signals = {name: stimulus[f"{name}.signal"] for name in program.modulators}
    fixations = min(len(shown) for shown in intensities.values())
    steps = time_steps(program, fixations)
    recording = Recording.of(program, learn, fixations, detailed=False)
    network = Network(
        program, intensities, signals, recording, learn=learn, guarded=False, last_step=steps
    )
    with network, ChildWatch(network, complain):
        network.run(steps)
    return outcome(program, recording, fixations)


def show(program: Program, ended: Outcome, learn: bool) -> None:
    """What happened in each layer."""
    steps, period = program.timetable.steps, program.timetable.period
    fixations = min(len(counts) for counts in ended.counts.values())
    print(f"{fixations} fixations, shown for {steps} steps each, a new one every {period} steps")
    inhibited = {s.target for s in program.synapses if s.compartment is Compartment.INHIBITION}
    for name, counts in ended.counts.items():
        mean, neurons = counts.mean(), f"{counts.shape[1]} neurons"
        if isinstance(program.population(name).soma, Tally):
            print(f"{name}: {neurons}, each counts {mean:.1f} spikes of its channel a fixation")
            continue
        spike = "a winner's spike" if learn and name in inhibited else "a spike"
        print(f"{name}: {neurons}, {spike} in {mean / steps:.1%} of their steps")
    for i, gate in enumerate(program.gates if learn else ()):
        opened = np.count_nonzero(ended.gates[:, i])
        print(f"{gate.name}: open after {opened} of {fixations} fixations")
    for before, after in zip(program.synapses, ended.program.synapses, strict=True):
        if learn and before.changes:
            moved = np.count_nonzero(after.weights != before.weights)
            tagged = 0 if before.tags is None else np.count_nonzero(after.tags != before.tags)
            below, above = (program.population(name).map for name in (before.source, before.target))
            size = synapse_count(before.connection, before.weights.shape, below, above)
            print(f"{before.name}: {moved} of {size} weights and {tagged} tags changed")


def found_in(program: Program, ended: Outcome, learn: bool) -> dict[str, np.ndarray]:
    """What is compared, by name: counts, last potentials, what was scored, gated and learned."""
    found = {f"{name}.counts": counts for name, counts in ended.counts.items()}
    found |= {f"{name}.potential": last for name, last in ended.potentials.items()}
    if learn:
        for i, gate in enumerate(program.gates):
            found[f"{gate.name}.scores"] = ended.scores[:, i]
            found[f"{gate.name}.gates"] = ended.gates[:, i]
        found |= take_apart(ended.program)[1]
    return found


def equal(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> bool:
    """Says whether all of it is the same, to the bit, and what differs."""
    if expected.keys() != found.keys():
        print(
            f"different: of {', '.join(sorted(expected.keys() ^ found.keys()))} there is one only"
        )
        return False
    differing = 0
    for name, value in expected.items():
        if value.shape != found[name].shape:
            print(f"{name}: shape {found[name].shape}, expected {value.shape}")
            differing += 1
            continue
        places = np.argwhere(value != found[name])
        differing += len(places)
        if len(places):
            first = tuple(int(i) for i in places[0])
            print(
                f"{name}: {len(places)} of {value.size} differ, the first at {list(first)}: "
                f"{found[name][first]}, expected {value[first]}"
            )
    compared = sum(value.size for value in expected.values())
    print(f"{'different' if differing else 'equal'}: {compared} values, {differing} differ")
    return differing == 0 and compared > 0


def complain(error: str) -> None:
    """Tells the reader what went wrong."""
    print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, lambda *_: end_at_once(2))  # Ctrl-C
    try:
        sys.exit(main())
    except InputError as error:
        complain(f"run.py: {error}")
        sys.exit(2)
