"""The table of docs/results.md: untrained, batch, online float and on-chip CLAPP, per layer.

    python scripts/measure_results.py [--fixations N] [--batches N] [--labelled N]
                                      [--seeds 0 1 2] [--workers N] [--json FILE]

Every network of a seed starts from the same weights, and online and on-chip learning see the same
gaze. The linear readout is fitted on the first N labelled training images, tested on all test
images. Recovered gain is (on-chip - untrained) / (online - untrained), per layer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import clapp_neuro
from clapp_neuro.files import write_whole

SCHEMES = ("untrained", "batch", "online", "on chip")


def measure(
    seed: int, fixations: int, batches: int, labelled: int, folder: Path, data: str | None
) -> Any:
    """Accuracies in percent by scheme and layer, and losses of the last fifth, for one seed."""
    preset = clapp_neuro.load_preset("fashion-dense")
    online = clapp_neuro.with_training(preset, mode="online", steps=fixations, seed=seed)
    found: dict[str, Any] = {"accuracy": {}, "loss": {}, "seconds": {}}
    for name, experiment in (
        ("batch", clapp_neuro.with_training(preset, mode="batch", steps=batches, seed=seed)),
        ("online", online),
    ):
        result = clapp_neuro.train(experiment, folder / "model.pt", data=data)
        readout = clapp_neuro.probe(folder / "model.pt", data=data, train_images=labelled)
        found["accuracy"][name] = [100 * r.accuracy for r in readout.layers]
        found["accuracy"]["untrained"] = [100 * r.untrained for r in readout.layers]
        found["loss"][name] = [r.loss for r in result.final]
        found["seconds"][name] = result.seconds
        found["source"] = result.source
    start = clapp_neuro.with_training(online, steps=0)
    clapp_neuro.train(start, folder / "start.pt", data=data)
    clapp_neuro.compile(folder / "start.pt", "loihi2-sim", seed=seed)
    positions = preset.data.positions
    began = time.perf_counter()
    chip = clapp_neuro.run(
        folder / "start.clapp",
        images=fixations // positions,
        learn=True,
        seed=seed,
        data=data,
        probe=True,
        train_images=labelled,
    )
    found["seconds"]["on chip"] = time.perf_counter() - began
    found["accuracy"]["on chip"] = [100 * a for a in chip.accuracy.values()]
    found["loss"]["on chip"] = list(chip.loss.values())
    found["events"] = chip.events.to_json()
    found["gain_recovered"] = [
        (c - u) / (o - u)
        for c, o, u in zip(
            *(found["accuracy"][k] for k in ("on chip", "online", "untrained")), strict=True
        )
    ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fixations", type=int, default=180_000)
    parser.add_argument("--batches", type=int, default=3_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--labelled", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=1, help="seeds measured at a time")
    parser.add_argument("--data")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool,
    ):
        futures = {}
        for seed in arguments.seeds:
            own = Path(folder) / str(seed)
            own.mkdir()
            settings = (arguments.fixations, arguments.batches, arguments.labelled)
            futures[seed] = pool.submit(measure, seed, *settings, own, arguments.data)
        runs = {seed: future.result() for seed, future in futures.items()}
    print(f"\n{next(iter(runs.values()))['source']}; mean ± sd over {len(runs)} seeds\n")
    print("| network | layer 1 | layer 2 | loss 1 | loss 2 |\n| --- | --- | --- | --- | --- |")
    for scheme in SCHEMES:
        cells = [_spread([r["accuracy"][scheme][layer] for r in runs.values()]) for layer in (0, 1)]
        if scheme == "untrained":
            cells += ["–", "–"]
        else:
            cells += [
                _spread([r["loss"][scheme][layer] for r in runs.values()], 3) for layer in (0, 1)
            ]
        print(f"| {scheme} | " + " | ".join(cells) + " |")
    for layer in (0, 1):
        gains = [r["gain_recovered"][layer] for r in runs.values()]
        print(f"gain recovered, layer {layer + 1}: {_spread(gains, 2)}, lowest {min(gains):.2f}")
    if arguments.json:
        text = json.dumps(runs, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


def _spread(values: list[float], digits: int = 2) -> str:
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {sd:.{digits}f}"


if __name__ == "__main__":
    main()
