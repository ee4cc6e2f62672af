"""Does training for few bits help the integer network? Its loss and agreement, measured.

    python benchmarks/few_bits.py [--bits 2 3 4 8] [--seeds 3] [--json FILE]

A network is trained in float (preset fashion-dense, 600 minibatches of 32 images), then for 300
more, either as before or with weights rounded to so many bits in the forward pass. Both are
compiled for Loihi 2 with weights of so many bits and run by the integer simulator on fixations of
images that training has not seen. Shown is the hinge loss of CLAPP on what the integer layers
count, with prediction weights of as many bits, the mean over layers; and the correlation of their
counts with those of the same network in float; mean and standard deviation over seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import clapp_neuro
from clapp_neuro.checkpoint import Checkpoint, load_checkpoint
from clapp_neuro.config import Experiment, with_settings
from clapp_neuro.data.fixations import fixation_stream
from clapp_neuro.data.images import load_images
from clapp_neuro.data.patches import fixated_inputs, intensities
from clapp_neuro.encoders.activity import activities
from clapp_neuro.files import write_whole
from clapp_neuro.training.few_bits import rounded
from compiler.backends.simulator import infer
from compiler.design_rules.suggest import with_limits
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.pipeline import compile_network
from compiler.targets import Target, load_target
from compiler.trace import Stimulus

START, MORE, FIXATIONS = 600, 300, 2048


def target_of(bits: int) -> Target:
    """Loihi 2 with weights of so many bits, sign included."""
    loihi2 = load_target("loihi2-sim")
    return replace(loihi2, machine=with_limits(loihi2.machine, {"weight_bits": bits}))


def score(checkpoint: Checkpoint, bits: int) -> tuple[float, float]:
    """(hinge loss, correlation with float) of the integer network on images not trained on."""
    experiment = checkpoint.experiment
    network = network_from_checkpoint(checkpoint, plastic=False)
    program = compile_network(network, target_of(bits)).program
    config, images = experiment.data, load_images(experiment.data, None).test_images
    stream = fixation_stream(len(images), config.positions, FIXATIONS, 7)
    inputs = fixated_inputs(images, stream, config)
    counts, _ = infer(program, Stimulus({"input": intensities(inputs)}, {}))
    floats = activities(checkpoint.weights, torch.from_numpy(inputs), experiment)
    label = torch.from_numpy(stream.label[1:].astype(np.float32))
    held = rounded(checkpoint.weights, bits)
    losses, agreements = [], []
    for number, exact in enumerate(floats, 1):
        z = torch.from_numpy(counts[f"layer{number}"] / np.float32(experiment.encoder.steps))
        weight = held[f"layer{number}.prediction"]
        scores = (z[1:] * (z[:-1] @ weight.T)).sum(-1)
        losses.append(
            torch.relu(experiment.train.margin - label * scores)[label != 0].mean().item()
        )
        agreements.append(np.corrcoef(z.ravel(), exact.ravel())[0, 1])
    return statistics.mean(losses), statistics.mean(agreements)


def run(bits: int, seed: int, experiment: Experiment, folder: Path) -> dict[str, float]:
    """Both networks' scores."""
    begun = folder / f"begun-{seed}.pt"
    if not begun.exists():
        settings = {"steps": START, "seed": seed}
        clapp_neuro.train(with_settings(experiment, train=settings), begun)
    found = {}
    for name, weight_bits in (("as before", None), ("few bits", bits)):
        path = folder / "more.pt"
        settings = {"steps": START + MORE, "seed": seed, "weight_bits": weight_bits}
        clapp_neuro.train(with_settings(experiment, train=settings), path, resume=begun)
        found[f"{name}, loss"], found[f"{name}, agreement"] = score(load_checkpoint(path), bits)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits", type=int, nargs="+", default=[2, 3, 4, 8])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    experiment = with_settings(clapp_neuro.load_preset("fashion-dense"), train={"batch_size": 32})
    columns = [f"{n}, {what}" for what in ("loss", "agreement") for n in ("as before", "few bits")]
    print("| bits | " + " | ".join(columns) + " |")
    print("| --- " * (1 + len(columns)) + "|")
    figures: dict[int, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for bits in arguments.bits:
            runs = [run(bits, seed, experiment, Path(folder)) for seed in range(arguments.seeds)]
            figures[bits] = runs
            cells = []
            for column in columns:
                values = [r[column] for r in runs]
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                cells.append(f"{statistics.mean(values):.3f} ± {spread:.3f}")
            print(f"| {bits} | " + " | ".join(cells) + " |")
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
