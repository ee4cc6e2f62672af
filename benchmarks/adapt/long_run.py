"""Whether learning stays sound: a million fixations on the simulated chip, looked at on the way.

    python benchmarks/adapt/long_run.py [--preset P] [--fixations N] [--looks N] [--seed N]
                                        [--data DIR] [--json FILE]

After each stretch the chip, which does not learn meanwhile, sees the first 1,000 test images: a
neuron is dead that never spikes then, and always on where it spikes in every fixation. Beside it
the stretch's loss and open gates, how far weights have gone, and what was clipped in all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import clapp_neuro
from clapp_neuro.files import write_whole
from clapp_neuro.show import lines, table
from clapp_neuro.verbs.sight import gaze, images_of, readout_populations, scan
from compiler.backends.simulator import infer, simulate
from compiler.bundle import read_bundle
from compiler.program import Program

IMAGES = 1_000


def measure(preset: str, fixations: int, looks: int, seed: int, data: str | None) -> dict[str, Any]:
    """Stretches of equal length of one run, the state before it first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "start.pt"
        chosen = clapp_neuro.with_training(
            clapp_neuro.load_preset(preset), mode="online", steps=0, seed=seed
        )
        clapp_neuro.train(chosen, path, data=data)
        clapp_neuro.compile(path, seed=seed)
        program, _ = read_bundle(path.with_suffix(".clapp"))
    images = images_of(program, data)
    found = [{"fixations": 0, **_state(program, images.test_images)}]
    state, length = None, fixations // looks
    for number in range(looks):
        stimulus = gaze(program, images, length, seed, start=number * length)
        result = simulate(program, stimulus, state=state)
        program, state = result.program, result.state
        found.append(
            {
                "fixations": state.fixation,
                **_state(program, images.test_images),
                "loss": _losses(program, stimulus.signals, result.scores[-length:]),
                "gate": (result.gates[-length:] != 0).mean(0).tolist(),
                "tags_clipped": sum(p.tag_clipped for p in result.events.projections),
                "weights_clipped": sum(p.weight_clipped for p in result.events.projections),
                "post_clipped": sum(p.post_clipped for p in result.events.populations),
                "post_writes": sum(p.post_writes for p in result.events.populations),
            }
        )
        print(f"{state.fixation:,} fixations", flush=True)
    return {"preset": preset, "seed": seed, "source": images.source, "stretches": found}


def _state(program: Program, images: np.ndarray) -> dict[str, Any]:
    """Firing, dead and always-on neurons by layer, and the share of weights at their limit."""
    names = list(readout_populations(program).values())
    counts, _ = infer(program, scan(program, images[:IMAGES]), keep=tuple(names))
    weights = [np.abs(s.weights.astype(np.int16)) for s in program.synapses if s.rule is not None]
    return {
        "rate": [float(counts[n].mean() / program.timetable.steps) for n in names],
        "dead": [int((counts[n] == 0).all(0).sum()) for n in names],
        "always_on": [int((counts[n] > 0).all(0).sum()) for n in names],
        "at_limit": sum(int((w == program.weight_max).sum()) for w in weights)
        / sum(w.size for w in weights),
    }


def _losses(program: Program, signals: dict[str, np.ndarray], scores: np.ndarray) -> list[float]:
    """Hinge loss (Eq. 3) of each gate, in margins."""
    return [
        float(np.maximum(0, gate.margin - signals[gate.modulator] * scores[:, i]).mean())
        / gate.margin
        for i, gate in enumerate(program.gates)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="fashion-dense")
    parser.add_argument("--fixations", type=int, default=1_000_000)
    parser.add_argument("--looks", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data")
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    found = measure(a.preset, a.fixations, a.looks, a.seed, a.data)
    lines(f"{found['source']}; preset {a.preset}, seed {a.seed}; by layer")
    table(
        ("fixations", "loss", "gate open", "firing", "dead", "always on", "weights at limit"),
        [
            (
                f"{s['fixations']:,}",
                ", ".join(f"{v:.3f}" for v in s.get("loss", ())) or "–",
                ", ".join(f"{v:.0%}" for v in s.get("gate", ())) or "–",
                ", ".join(f"{v:.1%}" for v in s["rate"]),
                ", ".join(map(str, s["dead"])),
                ", ".join(map(str, s["always_on"])),
                f"{s['at_limit']:.1e}",
            )
            for s in found["stretches"]
        ],
    )
    last = found["stretches"][-1]
    lines(
        f"clipped in all: {last['tags_clipped']:,} tags, {last['weights_clipped']:,} weights, "
        f"{last['post_clipped']:,} of {last['post_writes']:,} post values"
    )
    if a.json:
        text = json.dumps(found, indent=1)
        write_whole(a.json, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    main()
