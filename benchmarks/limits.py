"""What a step of the simulator would take if one thing alone bounded it, measured in the same run.

Memory: bytes of weights and tags that a step must move, over the rate at which numpy copies an
array as large as all of them (they lie in a cache). Additions: synaptic operations of a step, over
the rate of the simulator's own kernel on weights in the innermost cache. Dense: the same layers as
float32 matrix products over a batch, whatever the activity, as a dense engine would do it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from compiler.backends.simulator import infer, simulate
from compiler.backends.simulator.kernels.synapses import add_rows
from compiler.events import Events
from compiler.ir import Compartment
from compiler.program import Program
from compiler.trace import Stimulus

ADDED = 8192  # rows that one timing adds up
COPIED_AT_ONCE = 64 << 20  # bytes of one timing, so that a small array is copied often enough
BATCH = 512  # fixations of one dense product
REPEATS = 9


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """The median duration of `work`, after one call that does not count."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def inference_limits(program: Program, seen: Stimulus, step: float) -> dict[str, Any]:
    """Seconds a step, and a sentence each, for batched inference that takes `step`."""
    steps = program.timetable.steps
    operations = infer(program, seen)[1].inference.synaptic_operations / seen.fixations / steps
    size = sum(s.weights.nbytes for s in program.synapses)
    additions, dense = operations / _additions_per_second(), _dense_step(program)
    return {
        "synaptic_operations_a_step": operations,
        **_memory("inference", operations, size),  # one weight of one byte an operation
        "inference_additions_step": additions,
        "inference_additions_what": f"{operations:,.0f} synaptic additions, nothing else",
        "inference_dense_step": dense,
        "inference_dense_what": "the layers as dense float32 products (GEMM), without neurons",
        "share_of_limit": additions / step,
    }


def learning_limits(program: Program, learning: Stimulus, step: float) -> dict[str, Any]:
    """The same for learning: memory only, since every synapse that learns is read and written."""
    moved = _bytes_learned(simulate(program, learning).events)
    tags = sum(s.tags.nbytes for s in program.synapses if s.tags is not None)
    size = sum(s.weights.nbytes for s in program.synapses) + tags
    found = _memory("learning", moved / learning.fixations / program.timetable.period, size)
    return {**found, "learning_share_of_limit": found["learning_memory_step"] / step}


def _memory(kind: str, moved: float, size: int) -> dict[str, Any]:
    rate = _copied_bytes_per_second(size)
    return {
        f"{kind}_bytes_a_step": moved,
        f"{kind}_copy_bytes_a_second": rate,
        f"{kind}_memory_step": moved / rate,
        f"{kind}_memory_what": f"memory traffic, {moved:,.0f} bytes of {size:,} in a cache that "
        f"numpy copies at {1e-9 * rate:.0f} GB/s",
    }


def _additions_per_second() -> float:
    """Synaptic additions a second of the simulator's kernel, with nothing else to do."""
    rows, n_post = 64, 256  # weights that fit the innermost cache
    weights = np.ones(rows * n_post, np.int8)
    listed = np.tile(np.arange(rows, dtype=np.int32), ADDED // rows)[np.newaxis]
    total, number = np.zeros((1, n_post), np.int32), np.array([ADDED], np.int32)
    reached = np.zeros((1, 2), np.int64)

    def work() -> None:
        total[:] = 0
        add_rows(total, weights, 0, n_post, listed, number, reached)

    return ADDED * n_post / median_seconds(work, 10 * REPEATS)


def _dense_step(program: Program) -> float:
    """Seconds that PyTorch's products of one sample and step take, on one thread.

    A layer with a constant current multiplies once a fixation, one with spikes at each step.
    """
    steps = program.timetable.steps
    products = []
    for s in program.synapses:
        if s.compartment is not Compartment.SOMA:
            continue
        often = 1 if program.population(s.target).latched else steps
        n_post, n_pre = s.weights.shape
        products.append((torch.ones(BATCH * often, n_pre), torch.ones(n_pre, n_post)))

    def work() -> None:
        for spikes, weights in products:
            torch.mm(spikes, weights)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return median_seconds(work, REPEATS) / BATCH / steps
    finally:
        torch.set_num_threads(threads)


def _copied_bytes_per_second(size: int) -> float:
    """Bytes read and written a second when numpy copies an array of `size` bytes."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    calls = max(1, COPIED_AT_ONCE // size)

    def work() -> None:
        for _ in range(calls):
            np.copyto(target, source)

    return 2 * size * calls / median_seconds(work, REPEATS)


def _bytes_learned(events: Events) -> int:
    """Bytes of weights and tags that a run with learning reads and writes at least.

    A synaptic operation that is delivered reads one weight; an update reads and writes one 16-bit
    tag; a carry visits weight and tag, reads both and writes both.
    """
    delivered = sum(p.forward_operations + p.delivered_operations for p in events.projections)
    updates = sum(p.plastic_updates for p in events.projections)
    visits = sum(p.carry_visits for p in events.projections)
    return delivered + 2 * 2 * updates + 2 * (1 + 2) * visits
