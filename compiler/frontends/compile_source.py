"""From a source graph to a compiled program, and from a user's samples to what it is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from clapp_neuro.errors import InputError
from compiler.frontends.lower import FULL, INPUTS, lower
from compiler.ir import Network
from compiler.pipeline import Compiled
from compiler.pipeline import compile_network as compile_for
from compiler.program import Program
from compiler.source import Graph
from compiler.targets import Target, load_target
from compiler.trace import Stimulus


def compile_network(
    source: Graph | Network,
    target: str | Target = "loihi2-sim",
    *,
    steps: int | None = None,
    inputs: str = "spikes",
    seed: int = 0,
) -> Compiled:
    """Compiles a source graph, or a network, for a target.

    steps, inputs: of a graph, as `compiler.frontends.lower` says: time steps a sample, and whether
    a sample is "intensities", "spikes" or "graded". seed: of the chip's random numbers.
    Raises InputError for what no program can compute, and for every limit of the target.
    """
    chosen = load_target(target) if isinstance(target, str) else target
    network = lower(source, steps, inputs) if isinstance(source, Graph) else source
    return compile_for(network, chosen, seed)


def stimulus(program: Program, samples: Any) -> Stimulus:
    """What a compiled graph is shown, a fixation a sample, from numbers in the source's own units.

    samples: (B, *shape) from 0 to 1 for intensities; (T, B, *shape) step by step, 0 or 1 for
    spikes, from -1 to 1 for graded inputs. Numbers are rounded to 8 bits.
    Raises InputError for another shape or range, and where there is not one input.
    """
    kind = program.provenance.get("inputs")
    inputs = [p for p in program.populations if p.soma is None]
    if kind not in INPUTS or len(inputs) != 1:
        raise InputError("the program was not compiled from a graph: make the stimulus by hand")
    given, source = np.asarray(samples, np.float64), inputs[0]
    steps = () if kind == "intensities" else (program.timetable.steps,)
    axes = len(steps) + 1
    fits = given.ndim >= axes and given.shape[: len(steps)] == steps
    if not fits or np.prod(given.shape[axes:]) != source.size:
        wanted = "(steps, samples, ...)" if steps else "(samples, ...)"
        raise InputError(
            f"samples have shape {given.shape}: give {wanted} with {source.size} values each"
            + (f", for {steps[0]} steps" if steps else "")
        )
    low, high = (-1 if kind == "graded" else 0), 1
    if not np.isfinite(given).all() or given.min(initial=0) < low or given.max(initial=0) > high:
        raise InputError(f"samples go from {given.min():g} to {given.max():g}: give {low} to 1")
    if kind == "spikes" and ((given != 0) & (given != 1)).any():
        raise InputError("samples hold numbers between 0 and 1: spikes are 0 or 1")
    rounded = np.rint(given * (1 if kind == "spikes" else FULL))
    flat = rounded.reshape(*given.shape[:axes], source.size)
    if not steps:
        return Stimulus({source.name: flat.astype(np.uint8)}, {})
    return Stimulus({source.name: np.swapaxes(flat, 0, 1).astype(np.int16)}, {})
