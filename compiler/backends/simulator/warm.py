"""Compiles the simulator's kernels ahead of time: `python -m compiler.backends.simulator.warm`.

numba keeps the machine code on disk, so this is needed once after an installation; without it the
first simulation does the same and says so.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from compiler.backends.simulator.engine import infer, simulate
from compiler.backends.simulator.interpreter import run_inference, run_learning
from compiler.ir import Compartment, Network, Neuron, Population, Projection, Schedule
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import schedule
from compiler.passes.quantizing.quantize import quantize
from compiler.program import Program
from compiler.trace import Stimulus


def cached() -> bool:
    """Whether compiled code for both entry points is in the cache (after it was loaded once)."""
    return all(sum(f.stats.cache_hits.values()) > 0 for f in (run_inference, run_learning))


def smallest_program() -> Program:
    """One input, one neuron, nothing plastic."""
    network = Network(
        (Population("input", 1, 0), Population("layer", 1, 1, Neuron(0.9, 1.0))),
        (Projection("forward", "input", "layer", Compartment.SOMA, np.ones((1, 1))),),
        Schedule(2),
    )
    quantized, _ = quantize(network, 127)
    plan = schedule(network)
    program, _ = lower_learning(quantized, plan, target="warm", seed=0, weight_max=127, tag_max=255)
    return program


def warm() -> float:
    """Runs one neuron once through every entry point; seconds that it took."""
    began = time.perf_counter()
    program = smallest_program()
    stimulus = Stimulus({"input": np.ones((1, 1), np.uint8)}, {})
    infer(program, stimulus)
    simulate(program, stimulus)
    return time.perf_counter() - began


if __name__ == "__main__":
    print("compiling the simulator's kernels, once after installation (a minute or two) ...")
    sys.stdout.flush()
    print(f"done in {warm():.1f} s")
