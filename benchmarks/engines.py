"""Speed of the engines in one run on one machine, as ratios to Lava.

    python benchmarks/engines.py [--quick] [--json FILE]

196-256-256 neurons on Fashion-MNIST patches, 8 steps a fixation. Times are per time step (and
per sample for batched inference). Simulator and Lava take turns, round after round, and a ratio is
the median of the rounds' ratios: a neighbour on the same machine slows both. For learning, Lava
runs as it is (stock) and guarded: it then skips epochs that can change nothing, which is fairer.

Three limits stand beside the simulator's times (`limits.py`): memory traffic, synaptic additions,
and what a dense matrix product would take.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from limits import inference_limits, learning_limits, median_seconds
from machine import cpu_name

import clapp_neuro
from clapp_neuro.files import write_whole
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends import lava
from compiler.backends.simulator import infer, simulate
from compiler.bundle import read_bundle
from compiler.program import Program

BUSY = 0.3  # load average above which timings are not to be relied on
ROWS = (
    ("inference, one thread", "inference_step_one_thread", "lava_inference_step"),
    ("inference, all threads", "inference_step", "lava_inference_step"),
    ("learning, Lava guarded", "learning_step", "lava_learning_step_guarded"),
    ("learning, Lava stock", "learning_step", "lava_learning_step_stock"),
)
RATIOS = (
    "inference_ratio_one_thread",
    "inference_ratio",
    "learning_ratio",
    "learning_ratio_stock",
)


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


def measure(quick: bool) -> dict[str, Any]:
    """All figures; seconds unless the name says otherwise."""
    rounds = 3 if quick else 9
    many, few, lava_fixations = (4_000, 4_000, 3) if quick else (20_000, 10_000, 6)
    load = os.getloadavg()[0]  # of others, before this run adds its own
    with tempfile.TemporaryDirectory() as folder:
        plastic, static = programs(Path(folder))
    images = images_of(plastic, None)
    steps, period = static.timetable.steps, plastic.timetable.period
    seen, short = gaze(static, images, many, 0), gaze(static, images, lava_fixations * 10, 0)
    learning, brief = gaze(plastic, images, few, 0), gaze(plastic, images, lava_fixations, 0)
    turns: list[dict[str, float]] = []
    for _ in range(rounds):
        one = median_seconds(lambda: infer(static, seen, threads=1), 1)
        both = median_seconds(lambda: infer(static, seen), 1)
        learn = median_seconds(lambda: simulate(plastic, learning), 1)
        turns.append(
            {
                "inference_step_one_thread": one / many / steps,
                "inference_step": both / many / steps,
                "learning_step": learn / few / period,
                "lava_inference_step": lava.static_step_seconds(static, short),
                "lava_learning_step_guarded": lava.plastic_step_seconds(plastic, brief, True),
                "lava_learning_step_stock": lava.plastic_step_seconds(plastic, brief, False),
            }
        )
    figures: dict[str, Any] = {
        name: statistics.median(turn[name] for turn in turns) for name in turns[0]
    }
    for name, (_, ours, theirs) in zip(RATIOS, ROWS, strict=True):
        ratios = sorted(turn[theirs] / turn[ours] for turn in turns)
        figures[name] = statistics.median(ratios)
        figures[f"{name}_low"], figures[f"{name}_high"] = ratios[0], ratios[-1]
    return {
        **figures,
        **inference_limits(static, seen, figures["inference_step_one_thread"]),
        **learning_limits(plastic, learning, figures["learning_step"]),
        "rounds": rounds,
        "quick": quick,
        "cpu": cpu_name(),
        "threads": os.cpu_count(),
        "load_average": load,
        "python": platform.python_version(),
        "versions": {n: metadata.version(n) for n in ("numpy", "numba", "lava-nc")},
    }


def show(figures: dict[str, Any]) -> None:
    """The table of ratios, then the limits."""
    print(f"{figures['cpu']}, {figures['threads']} threads, {figures['versions']}")
    if figures["load_average"] > BUSY:
        print(f"Load average {figures['load_average']:.2f}: not idle, the ratios may be off.")
    print(
        f"\n| per time step, median of {figures['rounds']} rounds "
        "| simulator | Lava | ratio (lowest to highest) |\n| --- | --- | --- | --- |"
    )
    for name, (title, ours, theirs) in zip(RATIOS, ROWS, strict=True):
        spread = f"{figures[f'{name}_low']:,.0f} to {figures[f'{name}_high']:,.0f}"
        print(
            f"| {title} | {1e6 * figures[ours]:.2f} µs | {1e6 * figures[theirs]:,.0f} µs "
            f"| {figures[name]:,.0f} ({spread}) |"
        )
    for kind, step in (("inference", "inference_step_one_thread"), ("learning", "learning_step")):
        print(f"\nWhat bounds one thread of {kind}, {1e6 * figures[step]:.2f} µs a step:")
        for limit in ("memory", "additions", "dense"):
            bound = figures.get(f"{kind}_{limit}_step")
            if bound is not None:
                what = figures[f"{kind}_{limit}_what"]
                print(f"- {what}: {1e6 * bound:.2f} µs, {bound / figures[step]:.0%} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    figures = measure(arguments.quick)
    show(figures)
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
