"""How time and memory of compiling grow with layers and with synapses.

    python benchmarks/scaling.py [--series NAME ...] [--json FILE]

Untrained networks of growing size through the whole command: read the checkpoint, compile, place,
write the program, and for what learns its worked examples. Each size is a process of its own, so
that its peak memory is its own; its time is the processor's, the least of some rounds, as other
work only adds. The exponent of a series is the slope of the logarithms, by least squares: of the
time, and of the memory beyond what a process needs that has compiled the smallest network.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import cpu_name, peak_bytes

import clapp_neuro
from clapp_neuro.checkpoint import Checkpoint, save_checkpoint
from clapp_neuro.config import Experiment, with_settings
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.files import write_whole
from compiler.events.neurobench import synapses_of

TARGET = "loihi2-sim"
ROUNDS = 3
LONG = 4.0  # seconds; what takes longer is measured once
MIB = 2**20


@dataclass(frozen=True)
class Series:
    """Networks that grow in `by`: layers, or synapses, of which each position has its own."""

    by: str
    sizes: tuple[int, ...]
    network: Callable[[int], Experiment]
    static: bool


def dense(layers: tuple[int, ...], static: bool) -> Experiment:
    """All-to-all layers; one that is compiled without learning has the forward weights only."""
    train = {"method": "supervised"} if static else {}
    preset = clapp_neuro.load_preset("fashion-dense")
    return with_settings(preset, encoder={"layers": layers}, train=train)


def convolutional(layers: tuple[int, ...], static: bool) -> Experiment:
    """Convolutions on 16x16 positions; where they learn, the first layer is pooled."""
    train = {"method": "supervised"} if static else {}
    pool = () if static else (1,)
    preset = clapp_neuro.load_preset("fashion-conv-chip")
    return with_settings(preset, encoder={"layers": layers, "pool": pool}, train=train)


SERIES = {
    "layers, static": Series("layers", (1, 3, 10, 30, 100), lambda n: dense((64,) * n, True), True),
    "layers, learning": Series(
        "layers", (1, 3, 10, 30, 100), lambda n: dense((64,) * n, False), False
    ),
    "dense synapses, static": Series(
        "synapses", (300, 1000, 1800, 3200), lambda width: dense((width,) * 10, True), True
    ),
    "dense synapses, learning": Series(
        "synapses", (100, 300, 900), lambda width: dense((width,) * 4, False), False
    ),
    "convolution, static": Series(
        "synapses", (16, 32, 64, 104), lambda n: convolutional((n,) * 5, True), True
    ),
    "convolution, learning": Series(
        "synapses", (4, 8, 16, 32), lambda n: convolutional((n,) * 3, False), False
    ),
}


def _compile(model: Path, smallest: Path, static: bool) -> dict[str, Any]:
    """In a process of its own: seconds, bytes before and at most, and what was compiled."""
    clapp_neuro.compile(smallest, TARGET, static=static)  # loads compiled code
    idle, peak = peak_bytes(), 0
    rounds: list[float] = []
    while not rounds or (len(rounds) < ROUNDS and sum(rounds) < LONG):
        began = time.process_time()
        done = clapp_neuro.compile(model, TARGET, static=static)
        rounds.append(time.process_time() - began)
        peak = peak or peak_bytes()
    program = done.compiled.program
    return {
        "layers": len({p.level for p in program.populations}) - 1,
        "synapses": sum(synapses_of(program, s) for s in program.synapses),
        "weights": sum(s.weights.size for s in program.synapses),
        "cores": len(done.compiled.placement.cores),
        "seconds": min(rounds),
        "rounds": len(rounds),
        "idle_bytes": idle,
        "peak_bytes": peak,
    }


def measure(name: str) -> dict[str, Any]:
    """All sizes of a series, and its exponents."""
    series, spawn = SERIES[name], multiprocessing.get_context("spawn")
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        smallest, model = Path(folder) / "smallest.pt", Path(folder) / "model.pt"
        _save(series.network(series.sizes[0]), smallest)
        for size in series.sizes:
            _save(series.network(size), model)
            with ProcessPoolExecutor(1, mp_context=spawn) as own:
                sizes.append(own.submit(_compile, model, smallest, series.static).result())
            print(_line(name, sizes[-1]), flush=True)
    grown = [s[series.by] for s in sizes]
    return {
        "by": series.by,
        "static": series.static,
        "sizes": sizes,
        "exponent_seconds": exponent(grown, [s["seconds"] for s in sizes]),
        "exponent_bytes": exponent(grown, [s["peak_bytes"] - s["idle_bytes"] for s in sizes]),
    }


def exponent(sizes: list[int], measured: list[float]) -> float | None:
    """The power of the size that fits what was measured best; of what is above zero."""
    found = [(n, m) for n, m in zip(sizes, measured, strict=True) if m > 0]
    if len(found) < 2:
        return None
    logarithms = np.log(np.array(found, float))
    return float(np.polyfit(logarithms[:, 0], logarithms[:, 1], 1)[0])


def _save(experiment: Experiment, path: Path) -> None:
    save_checkpoint(path, Checkpoint(experiment, 0, initial_weights(experiment)))


def _line(name: str, size: dict[str, Any]) -> str:
    more = (size["peak_bytes"] - size["idle_bytes"]) / MIB
    return (
        f"{name}: {size['layers']} layers, {size['synapses']:,} synapses, {size['cores']} cores: "
        f"{size['seconds']:.2f} s, {size['peak_bytes'] / MIB:,.0f} MiB, {more:,.0f} of them its own"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", nargs="+", choices=SERIES, default=list(SERIES))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    found = {name: measure(name) for name in arguments.series}
    for name, series in found.items():
        powers = (series["exponent_seconds"], series["exponent_bytes"])
        seconds, memory = ("–" if power is None else f"{power:.2f}" for power in powers)
        print(f"{name}: time grows as {series['by']} ^ {seconds}, memory as ^ {memory}")
    figures = {
        "target": TARGET,
        "cpu": cpu_name(),
        "threads": os.cpu_count(),
        "load_average": load,
        "python": platform.python_version(),
        "series": found,
    }
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
