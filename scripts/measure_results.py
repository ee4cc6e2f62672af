"""The table of docs/results.md: untrained, batch, online float and on-chip CLAPP, per layer.

    python scripts/measure_results.py [--preset P] [--fixations N] [--batches N] [--labelled N]
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
    name: str,
    seed: int,
    fixations: int,
    batches: int,
    labelled: int,
    folder: Path,
    data: str | None,
) -> Any:
    """Accuracies in percent by scheme and layer, and losses of the last fifth, for one seed."""
    preset = clapp_neuro.load_preset(name)
    online = clapp_neuro.with_training(preset, mode="online", steps=fixations, seed=seed)
    found: dict[str, Any] = {"accuracy": {}, "loss": {}, "seconds": {}}
    for scheme, experiment in (
        ("batch", clapp_neuro.with_training(preset, mode="batch", steps=batches, seed=seed)),
        ("online", online),
    ):
        result = clapp_neuro.train(experiment, folder / "model.pt", data=data)
        readout = clapp_neuro.probe(folder / "model.pt", data=data, train_images=labelled)
        found["accuracy"][scheme] = [100 * r.accuracy for r in readout.layers]
        found["accuracy"]["untrained"] = [100 * r.untrained for r in readout.layers]
        found["loss"][scheme] = [r.loss for r in result.final]
        found["seconds"][scheme] = result.seconds
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


def show(runs: list[Any], layers: range) -> None:
    """Accuracy and loss in Markdown, then how much of float's gain the chip keeps."""
    titles = [f"{kind} {layer + 1}" for kind in ("layer", "loss") for layer in layers]
    print("| network | " + " | ".join(titles) + " |\n|" + " --- |" * (1 + len(titles)))
    for scheme in SCHEMES:
        cells = [spread([r["accuracy"][scheme][layer] for r in runs]) for layer in layers]
        if scheme == "untrained":
            cells += ["–"] * len(layers)
        else:
            cells += [spread([r["loss"][scheme][layer] for r in runs], 3) for layer in layers]
        print(f"| {scheme} | " + " | ".join(cells) + " |")
    for layer in layers:
        gains = [r["gain_recovered"][layer] for r in runs]
        chip, known = (
            [r["accuracy"][k][layer] - r["accuracy"]["untrained"][layer] for r in runs]
            for k in ("on chip", "online")
        )
        kept = [(1 - r["loss"]["on chip"][layer]) / (1 - r["loss"]["online"][layer]) for r in runs]
        print(
            f"layer {layer + 1}: gain recovered {spread(gains)} (lowest {min(gains):.2f}), "
            f"of the mean gains {sum(chip) / sum(known):.2f}; loss gain kept {spread(kept, 3)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="fashion-dense")
    parser.add_argument("--fixations", type=int, default=540_000)
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
            futures[seed] = pool.submit(
                measure, arguments.preset, seed, *settings, own, arguments.data
            )
        runs = {seed: future.result() for seed, future in futures.items()}
    print(f"\n{next(iter(runs.values()))['source']}; mean ± sd over {len(runs)} seeds\n")
    layers = range(len(next(iter(runs.values()))["gain_recovered"]))
    show(list(runs.values()), layers)
    if arguments.json:
        text = json.dumps(runs, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


def spread(values: list[float], digits: int = 2) -> str:
    """Mean ± standard deviation."""
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {sd:.{digits}f}"


if __name__ == "__main__":
    main()
