"""Speed of the engines in one run on one machine, as ratios to Lava.

    python benchmarks/engines.py [--quick] [--json FILE]

196-256-256 neurons on Fashion-MNIST patches, 8 steps a fixation. Times are per time step (and
per sample for batched inference): medians of repeats after a warm-up. For learning, Lava runs
as it is (stock) and guarded: it then skips epochs that can change nothing, which is fairer.
"""

from __future__ import annotations

import argparse
import json
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
from compiler.bundle import read_bundle
from compiler.program import Program

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


def additions_per_second() -> float:
    """Synaptic additions a second that numpy reaches when int8 rows in cache are added up."""
    rows = np.ones((256, 256), np.int8)
    seconds = median_seconds(lambda: [rows.sum(axis=0, dtype=np.int32) for _ in range(20)], 20)
    return 20 * rows.size / seconds


def measure(quick: bool) -> dict[str, Any]:
    """All figures; seconds unless the name says otherwise."""
    repeats = 3 if quick else 9
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
    figures = {
        "inference_step_one_thread": one,
        "inference_step": both,
        "learning_step": learn,
        "lava_inference_step": lava.static_step_seconds(static, short),
        "lava_learning_step_guarded": lava.plastic_step_seconds(plastic, brief, guarded=True),
        "lava_learning_step_stock": lava.plastic_step_seconds(plastic, brief, guarded=False),
    }
    limit = counted / additions_per_second()
    return {
        **figures,
        "inference_ratio": figures["lava_inference_step"] / both,
        "inference_ratio_one_thread": figures["lava_inference_step"] / one,
        "learning_ratio": figures["lava_learning_step_guarded"] / learn,
        "learning_ratio_stock": figures["lava_learning_step_stock"] / learn,
        "synaptic_operations_a_step": counted,
        "inference_limit_step": limit,
        "share_of_limit": limit / one,
        "quick": quick,
        "cpu": _cpu(),
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
    print("\n| per time step | simulator | Lava | ratio |\n| --- | --- | --- | --- |")
    for title, ours, theirs, ratio in ROWS:
        mine, other = 1e6 * figures[ours], 1e6 * figures[theirs]
        print(f"| {title} | {mine:.2f} µs | {other:,.0f} µs | {figures[ratio]:,.0f} |")
    print(
        f"\nInference: {figures['synaptic_operations_a_step']:,.0f} synaptic operations a step; "
        f"numpy adds that many int8 weights in {1e6 * figures['inference_limit_step']:.2f} µs, "
        f"{figures['share_of_limit']:.0%} of the time of one thread."
    )
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
