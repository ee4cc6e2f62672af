"""The tables of docs/results.md on compiling: the precision lost.

    python scripts/measure_compiling.py [--batches N] [--labelled N] [--seeds 0 1 2] [--json FILE]

For each seed a batch-trained network is compiled as it is. Accuracy: the same linear readout on the
float network's and on the chip's counts. Rounding: what the passes say. Agreement with the float
network that starts from the same integer weights: `verify --against reference --learn`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from measure_results import spread

import clapp_neuro
from clapp_neuro.files import write_whole


def measure(
    seed: int, batches: int, labelled: int, fixations: int, folder: Path, data: str | None
) -> dict[str, Any]:
    """One seed: accuracies in percent, rounding as shares of a matrix's norm, agreement."""
    preset = clapp_neuro.load_preset("fashion-dense")
    experiment = clapp_neuro.with_training(preset, mode="batch", steps=batches, seed=seed)
    source = clapp_neuro.train(experiment, folder / "model.pt", data=data).source
    readout = clapp_neuro.probe(folder / "model.pt", data=data, train_images=labelled)
    compiled = clapp_neuro.compile(folder / "model.pt", seed=seed)
    chip = clapp_neuro.run(compiled.path, probe=True, train_images=labelled, data=data)
    verified = clapp_neuro.verify(
        compiled.path,
        against="reference",
        learn=True,
        fixations=fixations,
        data=data,
        seed=seed,
    )
    return {
        "source": source,
        "float": [100 * r.accuracy for r in readout.layers],
        "chip": [100 * a for a in chip.accuracy.values()],
        "rounding": {
            n.subject: n.cost for n in compiled.compiled.notes if n.stage == "quantize" and n.cost
        },
        "agreement": verified.agreement,
    }


def show_precision(runs: list[dict[str, Any]]) -> None:
    """Two tables in Markdown."""
    print("| readout, percent | float | compiled | difference |\n| --- | --- | --- | --- |")
    for layer in range(len(runs[0]["float"])):
        ours, theirs = ([r[k][layer] for r in runs] for k in ("chip", "float"))
        lost = [o - t for o, t in zip(ours, theirs, strict=True)]
        print(f"| layer {layer + 1} | {spread(theirs)} | {spread(ours)} | {spread(lost)} |")
    print("\n| | rounded away, percent of the norm | correlation | relative error |")
    print("| --- | --- | --- | --- |")
    for name in runs[0]["agreement"]:
        found = [r["agreement"][name] for r in runs]
        subject = name.removesuffix(" change")
        rounding = [100 * r["rounding"][subject] for r in runs if subject in r["rounding"]]
        cells = [spread([f[k] for f in found], 4) for k in ("correlation", "relative_error")]
        print(f"| {name} | {spread(rounding) if rounding else '–'} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", type=int, default=3_000)
    parser.add_argument("--labelled", type=int, default=10_000)
    parser.add_argument("--fixations", type=int, default=200, help="of the comparison with float")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for seed in arguments.seeds:
            own = Path(folder) / str(seed)
            own.mkdir()
            settings = (arguments.batches, arguments.labelled, arguments.fixations)
            runs.append(measure(seed, *settings, own, arguments.data))
    print(f"{runs[0]['source']}; mean ± sd over {len(runs)} seeds\n")
    show_precision(runs)
    if arguments.json:
        text = json.dumps({"seeds": runs}, indent=1)
        write_whole(arguments.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
