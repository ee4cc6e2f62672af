"""What mixed precision and torch.compile bring to training by the local rule, in one run.

    python benchmarks/precision.py [--preset NAME] [--batch N] [--steps N] [--device cpu|cuda]
                                   [--json FILE]

CLAPP four times, in processes that take turns: float32 and bfloat16 (`train --precision`), each
as it is and through torch.compile (`train --compile`). Without a preset: VGG-6 on the patches of
STL-10-shaped random images. The first minibatches, which compile, are not timed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from contenders import experiment_of
from turns import conditions, ratios, take_turns

from clapp_neuro.config import Experiment, with_training
from clapp_neuro.errors import InputError
from clapp_neuro.show import dump, lines, table

OPTIONS: dict[str, dict[str, Any]] = {
    "float32": {"precision": "float32", "compile": False},
    "bfloat16": {"precision": "bfloat16", "compile": False},
    "float32, compiled": {"precision": "float32", "compile": True},
    "bfloat16, compiled": {"precision": "bfloat16", "compile": True},
}
ROUNDS = 3
STEPS = {"cpu": 6, "cuda": 150}


def measure(experiment: Experiment, device: str, steps: int) -> dict[str, Any]:
    """Seconds, bytes, and speed against float32 by option."""
    load = os.getloadavg()[0]  # of others, before this run adds its own
    entrants = [("local", with_training(experiment, **how)) for how in OPTIONS.values()]
    rounds = min(ROUNDS, steps)
    needed, medians = take_turns(entrants, device, steps, rounds)
    return {
        "options": {
            name: {**used, "against_float32": ratios(medians, place, 0)}
            for place, (name, used) in enumerate(zip(OPTIONS, needed, strict=True))
        },
        "load_average": load,
        **conditions(experiment, device, steps, rounds),
    }


def show(figures: dict[str, Any]) -> None:
    """A row an option."""
    lines(
        f"{figures['device_name']}, {figures['threads']} threads, torch {figures['torch']}, "
        f"load average {figures['load_average']:.2f} before; layers "
        f"{figures['experiment']['encoder']['layers']}, batch "
        f"{figures['experiment']['train']['batch_size']}; median of {figures['steps']} steps in "
        f"{figures['rounds']} rounds"
    )
    rows = []
    for name, one in figures["options"].items():
        ratio = one["against_float32"]
        spread = f"{ratio['speed_low']:.2f} to {ratio['speed_high']:.2f}"
        rows.append(
            (
                name,
                f"{one['images_a_second']:,.1f}",
                f"{1e3 * one['step']:,.0f}",
                f"{one['peak_bytes'] / 2**20:,.0f}",
                f"{ratio['speed']:.2f} ({spread})",
            )
        )
    table(("option", "images/s", "ms a step", "peak MiB", "times as fast as float32"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", help="a preset of rate neurons; default: VGG-6, STL-10 shapes")
    parser.add_argument("--batch", type=int, help="images a minibatch")
    parser.add_argument("--steps", type=int, help="timed minibatches of each option")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU if there is one")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.set_defaults(precision=None, compile=False)
    arguments = parser.parse_args()
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        experiment = experiment_of(arguments)
    except InputError as error:
        parser.error(str(error))
    figures = measure(experiment, device, arguments.steps or STEPS[device])
    show(figures)
    dump(arguments.json, figures)


if __name__ == "__main__":
    main()
