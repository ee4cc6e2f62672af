"""From images to a chip that learns, in a few minutes: train, compile, learn, verify, cost.

    python examples/demo.py [FOLDER]      (`make demo` sets everything up first)

Files are left in FOLDER, default runs/demo. Each step is one command of `clapp-neuro`; the command
is printed before its output.
"""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path

from clapp_neuro.cli import main

FIXATIONS = "20000"
CHIP_IMAGES = "2500"  # of 9 fixations each


def steps(folder: Path) -> list[tuple[str, list[str]]]:
    """What the demo does, in order: a sentence and a command."""
    model, program, learned = (
        str(folder / n) for n in ("model.pt", "model.clapp", "learned.clapp")
    )
    preset = ["--preset", "fashion-dense", "--mode", "online", "--steps", FIXATIONS]
    return [
        (
            "Train a small spiking CLAPP network online, without labels.",
            ["train", *preset, "--out", model],
        ),
        (
            "How well does a linear readout separate the classes?",
            ["probe", model, "--train-images", "3000"],
        ),
        (
            "Compile it for a Loihi-2-class machine.",
            ["compile", model, "--target", "loihi2-sim", "--out", program],
        ),
        (
            "Go on learning on the simulated chip, in 8-bit weights.",
            [
                "run",
                program,
                "--learn",
                "--images",
                CHIP_IMAGES,
                "--probe",
                "--train-images",
                "3000",
                "--out",
                learned,
            ],
        ),
        (
            "Does Lava compute the same bits, learning included?",
            ["verify", learned, "--learn", "--fixations", "40"],
        ),
        (
            "What does it cost, and how far is that to be trusted?",
            ["energy", learned, "--compare", "all", "--images", "100"],
        ),
    ]


def demo(folder: Path) -> None:
    """Run all steps; exits with the code of the first that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    for sentence, arguments in steps(folder):
        print(f"\n# {sentence}\n$ clapp-neuro {shlex.join(arguments)}", flush=True)
        try:
            main(arguments)
        except SystemExit as end:
            if end.code:
                sys.exit(end.code)
    print(f"\nDone in {time.perf_counter() - began:.0f} s; the files are in {folder}.")


if __name__ == "__main__":
    demo(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/demo"))
