"""Whether a spike costs what its synapses cost: time against spikes x fan-out, over decades.

    python benchmarks/spikes.py [--json FILE]

A layer of inputs spikes at every step of a fixation, as many of them as asked, onto a layer whose
size is the fan-out; one thread of the simulator. What is fitted is how the time of a step, less
that of a step without spikes, grows with the synaptic additions of the step: an exponent of 1 is
linear, less says that single spikes cost more than their share. Where additions take less than a
tenth of that, neurons and the loop around them are all that is seen, and they are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import cpu_name

from clapp_neuro.files import write_whole
from compiler.backends.simulator.engine import Machine
from compiler.backends.simulator.interpreter import run_inference
from compiler.backends.simulator.shown import stimulus_arrays
from compiler.ir import Compartment, Network, Neuron, Population, Projection, Schedule
from compiler.pipeline import compile_network
from compiler.program import Program
from compiler.targets import load_target
from compiler.trace import Stimulus

INPUTS = 1024
FAN_OUTS = (64, 256, 1024, 4096)
SPIKES = (1, 4, 16, 64, 256, 1024)
STEPS = 32
ROUNDS = 7


def layer(fan_out: int) -> Program:
    """Inputs that spike, and neurons with random weights that they drive."""
    weights = np.random.default_rng(0).uniform(-1, 1, (fan_out, INPUTS))
    network = Network(
        (
            Population("input", INPUTS, 0, spikes=True),
            Population("layer", fan_out, 1, Neuron(0.9, 1.0)),
        ),
        (Projection("forward", "input", "layer", Compartment.SOMA, weights),),
        Schedule(STEPS),
    )
    return compile_network(network, load_target("loihi2-sim")).program


def step_seconds(machine: Machine, spikes: int) -> tuple[float, float]:
    """(shortest time of a step, synaptic additions of a step) with so many inputs at their most."""
    random = np.random.default_rng(spikes)
    shown = np.zeros((1, INPUTS), np.uint8)
    shown[0, random.permutation(INPUTS)[:spikes]] = 255
    stimulus = Stimulus({"input": shown}, {})
    ready = stimulus_arrays(machine.program, machine.layout, stimulus)
    given = (ready.intensities, ready.sequences)
    kept, counts = np.zeros(0, np.int64), np.zeros((1, 0), np.uint8)
    work = (machine.layout.operations, 0, machine.clock, given, machine.inputs, machine.working)
    shortest, repeats = float("inf"), 1
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(repeats):
            run_inference(*work, machine.recorded, kept, counts)
        each = (time.perf_counter() - began) / repeats
        shortest, repeats = min(shortest, each), max(1, int(0.02 / max(each, 1e-6)))
    fired = int(machine.working.n_fired[0].sum())
    return shortest / STEPS, fired * machine.program.population("layer").size / STEPS


def measure() -> dict[str, Any]:
    """Every fan-out and number of spikes, and the exponents that fit them."""
    rows = []
    for fan_out in FAN_OUTS:
        machine = Machine(layer(fan_out), learn=False)
        idle, _ = step_seconds(machine, 0)
        for spikes in SPIKES:
            seconds, additions = step_seconds(machine, spikes)
            rows.append(
                {
                    "fan_out": fan_out,
                    "spikes": spikes,
                    "additions_a_step": additions,
                    "step_seconds": seconds,
                    "idle_step_seconds": idle,
                }
            )
    fitted = [r for r in rows if r["step_seconds"] > 1.1 * r["idle_step_seconds"]]
    additions = np.log([r["additions_a_step"] for r in fitted])
    beyond = np.log([r["step_seconds"] - r["idle_step_seconds"] for r in fitted])
    whole = np.log([r["step_seconds"] for r in rows])
    every = np.log([r["additions_a_step"] for r in rows])
    return {
        "exponent": float(np.polyfit(additions, beyond, 1)[0]),
        "exponent_of_whole_step": float(np.polyfit(every, whole, 1)[0]),
        "decades": float(np.ptp(additions) / np.log(10)),
        "rows": rows,
        "cpu": cpu_name(),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    figures = measure()
    print(f"{figures['cpu']}\n\n| fan-out | spikes | additions a step | µs a step | ns each |")
    print("| --- | --- | --- | --- | --- |")
    for row in figures["rows"]:
        beyond = row["step_seconds"] - row["idle_step_seconds"]
        print(
            f"| {row['fan_out']:,} | {row['spikes']:,} | {row['additions_a_step']:,.0f} | "
            f"{1e6 * row['step_seconds']:.2f} | {1e9 * beyond / row['additions_a_step']:.3f} |"
        )
    print(
        f"\ntime beyond a step without spikes grows as additions^{figures['exponent']:.3f} over "
        f"{figures['decades']:.1f} decades (whole steps: {figures['exponent_of_whole_step']:.3f})"
    )
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
