"""Seconds and memory that compiling VGG-6 takes, and where its limits bind.

    python benchmarks/compile.py [--preset stl10-vgg6] [--target loihi2-sim] [--learn] [--json FILE]

The untrained network of a preset, with spiking neurons, through the whole command: read the
checkpoint, compile, place, write the program. With --learn it learns by CLAPP as far as a chip can:
without biases, one prediction step, a kernel of its own at each position. Each measurement is a
process of its own, so that its peak memory is its own; that of a process that only imports the
compiler stands beside it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from machine import cpu_name, peak_bytes

import clapp_neuro
from clapp_neuro.checkpoint import Checkpoint, save_checkpoint
from clapp_neuro.config import with_settings
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.files import write_whole

ROUNDS = 5


LEARNING = {
    "method": "clapp",
    "weight_decay": 0.0,
    "prediction_steps": 1,
    "skip": 0,
    "directions": "down",
}
"""What a chip can learn of the paper's experiment."""


def checkpoint_of(preset: str, path: Path, learn: bool) -> None:
    """The preset's untrained network, spiking."""
    experiment = clapp_neuro.load_preset(preset)
    coding = "on-off" if experiment.data.coding == "signed" else experiment.data.coding
    experiment = with_settings(experiment, encoder={"neurons": "spiking"}, data={"coding": coding})
    if learn:
        biases = {} if experiment.encoder.architecture == "dense" else {"bias": False}
        experiment = with_settings(experiment, encoder=biases, train=LEARNING)
    save_checkpoint(path, Checkpoint(experiment, 0, initial_weights(experiment)))


def _compile(model: Path, target: str, learn: bool, results: Any) -> None:
    """In a process of its own: seconds, peak bytes, and the placement."""
    idle = peak_bytes()
    began, worked = time.perf_counter(), time.process_time()
    done = clapp_neuro.compile(model, target, static=not learn)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    placement = done.compiled.placement
    slices = placement.slice_counts()
    binds: dict[str, Counter[str]] = {name: Counter() for name in slices}
    for core in placement.cores:
        for name in {s.population for s in core.slices}:
            binds[name][core.binds] += 1
    program = done.compiled.program
    shapes = {p.name: p.map for p in program.populations}  # comparators are single neurons
    results.put(
        {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "synapses": sum(s.synapses for core in placement.cores for s in core.slices),
            "peak_bytes": peak_bytes(),
            "idle_bytes": idle,
            "cores": len(placement.cores),
            "chips": placement.chips,
            "neurons": sum(p.size for p in program.populations if p.soma is not None),
            "weights": sum(s.weights.size for s in program.synapses),
            "populations": [
                {
                    "name": name,
                    "shape": shapes.get(name, (1, 1, 1)),
                    "cores": slices[name],
                    "binds": dict(binds[name].most_common()),
                }
                for name in slices
            ],
        }
    )


def measure(preset: str, target: str, learn: bool) -> dict[str, Any]:
    """Medians over the rounds; the placement is the same in each."""
    spawn = multiprocessing.get_context("spawn")
    load = os.getloadavg()[0]
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.pt"
        checkpoint_of(preset, model, learn)
        for _ in range(ROUNDS):
            results = spawn.Queue()
            process = spawn.Process(target=_compile, args=(model, target, learn, results))
            process.start()
            rounds.append(results.get(timeout=600))
            process.join()
    return {
        **rounds[0],
        "seconds": statistics.median(r["seconds"] for r in rounds),
        "slowest_seconds": max(r["seconds"] for r in rounds),
        "peak_bytes": max(r["peak_bytes"] for r in rounds),
        "cpu_seconds": statistics.median(r["cpu_seconds"] for r in rounds),
        "learn": learn,
        "preset": preset,
        "target": target,
        "rounds": ROUNDS,
        "cpu": cpu_name(),
        "threads": os.cpu_count(),
        "load_average": load,
        "python": platform.python_version(),
    }


def show(figures: dict[str, Any]) -> None:
    """One line of time and memory, then the table of limits."""
    gib = 2**30
    print(
        f"{figures['preset']} for {figures['target']}: {figures['seconds']:.1f} s (slowest of "
        f"{figures['rounds']}: {figures['slowest_seconds']:.1f} s; "
        f"{figures['cpu_seconds']:.1f} s of a processor), "
        f"{figures['peak_bytes'] / gib:.2f} GiB at most, {figures['idle_bytes'] / gib:.2f} of "
        f"them before it began; {figures['cpu']}, {figures['threads']} threads, load "
        f"{figures['load_average']:.0f}"
    )
    print(
        f"{figures['neurons']:,} neurons, {figures['synapses']:,} synapses, "
        f"{figures['cores']} cores, {figures['chips']} chips\n"
    )
    print("| population | map | cores | binds |\n| --- | --- | --- | --- |")
    for p in figures["populations"]:
        shape = "×".join(str(n) for n in p["shape"])
        binds = ", ".join(f"{limit} on {n}" for limit, n in p["binds"].items())
        print(f"| {p['name']} | {shape} | {p['cores']} | {binds} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="stl10-vgg6")
    parser.add_argument("--target", default="loihi2-sim")
    parser.add_argument("--learn", action="store_true", help="kernels that learn, too")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    figures = measure(arguments.preset, arguments.target, arguments.learn)
    show(figures)
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
