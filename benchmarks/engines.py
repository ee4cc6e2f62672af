"""Speed of the engines in one run on one machine, as ratios to Lava.

    python benchmarks/engines.py [--quick] [--json FILE]

196-256-256 neurons on Fashion-MNIST patches, 8 steps a fixation. Times are per time step (and
per sample for batched inference): medians of repeats after a warm-up. For learning, Lava runs
as it is (stock) and guarded: it then skips epochs that can change nothing, which is fairer.

Two bounds stand beside the simulator's times, each a count of this run over a rate measured in
it. Memory: bytes of weights and tags that a step must move, over the rate at which numpy copies
an array as large as all of them (they lie in a cache; main memory's rate is printed beside it).
Additions: synaptic operations of a step, over the rate at which the simulator's own kernel adds up
rows that lie in the innermost cache; what is left is neurons, spikes and finding the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import clapp_neuro
from clapp_neuro.files import write_whole
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends import lava
from compiler.backends.simulator import infer, simulate
from compiler.backends.simulator.kernels.synapses import add_rows
from compiler.bundle import read_bundle
from compiler.events import Events
from compiler.program import Program

BUSY = 0.3  # load average above which timings are not to be relied on
ADDED = 8192  # rows that one timing adds up
LARGE = 256 << 20  # bytes, beyond any cache
COPIED_AT_ONCE = 64 << 20  # bytes of one timing, so that a small array is copied often enough
STATIC, GUARDED = "lava_inference_step", "lava_learning_step_guarded"
ROWS = (
    ("inference, one thread", "inference_step_one_thread", STATIC, "inference_ratio_one_thread"),
    ("inference, all threads", "inference_step", STATIC, "inference_ratio"),
    ("learning, Lava guarded", "learning_step", GUARDED, "learning_ratio"),
    ("learning, Lava stock", "learning_step", "lava_learning_step_stock", "learning_ratio_stock"),
)


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """The median duration of `work`, after one call that does not count."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def programs(folder: Path) -> tuple[Program, Program]:
    """The untrained fashion-dense network, compiled plastic and static."""
    experiment = clapp_neuro.with_training(
        clapp_neuro.load_preset("fashion-dense"), mode="online", steps=0
    )
    clapp_neuro.train(experiment, folder / "model.pt")
    compiled = [
        clapp_neuro.compile(folder / "model.pt", static=static, out=folder / f"{static}.clapp")
        for static in (False, True)
    ]
    plastic, static = (read_bundle(c.path)[0] for c in compiled)
    return plastic, static


def additions_per_second(repeats: int) -> float:
    """Synaptic additions a second of the simulator's kernel, with nothing else to do."""
    rows, n_post = 64, 256  # weights that fit the innermost cache
    weights = np.ones(rows * n_post, np.int8)
    listed = np.tile(np.arange(rows, dtype=np.int32), ADDED // rows)[np.newaxis]
    total, number = np.zeros((1, n_post), np.int32), np.array([ADDED], np.int32)

    def work() -> None:
        total[:] = 0
        add_rows(total, weights, 0, n_post, listed, number)

    return ADDED * n_post / median_seconds(work, 10 * repeats)


def copied_bytes_per_second(size: int, repeats: int) -> float:
    """Bytes read and written a second when numpy copies an array of `size` bytes."""
    source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    calls = max(1, COPIED_AT_ONCE // size)

    def work() -> None:
        for _ in range(calls):
            np.copyto(target, source)

    return 2 * size * calls / median_seconds(work, repeats)


def bytes_learned(events: Events) -> int:
    """Bytes of weights and tags that a run with learning reads and writes at least.

    A synaptic operation that is delivered reads one weight; an update reads and writes one 16-bit
    tag; a carry visits weight and tag, reads both and writes both.
    """
    delivered = sum(p.forward_operations + p.delivered_operations for p in events.projections)
    updates = sum(p.plastic_updates for p in events.projections)
    visits = sum(p.carry_visits for p in events.projections)
    return delivered + 2 * 2 * updates + 2 * (1 + 2) * visits


def bound(kind: str, size: int, rate: float, moved: float, step: float) -> dict[str, float]:
    """What memory traffic alone takes of a step, at the copying rate of an array of `size`."""
    return {
        f"{kind}_bytes": size,
        f"{kind}_copy_bytes_a_second": rate,
        f"{kind}_bytes_a_step": moved,
        f"{kind}_memory_bound_step": moved / rate,
        f"{kind}_share_of_memory_bound": moved / rate / step,
    }


def measure(quick: bool) -> dict[str, Any]:
    """All figures; seconds unless the name says otherwise."""
    repeats = 3 if quick else 9
    load = os.getloadavg()[0]  # of others, before this run adds its own
    many, few, lava_fixations = (4_000, 2_000, 3) if quick else (20_000, 10_000, 12)
    with tempfile.TemporaryDirectory() as folder:
        plastic, static = programs(Path(folder))
    images = images_of(plastic, None)
    steps, period = static.timetable.steps, plastic.timetable.period
    seen, short = gaze(static, images, many, 0), gaze(static, images, lava_fixations * 10, 0)
    learning, brief = gaze(plastic, images, few, 0), gaze(plastic, images, lava_fixations, 0)
    one = median_seconds(lambda: infer(static, seen, threads=1), repeats) / many / steps
    both = median_seconds(lambda: infer(static, seen), repeats) / many / steps
    learn = median_seconds(lambda: simulate(plastic, learning), repeats) / few / period
    counted = infer(static, seen)[1].inference.synaptic_operations / many / steps
    moved = bytes_learned(simulate(plastic, learning).events) / few / period
    size = sum(s.weights.nbytes for s in static.synapses)
    tags = sum(s.tags.nbytes for s in plastic.synapses if s.tags is not None)
    plastic_size = sum(s.weights.nbytes for s in plastic.synapses) + tags
    cache = copied_bytes_per_second(size, repeats)
    plastic_cache = copied_bytes_per_second(plastic_size, repeats)
    memory = copied_bytes_per_second(LARGE, repeats)
    figures = {
        "inference_step_one_thread": one,
        "inference_step": both,
        "learning_step": learn,
        "lava_inference_step": lava.static_step_seconds(static, short),
        "lava_learning_step_guarded": lava.plastic_step_seconds(plastic, brief, guarded=True),
        "lava_learning_step_stock": lava.plastic_step_seconds(plastic, brief, guarded=False),
    }
    limit = counted / additions_per_second(repeats)
    return {
        **figures,
        "inference_ratio": figures["lava_inference_step"] / both,
        "inference_ratio_one_thread": figures["lava_inference_step"] / one,
        "learning_ratio": figures["lava_learning_step_guarded"] / learn,
        "learning_ratio_stock": figures["lava_learning_step_stock"] / learn,
        "synaptic_operations_a_step": counted,
        "inference_limit_step": limit,
        "share_of_limit": limit / one,
        "copy_bytes_a_second_in_memory": memory,
        **bound("inference", size, cache, counted, one),  # one weight of one byte an operation
        **bound("learning", plastic_size, plastic_cache, moved, learn),
        "quick": quick,
        "cpu": _cpu(),
        "threads": os.cpu_count(),
        "load_average": load,
        "python": platform.python_version(),
        "versions": {n: metadata.version(n) for n in ("numpy", "numba", "lava-nc")},
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    figures = measure(arguments.quick)
    print(f"{figures['cpu']}, {figures['versions']}")
    if figures["load_average"] > BUSY:
        print(f"Load average {figures['load_average']:.2f}: not idle, the ratios may be off.")
    print("\n| per time step | simulator | Lava | ratio |\n| --- | --- | --- | --- |")
    for title, ours, theirs, ratio in ROWS:
        mine, other = 1e6 * figures[ours], 1e6 * figures[theirs]
        print(f"| {title} | {mine:.2f} µs | {other:,.0f} µs | {figures[ratio]:,.0f} |")
    print(
        f"\nInference: {figures['synaptic_operations_a_step']:,.0f} synaptic operations a step; "
        f"the addition kernel alone takes {1e6 * figures['inference_limit_step']:.2f} µs, "
        f"{figures['share_of_limit']:.0%} of the time of one thread."
    )
    print(f"Main memory: numpy copies {1e-9 * figures['copy_bytes_a_second_in_memory']:.1f} GB/s.")
    for kind, ours in (("inference", "inference_step_one_thread"), ("learning", "learning_step")):
        print(
            f"Memory, {kind}: {figures[f'{kind}_bytes_a_step']:,.0f} bytes a step of "
            f"{figures[f'{kind}_bytes']:,} in cache, copied at "
            f"{1e-9 * figures[f'{kind}_copy_bytes_a_second']:.1f} GB/s: "
            f"{1e6 * figures[f'{kind}_memory_bound_step']:.2f} µs, "
            f"{figures[f'{kind}_share_of_memory_bound']:.0%} of the {1e6 * figures[ours]:.2f} µs "
            "that one thread takes."
        )
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
