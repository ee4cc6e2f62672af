"""Readout accuracies of the float reference: untrained, minibatches, online.

    python scripts/measure_reference.py [--preset fashion-dense] [--images 20000] [--seeds 3]

Each figure is the test accuracy of a linear readout, in percent, one column a layer.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from clapp_neuro.config import load_preset, read_experiment
from clapp_neuro.readout import probe
from clapp_neuro.training import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="fashion-dense")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--test-images", type=int, default=None)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--batch-steps", type=int, default=3_000)
    parser.add_argument("--fixations", type=int, default=180_000)
    parser.add_argument("--data")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    runs = []
    steps = {"batch": options.batch_steps, "online": options.fixations}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for mode, number in steps.items():
            runs.append(measure(options, seed, mode, number))
            print(json.dumps(runs[-1]), flush=True)
    for mode in steps:
        chosen = [run for run in runs if run["mode"] == mode]
        for kind in ("untrained", "accuracy"):
            values = 100 * np.array([run[kind] for run in chosen])
            spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(values.shape[1], 0)
            columns = " ".join(
                f"{m:.2f}±{s:.2f}" for m, s in zip(values.mean(0), spread, strict=True)
            )
            print(f"{mode:7s} {kind:10s} {columns}")
    if options.json:
        options.json.write_text(json.dumps(runs, indent=2) + "\n", "utf-8")


def measure(
    options: argparse.Namespace, seed: int, mode: str, steps: int
) -> dict[str, str | int | float | list[float]]:
    """Train one network and read out its layers."""
    values = load_preset(options.preset).model_dump()
    values["data"]["images"] = options.images
    values["train"].update(seed=seed, mode=mode, steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        result = train(read_experiment(values, "experiment"), path, data=options.data)
        probed = probe(path, data=options.data, test_images=options.test_images)
    return {
        "mode": mode,
        "seed": seed,
        "steps": result.step,
        "seconds": round(result.seconds, 1),
        "probe_seconds": round(probed.seconds, 1),
        "accuracy": [layer.accuracy for layer in probed.layers],
        "untrained": [layer.untrained for layer in probed.layers],
        "inputs": probed.inputs,
        "loss": [layer.loss for layer in result.final],
        "gate": [layer.gate for layer in result.final],
        "rate": [layer.rate for layer in result.final],
        "source": result.source,
        "device": result.device,
    }


if __name__ == "__main__":
    main()
