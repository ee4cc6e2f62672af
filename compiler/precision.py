"""A compiled program beside its source in real numbers, on samples: what rounding did to spikes.

The source runs in real numbers. Beside it goes the interval that its integers must lie in
(`compiler.passes.quantizing.drift`), with the inputs that there were and not the worst ones: as
long as no potential comes so near to its threshold that the interval holds both sides, every spike
of the sample is certain, whatever the rounding. After the first that is not, the two may go
different ways. So a share of samples is certain as a whole, and every sample up to some step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from compiler.ir import Neuron, Projection
from compiler.passes.quantizing.deviation import errors_of
from compiler.passes.quantizing.drift import Drift, Span, Spikes, Step
from compiler.passes.quantizing.quantize import Quantized
from compiler.program import Soma
from compiler.real_numbers.cells import Cells, whole_parameters
from compiler.real_numbers.linear import through
from compiler.real_numbers.network import RealNetwork
from compiler.terms import Compartment, Reset

AT_ONCE = 1 << 22  # neurons times samples
ROUNDOFF = 1e-9  # of what is compared: what sums in float64 may be off, in whatever order


@dataclass
class LayerMeasured:
    """Of one population: how often its neurons spiked in real numbers and as integers.

    differing: neurons and steps in which one spiked and the other did not; near: in which the
    potential was so near to its threshold that this spike is not certain; of `asked` in all.
    """

    real: int = 0
    executed: int = 0
    differing: int = 0
    near: int = 0
    asked: int = 0

    @property
    def rate_shift(self) -> float | None:
        """Spikes of the integers over those of the real neurons, less 1; None without any."""
        return self.executed / self.real - 1 if self.real else None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "rate_shift": self.rate_shift}


@dataclass(frozen=True)
class Measured:
    """Of all populations, and of each sample the steps (F,) before any spike is uncertain.

    cut: potentials that were clipped and currents that wrapped, of which no interval knows.
    """

    steps: int
    certain_steps: np.ndarray
    cut: int = 0
    layers: dict[str, LayerMeasured] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many there were."""
        return len(self.certain_steps)

    @property
    def certain(self) -> int:
        """Samples of which every spike is certain."""
        return int((self.certain_steps == self.steps).sum())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "samples": self.samples,
            "steps": self.steps,
            "certain_samples": self.certain,
            "cut": self.cut,
            "certain_steps": self.certain_steps.tolist(),
            "layers": {name: layer.to_json() for name, layer in self.layers.items()},
        }


def together(parts: Sequence[Measured]) -> Measured:
    """Samples that were measured one part after the other."""
    found = Measured(
        parts[0].steps,
        np.concatenate([part.certain_steps for part in parts]),
        sum(part.cut for part in parts),
        {name: LayerMeasured() for name in parts[0].layers},
    )
    for name, layer in found.layers.items():
        for part in parts:
            for counted in fields(LayerMeasured):
                more = getattr(part.layers[name], counted.name)
                setattr(layer, counted.name, getattr(layer, counted.name) + more)
    return found


def measure(
    quantized: Quantized,
    shown: Mapping[str, np.ndarray],
    spikes: Mapping[str, np.ndarray],
    cut: int = 0,
) -> Measured:
    """The source beside what its integers did.

    shown: by input, what the program was shown (`Stimulus.intensities`), of F samples; spikes: by
    population bool (F, T, N), what it answered; cut: see `Measured`.
    """
    network = quantized.network
    samples = len(next(iter(shown.values())))
    some = max(1, AT_ONCE // max(p.size for p in network.populations))
    steps = np.full(samples, network.schedule.steps)
    spiking = [
        p.name for p in network.populations if isinstance(p.neuron, Neuron) and p.neuron.spiking
    ]
    found = Measured(
        network.schedule.steps, steps, cut, {name: LayerMeasured() for name in spiking}
    )
    for first in range(0, samples, some):
        part = slice(first, first + some)
        beside = Beside(quantized, {name: given[part] for name, given in shown.items()})
        for step in beside.real.steps():
            uncertain = beside.step()
            steps[part] = np.where(uncertain, np.minimum(steps[part], step), steps[part])
            for name, layer in found.layers.items():
                beside.count(layer, name, spikes[name][part, step])
    return found


class Beside:
    """Real neurons with the error of their integers, for some samples.

    By population: `drifts`, and `near`, bool (B, N), where a spike of this step is not certain.
    """

    def __init__(
        self,
        quantized: Quantized,
        shown: Mapping[str, np.ndarray],
        sent: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """shown, sent: see `RealNetwork`; hearing the integers' spikes, each layer stands alone."""
        self._network = quantized.network
        self.real = RealNetwork(quantized.network, shown, sent)
        self._wrong: dict[str, np.ndarray] = {}
        self.drifts: dict[str, Drift] = {}
        self.near: dict[str, np.ndarray] = {}
        for name, cells in self.real.cells.items():
            driving = {p.name: p.weights for p in self.real.driving(name)}
            self._wrong |= errors_of(driving, quantized.integers)
            soma, population = quantized.somas[name], self._network.population(name)
            assert isinstance(soma, Soma) and isinstance(population.neuron, Neuron)
            grain = _unit(quantized, name) / 2**soma.input_shift
            self.drifts[name] = Drift(cells.of, whole_parameters(soma, population.map), grain)

    def step(self) -> np.ndarray:
        """bool (B,): in which samples a spike of this step is not certain."""
        uncertain = np.zeros(len(next(iter(self.real.cells.values())).v), bool)
        for name, cells in self.real.cells.items():
            drift, h = self.drifts[name], cells.of.threshold
            left = drift.v
            drift.step(self._arriving(name), _done(cells))
            if h is None:
                continue
            near = _may_differ(cells.before - h, drift.distance, h)
            if cells.of.reset is Reset.SUBTRACT_ONCE:  # what was left is held against it, too
                near |= _may_differ(cells.last_v - h, left.moved(-drift.threshold), h)
            self.near[name] = near
            uncertain |= near.any(1)
        return uncertain

    def count(self, layer: LayerMeasured, name: str, executed: np.ndarray) -> None:
        """Adds this step of a population, of which `executed` (B, N) spiked."""
        real = self.real.cells[name].spikes
        layer.real += int(real.sum())
        layer.executed += int(executed.sum())
        layer.differing += int((real != executed).sum())
        layer.near += int(self.near[name].sum())
        layer.asked += real.size

    def _arriving(self, name: str) -> Span:
        """The error of what arrives, which is known."""
        target = self._network.population(name)
        total = np.zeros_like(self.real.cells[name].v)
        for p in self.real.driving(name):
            source, heard = self._network.population(p.source), self.real.heard[p.name]
            total = total + through(
                p.connection, self._wrong[p.name], heard, source.map, target.map, p.geometry
            )
        return Span.exactly(total)


def _unit(quantized: Quantized, population: str) -> float:
    """The unit of the weights onto its somata."""
    arriving = quantized.network.arriving[population]
    driving: list[Projection] = [p for p in arriving if p.compartment is Compartment.SOMA]
    return quantized.integers[driving[0].name].unit if driving else 1.0


def _done(cells: Cells) -> Step:
    return Step(
        Span.exactly(cells.last_u),
        Span.exactly(cells.last_v),
        Spikes(cells.paid, cells.paid),
        Spikes(cells.spikes, cells.spikes),
    )


def _may_differ(above: np.ndarray, error: Span, threshold: np.ndarray) -> np.ndarray:
    """Where a value above 0 may be one of at most 0 with its error, or the other way round."""
    slack = ROUNDOFF * (np.abs(above) + threshold)
    return np.where(above > 0, above + error.low <= slack, above + error.high > -slack)
