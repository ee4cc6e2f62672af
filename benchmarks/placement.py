"""Hops on the mesh: cores put close by `compiler.passes.placing.locate` against cores in a row.

    python benchmarks/placement.py [--json FILE]

Untrained networks of presets, placed for a target. Counted is one message of every neuron to each
core that hears it, whatever a run would send; nothing is random but the weights, which do not
matter. Of a run, `clapp-neuro energy` counts the hops of the messages that were sent.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from compile import checkpoint_of

from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.files import write_whole
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.passes.placing.place import place
from compiler.pipeline import compile_network
from compiler.targets import load_target

NETWORKS = (
    ("fashion-dense-3", True, "loihi2-sim"),
    ("stl10-dense", True, "loihi2-sim"),
    ("fashion-conv-chip", True, "loihi2-sim"),
    ("stl10-vgg6", False, "loihi2-sim"),
    ("stl10-vgg6", True, "generic-sim"),
)
"""Preset, whether it learns, target."""


def measure(preset: str, learn: bool, target: str) -> dict[str, Any]:
    """Hops of the placement and of cores in a row, and the seconds that placing takes."""
    chosen = load_target(target)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.pt"
        checkpoint_of(preset, model, learn)
        network = network_from_checkpoint(load_checkpoint(model), plastic=learn)
    program = compile_network(network, chosen).program
    began = time.process_time()
    placement = place(program, chosen)
    return {
        "preset": preset,
        "learns": learn,
        "target": target,
        "cores": len(placement.cores),
        "chips": placement.chips,
        "hops": placement.hops,
        "hops_in_a_row": placement.hops_in_a_row,
        "cpu_seconds": time.process_time() - began,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    print("| network | target | cores | chips | hops | in a row | times fewer | placed in |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    figures = []
    for network in NETWORKS:
        found = measure(*network)
        figures.append(found)
        learns = "learning" if found["learns"] else "static"
        fewer = found["hops_in_a_row"] / found["hops"] if found["hops"] else 1.0
        print(
            f"| {found['preset']}, {learns} | {found['target']} | {found['cores']:,} | "
            f"{found['chips']} | {found['hops']:,} | {found['hops_in_a_row']:,} | {fewer:.2f} | "
            f"{found['cpu_seconds']:.2f} s |"
        )
    if arguments.json:
        text = json.dumps(figures, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
