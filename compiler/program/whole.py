"""The timetable of a fixation, and the network of everything that is executed by it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from compiler.program.gate import Gate
from compiler.program.populations import ProgramPopulation
from compiler.program.somata import Relay, Soma
from compiler.program.synapses import Synapses
from compiler.program.widths import TAG_UNITS
from compiler.terms import Compartment


@dataclass(frozen=True)
class Timetable:
    """Time steps of one fixation; `predict` is the last step, at which counts are shifted."""

    steps: int
    period: int
    retro: int
    predict: int

    def last_tau(self, level: int) -> int:
        """A population's own tau when the fixation of the input ends: whole units are carried."""
        return (self.period - 1 - level) % self.period


@dataclass(frozen=True)
class Program:
    """A whole compiled network, ready for an engine."""

    target: str
    seed: int
    timetable: Timetable
    populations: tuple[ProgramPopulation, ...]
    synapses: tuple[Synapses, ...]
    gates: tuple[Gate, ...]
    modulators: tuple[str, ...]
    weight_max: int
    tag_max: int
    provenance: dict[str, str] = field(default_factory=dict)

    def population(self, name: str) -> ProgramPopulation:
        """The population of that name; KeyError if there is none."""
        return self._populations[name]

    # Looked up once: programs have hundreds of parts, and passes ask for each part's neighbours.

    @cached_property
    def _populations(self) -> dict[str, ProgramPopulation]:
        return {p.name: p for p in self.populations}

    @cached_property
    def population_row(self) -> dict[str, int]:
        """Where each population stands among all: its row in an engine's tables."""
        return {p.name: row for row, p in enumerate(self.populations)}

    @cached_property
    def synapse_row(self) -> dict[str, int]:
        """Where each projection stands among all."""
        return {s.name: row for row, s in enumerate(self.synapses)}

    @cached_property
    def arriving(self) -> dict[str, tuple[Synapses, ...]]:
        """The synapses that end on each population; KeyError where one ends on none."""
        return self._sorted_by("target")

    @cached_property
    def leaving(self) -> dict[str, tuple[Synapses, ...]]:
        """The synapses that begin at each population; KeyError where one begins at none."""
        return self._sorted_by("source")

    def _sorted_by(self, end: str) -> dict[str, tuple[Synapses, ...]]:
        found: dict[str, list[Synapses]] = {p.name: [] for p in self.populations}
        for s in self.synapses:
            found[getattr(s, end)].append(s)
        return {name: tuple(some) for name, some in found.items()}

    @cached_property
    def low(self) -> dict[str, Synapses]:
        """The low synapses of each pair, by the name of the high ones."""
        return {s.into: s for s in self.synapses if s.paired}

    @property
    def forward(self) -> tuple[Synapses, ...]:
        """The synapses of the forward pass: those that drive somata which spike."""
        spiking = {p.name for p in self.populations if isinstance(p.soma, Soma | Relay)}
        driving = (s for s in self.synapses if s.compartment is Compartment.SOMA)
        return tuple(s for s in driving if s.target in spiking)

    def largest_tag(self, s: Synapses) -> int:
        """The largest magnitude of the tags of a projection."""
        return TAG_UNITS * self.weight_max if s.in_turn else self.tag_max

    def potential_unit(self, population: str) -> float:
        """The real value of one unit of a population's potential; ValueError if nothing drives it.

        Bias, threshold and start have the same unit.
        """
        soma = self.population(population).soma
        driving = [s for s in self.arriving[population] if s.compartment is Compartment.SOMA]
        if not isinstance(soma, Soma) or not driving:
            raise ValueError(f"{population} has no potential, or nothing drives it")
        return driving[0].unit / 2**soma.input_shift

    @property
    def plastic(self) -> bool:
        """Whether any synapse learns."""
        return any(s.rule is not None for s in self.synapses)
