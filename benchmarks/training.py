"""Training by the explicit local rule against plain autograd: speed and peak memory in one run.

    python benchmarks/training.py [--preset NAME] [--batch N] [--steps N] [--device cpu|cuda]
                                  [--quick] [--precision float32|bfloat16] [--compile] [--json FILE]

Without a preset: VGG-6 on the patches of STL-10-shaped random images. Three contenders: CLAPP by
`BatchTrainer`; the same network and losses as one would write them with autograd, `detach` between
the layers and one backward over the sum; and end-to-end CPC. Each has a process of its own, so that
peaks of memory do not mix, and they take turns, so that a neighbour slows all of them.

CLAPP has its own W_retro and the two halves of Eq. 14, each with its own gate (`gate: split`): with
a shared gate the updates are the gradient of no loss. Blocked autograd then needs the very matrix
products of the local rule, activity and ΔW, so only what lies between them can differ in time;
end-to-end learning adds the products that carry errors down, half as many again. That the two
compute the same ΔW is checked in the same run, in float64.
"""

from __future__ import annotations

import argparse
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from contenders import contender, experiment_of
from torch import Tensor
from turns import apart, conditions, ratios, reporting, take_turns

from clapp_neuro.config import (
    Experiment,
    read_experiment,
    with_training,
)
from clapp_neuro.encoders.shapes import modules_of
from clapp_neuro.errors import InputError
from clapp_neuro.show import dump, lines, table

CHECKED = 4  # images of the minibatch whose ΔW are compared: float64 is slow
TOLERANCE = 1e-9
ROUNDS = 5
STEPS = {"cpu": 5, "cuda": 100}
QUICK_STEPS = {"cpu": 3, "cuda": 20}
MEASURES = {
    "cpu": "growth of peak RSS (ru_maxrss) above the RSS after imports and making the weights",
    "cuda": "torch.cuda.max_memory_allocated, weights included",
}
NAMES = {
    "local": "CLAPP, explicit local rule",
    "blocked": "CLAPP, autograd with detach",
    "end_to_end": "CPC, autograd end to end",
}
SPEED_GOAL, MEMORY_GOAL = 3.0, 1 / 3  # on a GPU, against blocked autograd


def differences(experiment: Experiment, device: str) -> dict[str, float]:
    """‖ΔW + ∇L‖ / ‖∇L‖ of each tensor in the first minibatch, in float64: local rule, autograd."""
    small = with_training(experiment, batch_size=min(CHECKED, experiment.train.batch_size))
    values = small.model_dump()
    values["train"].update(precision="float32", compile=False)
    small = read_experiment(values, "check")
    ours, theirs = (_first_gradients(name, small, device) for name in ("local", "blocked"))
    if ours.keys() != theirs.keys():
        raise RuntimeError(f"one of the two leaves out {sorted(ours.keys() ^ theirs.keys())}")
    return {
        name: ((ours[name] - theirs[name]).norm() / theirs[name].norm()).item() for name in theirs
    }


def _first_gradients(name: str, experiment: Experiment, device: str) -> dict[str, Tensor]:
    """What Adam is given for each tensor in the first step."""
    made = contender(name, experiment, device, torch.float64)
    parameters = [p for group in made.optimizer.param_groups for p in group["params"]]
    found: dict[str, Tensor] = {}

    def note(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        # the local rule steps once a layer, and only that layer's tensors have a gradient then
        for weight, parameter in zip(made.weights, parameters, strict=True):
            if parameter.grad is not None:
                found[weight] = parameter.grad.clone()

    made.optimizer.register_step_pre_hook(note)
    made.step(0)
    return found


def _check(link: Connection, experiment: Experiment, device: str) -> None:
    """A process: send the differences."""
    with reporting(link):
        link.send(differences(experiment, device))


def measure(experiment: Experiment, device: str, steps: int, quick: bool) -> dict[str, Any]:
    """All figures; seconds and bytes unless the name says otherwise."""
    load = os.getloadavg()[0]  # of others, before this run adds its own
    with apart((_check, experiment, device)) as (checking,):
        found = checking.get()
    rounds = min(ROUNDS, steps)
    entrants = [(name, experiment) for name in NAMES]
    needed, medians = take_turns(entrants, device, steps, rounds)
    contenders = dict(zip(NAMES, needed, strict=True))
    part = {n: needed[0]["peak_bytes"] / c["peak_bytes"] for n, c in contenders.items()}
    found_ratios = {
        name: {**ratios(medians, 0, place), "memory": part[name]}
        for place, name in enumerate(NAMES)
        if place > 0
    }
    return {
        "contenders": contenders,
        "ratios": found_ratios,
        "speed_goal_on_gpu": SPEED_GOAL,
        "memory_goal_on_gpu": MEMORY_GOAL,
        "differences": found,
        "largest_difference": max(found.values()),
        "equal": max(found.values()) < TOLERANCE,
        "memory_measure": MEASURES[device],
        "modules": len(modules_of(experiment)),
        "quick": quick,
        "load_average": load,
        **conditions(experiment, device, steps, rounds),
    }


def show(figures: dict[str, Any]) -> None:
    """The table of contenders, then what was checked."""
    train = figures["experiment"]["train"]
    lines(
        f"{figures['device_name']}, {figures['threads']} threads, torch {figures['torch']}, "
        f"load average {figures['load_average']:.2f} before; layers "
        f"{figures['experiment']['encoder']['layers']}, batch {train['batch_size']}, "
        f"{train['precision']}{', compiled' if train['compile'] else ''}; "
        f"median of {figures['steps']} steps in {figures['rounds']} rounds"
    )
    rows = []
    for name, title in NAMES.items():
        one, ratio = figures["contenders"][name], figures["ratios"].get(name)
        row = [title, f"{one['images_a_second']:,.2f}", f"{1e3 * one['step']:,.0f}"]
        row += [f"{one['peak_bytes'] / 2**20:,.0f}", f"{one['weights_bytes'] / 2**20:,.0f}"]
        row += [f"{one['moments_bytes'] / 2**20:,.0f}"]
        if ratio is None:
            row += ["", ""]
        else:
            spread = f"{ratio['speed_low']:.2f} to {ratio['speed_high']:.2f}"
            row += [f"{ratio['speed']:.2f} ({spread})", f"{ratio['memory']:.2f}"]
        rows.append(row)
    goal = [f"{SPEED_GOAL:.0f} or more", f"{MEMORY_GOAL:.2f} or less"]
    rows.append(["goal on a GPU, against the second", *[""] * 5, *goal])
    header = ["", "images/s", "ms a step", "peak MiB", "weights MiB", "Adam MiB"]
    table([*header, "local rule: times as fast", "part of the memory"], rows)
    lines(
        f"Peak memory: {figures['memory_measure']}; Adam's moments are in it.",
        f"Explicit ΔW against autograd's gradient, float64, {len(figures['differences'])} tensors: "
        f"largest relative difference {figures['largest_difference']:.1e} "
        f"({'equal' if figures['equal'] else 'NOT EQUAL'} to {TOLERANCE:.0e})",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", help="a preset of rate neurons; default: VGG-6, STL-10 shapes")
    parser.add_argument("--batch", type=int, help="images a minibatch")
    parser.add_argument("--steps", type=int, help="timed minibatches of each contender")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: a GPU if there is one")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--precision", choices=("float32", "bfloat16"))
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        experiment = experiment_of(arguments)
    except InputError as error:
        parser.error(str(error))
    steps = arguments.steps or (QUICK_STEPS if arguments.quick else STEPS)[device]
    figures = measure(experiment, device, steps, arguments.quick)
    show(figures)
    dump(arguments.json, figures)
    if not figures["equal"]:
        sys.exit("the contenders do not compute the same: the ratios compare nothing")


if __name__ == "__main__":
    main()
