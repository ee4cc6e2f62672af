"""What a convolution costs beside the same number of synaptic additions in a dense layer.

    python benchmarks/convolution.py [--json FILE]

Both run the simulator's own kernels, one thread, the steps of one fixation: random spikes through
shared kernels (borders and the list of positions included), and a dense layer with the same
weights and rate of spikes: each of its neurons sees what a neuron away from the border sees. The
dense layer runs once for each position, and times are divided by the additions made. Layers are
those of fashion-conv and of stl10-vgg6. The two take turns, and a ratio is the median of the
rounds' ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import cpu_name

from clapp_neuro.files import write_whole
from compiler.backends.simulator.kernels.maps import add_map, list_positions
from compiler.backends.simulator.kernels.synapses import add_rows

STEPS = 8
KERNEL = 3
ROUNDS = 9
LAYERS = {  # (C_in, C_out, side)
    "fashion-conv, layer 2": (32, 64, 8),
    "fashion-conv, layer 3": (64, 128, 4),
    "stl10-vgg6, layer 2": (128, 256, 16),
    "stl10-vgg6, layer 3": (256, 256, 8),
    "stl10-vgg6, layer 6": (1024, 1024, 2),
}
RATES = (0.05, 0.1, 0.25)


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Mean duration of a call."""
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - began) / repeats


def measure(layer: tuple[int, int, int], rate: float) -> dict[str, float]:
    """Additions of a fixation, nanoseconds each in a convolution, and the ratio to dense."""
    c_in, c_out, side = layer
    random = np.random.default_rng(0)
    size = c_in * side**2
    weights = random.integers(-127, 128, KERNEL**2 * c_in * c_out).astype(np.int8)
    rows = np.zeros((STEPS, size), np.int32)
    number = np.zeros(STEPS, np.int32)
    for t in range(STEPS):
        fired = np.flatnonzero(random.random(size) < rate)
        number[t] = len(fired)
        rows[t, : len(fired)] = fired
    begins = np.zeros((STEPS, side**2 + 1), np.int32)
    out = np.zeros((STEPS, c_out * side**2), np.int32)
    runs = np.zeros((KERNEL, 3), np.int64)

    def convolve() -> int:
        for t in range(STEPS):
            list_positions(rows[t], number[t], c_in, begins[t], side**2)
        return c_out * add_map(out, weights, 0, c_out, rows, begins, runs, c_in, side, side, KERNEL)

    additions = convolve()
    seen = random.random((STEPS, KERNEL**2 * c_in)) < rate
    few = seen.sum(1).astype(np.int32)
    listed = np.zeros(seen.shape, np.int32)
    for t in range(STEPS):
        listed[t, : few[t]] = np.flatnonzero(seen[t])
    total, reached = np.zeros((STEPS, c_out), np.int32), np.zeros((STEPS, 2), np.int64)

    def dense() -> None:
        for _ in range(side**2):
            add_rows(total, weights, 0, c_out, listed, few, reached)

    dense()
    dense_additions = int(few.sum()) * c_out * side**2
    repeats = max(1, int(0.02 / max(1e-6, seconds(convolve, 1))))
    turns = []
    for _ in range(ROUNDS):
        turns.append((seconds(convolve, repeats), seconds(dense, repeats)))
    ratios = sorted((a / additions) / (b / dense_additions) for a, b in turns)
    return {
        "additions": additions,
        "nanoseconds_each": 1e9 * statistics.median(a for a, _ in turns) / additions,
        "ratio": statistics.median(ratios),
        "ratio_low": ratios[0],
        "ratio_high": ratios[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{cpu_name()}\n\n| layer | spikes | additions | ns each | dense loop times |")
    print("| --- | --- | --- | --- | --- |")
    figures: dict[str, Any] = {"cpu": cpu_name(), "load_average": load, "layers": {}}
    for name, layer in LAYERS.items():
        for rate in RATES:
            found = measure(layer, rate)
            figures["layers"][f"{name}, {rate:.0%}"] = found
            spread = f"{found['ratio_low']:.2f} to {found['ratio_high']:.2f}"
            print(
                f"| {name} | {rate:.0%} | {found['additions']:,} | "
                f"{found['nanoseconds_each']:.3f} | {found['ratio']:.2f} ({spread}) |"
            )
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
