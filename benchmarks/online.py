"""Online training in float, compiled beside readable: processor time a fixation, in one run.

    python benchmarks/online.py [--fixations N] [--rounds N] [--json FILE]

Both trainers go on learning from the same fixations, one thread; they take turns, and a ratio is
the median of the rounds' ratios, with their least and largest. The readable one sees a tenth as
many fixations a turn. What both learn is compared by tests/test_compiled_online.py.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from machine import cpu_name

import clapp_neuro
from clapp_neuro.data.images import load_images
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.show import dump, lines, table
from clapp_neuro.training.compiled_online import CompiledOnlineTrainer
from clapp_neuro.training.online import OnlineTrainer
from clapp_neuro.training.tally import Tally

PRESETS = ("fashion-dense", "fashion-dense-3", "fashion-conv-chip")
SLOWER = 10  # so many times as many fixations for the compiled one
WARM_UP = 20


def measure(preset: str, fixations: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of processor time a fixation of each trainer, and their ratio."""
    chosen = clapp_neuro.with_training(clapp_neuro.load_preset(preset), mode="online")
    images = load_images(chosen.data)
    trainers = [
        kind(chosen, images, initial_weights(chosen), None)
        for kind in (OnlineTrainer, CompiledOnlineTrainer)
    ]
    tally = Tally(len(chosen.encoder.layers), 0)
    seen = [0, 0]

    def milliseconds(which: int, steps: int) -> float:
        began = time.process_time()
        for step in range(seen[which], seen[which] + steps):
            trainers[which].advance(step, tally)
        seen[which] += steps
        return 1e3 * (time.process_time() - began) / steps

    with torch.inference_mode():
        for which in (0, 1):
            milliseconds(which, WARM_UP)
        found = [
            (milliseconds(0, max(1, fixations // SLOWER)), milliseconds(1, fixations))
            for _ in range(rounds)
        ]
    ratios = [readable / compiled for readable, compiled in found]
    return {
        "readable": statistics.median(readable for readable, _ in found),
        "compiled": statistics.median(compiled for _, compiled in found),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fixations", type=int, default=2_000, help="of the compiled one, a turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    found = {name: measure(name, arguments.fixations, arguments.rounds) for name in PRESETS}
    lines(f"{cpu_name()}, one thread, load average {load:.2f} before")
    table(
        ["preset", "readable, ms a fixation", "compiled", "times as fast"],
        [
            [
                name,
                f"{one['readable']:.2f}",
                f"{one['compiled']:.3f}",
                f"{one['ratio']:.1f} ({one['ratio_low']:.1f} to {one['ratio_high']:.1f})",
            ]
            for name, one in found.items()
        ],
    )
    dump(arguments.json, {"processor": cpu_name(), "load_average": load, "presets": found})


if __name__ == "__main__":
    main()
