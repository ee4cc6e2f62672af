"""Spiking CLAPP on STL-10: train, probe, compile, learn on the chip, cost. Under five minutes.

    python examples/stl10_spiking.py [--data FOLDER]

Uses STL-10 where FOLDER or the usual torchvision folder has it; otherwise says so and looks at
crops of real photographs (the class is the photograph), written in STL-10's own format.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import clapp_neuro
from clapp_neuro.progress import track
from clapp_neuro.show import lines, table

FIXATIONS = 20_000
CHIP_IMAGES = 400  # of 49 fixations each


def example(folder: Path, data: str | None) -> None:
    """All steps; files go to `folder`."""
    preset = clapp_neuro.load_preset("stl10-dense")
    experiment = clapp_neuro.with_training(preset, mode="online", steps=FIXATIONS)
    with track("train") as report:
        trained = clapp_neuro.train(experiment, folder / "model.pt", data=data, report=report)
    lines(f"images: {trained.source}")
    with track("probe") as report:
        probed = clapp_neuro.probe(folder / "model.pt", data=data, report=report)

    compiled = clapp_neuro.compile(folder / "model.pt", "loihi2-sim")
    placement = compiled.compiled.placement
    lines(f"compiled: {len(placement.cores)} cores on {placement.chips} chip(s)")

    learned = folder / "learned.clapp"
    with track("learn on the chip") as report:
        chip = clapp_neuro.run(
            compiled.path,
            images=CHIP_IMAGES,
            learn=True,
            out=learned,
            data=data,
            probe=True,
            report=report,
        )
    rows = [
        (name, f"{p.untrained:.1%}", f"{p.accuracy:.1%}", f"{chip.accuracy[name]:.1%}")
        for p in probed.layers
        for name in [f"layer{p.layer}"]
    ]
    table(("linear readout", "untrained", "trained in float", "then on the chip"), rows)

    energy = clapp_neuro.energy(learned, images=20, data=data)
    header, *cells = energy.estimate.rows()
    table(header, cells)
    lines(*(f"- {a}" for a in energy.estimate.assumptions))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder that holds stl10_binary")
    arguments = parser.parse_args()
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            example(Path(folder), arguments.data)
    except clapp_neuro.InputError as error:
        print(f"stl10_spiking: {error}", file=sys.stderr)
        sys.exit(2)
    lines(f"done in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
