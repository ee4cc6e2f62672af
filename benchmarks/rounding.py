"""How tight are the bounds on what rounding does? Potentials of the integers beside real ones.

    python benchmarks/rounding.py [--samples 32] [--json FILE]

Networks with fixed weights, compiled and run by the simulator on samples; each layer in real
numbers hears the spikes that the integer layers below it sent. As long as a neuron spikes alike in
both, and was not clipped to 24 bits, its potentials are compared: the largest difference found,
over all neurons, steps and samples; the bound that the compiler stated beforehand, for any input;
and the largest interval that holds the integers given what these samples brought. All three as
shares of the threshold, and how much of each bound was used. Near are potentials that the interval
does not keep from the other side of the threshold. Networks are trained, samples drawn from seed 0.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import clapp_neuro
from clapp_neuro.checkpoint import load_checkpoint
from clapp_neuro.config import with_settings
from clapp_neuro.show import dump, lines, table
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends import simulator
from compiler.design_rules.suggest import with_limits
from compiler.frontends.checkpoint import network_from_checkpoint
from compiler.ir import Compartment, Network, Neuron, Population, Projection, Reset, Schedule
from compiler.pipeline import Compiled, compile_network
from compiler.precision import Beside
from compiler.program import MEMBRANE_MAX
from compiler.targets import load_target
from compiler.trace import Stimulus

DRIVEN = 200  # neurons of the network that is no checkpoint


@dataclass(frozen=True)
class Row:
    """A layer; differences and bounds are shares of its lowest threshold."""

    network: str
    bits: int
    layer: str
    stated: float
    on_samples: float
    found: float
    near: float

    @property
    def cells(self) -> tuple[str, ...]:
        """As `HEADER` names them."""
        return (
            self.network,
            f"{self.bits}",
            self.layer,
            f"{self.stated:.2%}",
            f"{self.on_samples:.2%}",
            f"{self.found:.2%}",
            f"{self.found / self.stated:.3f}",
            f"{self.found / self.on_samples:.2f}",
            f"{self.near:.3%}",
        )


HEADER = (
    *("network", "bits", "layer", "stated", "on samples", "found"),
    *("found / stated", "found / on samples", "near"),
)


def measure(name: str, bits: int, network: Network, samples: int) -> list[Row]:
    """A row for each layer of LIF neurons that spike."""
    loihi2 = load_target("loihi2-sim")
    target = replace(loihi2, machine=with_limits(loihi2.machine, {"weight_bits": bits}))
    compiled = compile_network(network, target)
    stimulus = shown(compiled, samples)
    traces = list(simulator.trace(compiled.program, stimulus, learn=False))
    names = [layer.population for layer in compiled.quantized.layers]
    spikes = {n: np.stack([t.spikes[n] for t in traces]) for n in traces[0].spikes}
    whole = {n: np.stack([t.membrane[n] for t in traces]) for n in names}
    beside = Beside(compiled.quantized, stimulus.intensities, spikes)
    alike = {n: np.ones(spikes[n][:, 0].shape, bool) for n in names}
    found, reach, near = (dict.fromkeys(names, 0.0) for _ in range(3))
    for step in beside.real.steps():
        beside.step()
        for n in names:
            cells, same = beside.real.cells[n], alike[n]
            unit = compiled.program.potential_unit(n)
            same &= cells.spikes == spikes[n][:, step]
            same &= np.abs(cells.before) + beside.drifts[n].before.magnitude < MEMBRANE_MAX * unit
            apart = np.abs(whole[n][:, step] * unit - cells.v)
            found[n] = max(found[n], float((apart * same).max()))
            reach[n] = max(reach[n], float((beside.drifts[n].v.magnitude * same).max()))
            near[n] += float(beside.near[n].mean()) / compiled.program.timetable.steps
    return [
        Row(
            name,
            bits,
            layer.population,
            *(
                value / layer.lowest_threshold
                for value in (
                    layer.potential,
                    reach[layer.population],
                    found[layer.population],
                )
            ),
            near[layer.population],
        )
        for layer in compiled.quantized.layers
        if layer.lowest_threshold and layer.potential is not None
    ]


def shown(compiled: Compiled, samples: int) -> Stimulus:
    """Fixations over the images of a checkpoint; else graded values, one in five not 0."""
    program = compiled.program
    if "experiment" in program.provenance:
        return gaze(program, images_of(program, None), samples, 0)
    random, steps = np.random.default_rng(0), program.timetable.steps
    given = {}
    for p in program.populations:
        if p.soma is None:
            shape = samples, steps, p.size
            given[p.name] = random.integers(1, p.sequence + 1, shape) * (random.random(shape) < 0.2)
    return Stimulus({name: values.astype(np.int16) for name, values in given.items()}, {})


def recurrent() -> Network:
    """Spikes onto neurons with a synaptic current, which hear one another."""
    random = np.random.default_rng(0)
    neuron = Neuron(0.9, 1.0, Reset.SUBTRACT_AT_ONCE, current_decay=0.7)
    return Network(
        (
            Population("input", DRIVEN, 0, sequence=1),
            Population("layer", DRIVEN, 1, neuron),
        ),
        tuple(
            Projection(
                *(name, source, "layer", Compartment.SOMA),
                random.normal(0.01, scale, (DRIVEN, DRIVEN)),
                delay=delay,
            )
            for name, source, scale, delay in (
                ("in", "input", 0.08, 0),
                ("again", "layer", 0.02, 1),
            )
        ),
        Schedule(50),
    )


def trained(preset: str, steps: int, folder: Path) -> Network:
    """A checkpoint of so many minibatches, with its weights fixed."""
    path = folder / f"{preset}.pt"
    if not path.exists():
        settings = {"steps": steps, "seed": 0, "batch_size": 32}
        clapp_neuro.train(with_settings(clapp_neuro.load_preset(preset), train=settings), path)
    return network_from_checkpoint(load_checkpoint(path), plastic=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for bits in (8, 5):
            networks = {
                "fashion-dense, 200 minibatches": trained("fashion-dense", 200, Path(folder)),
                "fashion-conv-chip, 5 minibatches": trained("fashion-conv-chip", 5, Path(folder)),
                "recurrent, random": recurrent(),
            }
            for name, network in networks.items():
                rows += measure(name, bits, network, arguments.samples)
    table(HEADER, [row.cells for row in rows])
    lines(f"{arguments.samples} samples, seed 0")
    dump(arguments.json, {"samples": arguments.samples, "rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
