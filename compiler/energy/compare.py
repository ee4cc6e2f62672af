"""The same network and images on several machines, each line beside the same line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clapp_neuro.errors import InputError
from compiler.energy.band import Band, Line
from compiler.energy.coefficients import Machine
from compiler.energy.conventional import conventional
from compiler.energy.estimate import Estimate, estimate
from compiler.events import Events
from compiler.events.records import without_learning
from compiler.passes.placing.place import place
from compiler.program import Program, Tally
from compiler.targets import (
    ConventionalMachine,
    NeuromorphicMachine,
    find_machine,
    load_machine,
    machine_names,
)
from compiler.targets.figures import Derived, Measure

COLUMNS = ("dynamic", "static", "management", "total")


@dataclass(frozen=True)
class Comparison:
    """One estimate a machine and variant; `refused` are machines that cannot take the network.

    Dynamic energies are also given as multiples of `reference`, the name of one of the estimates:
    coefficients that both machines share, or that one derives from the other, cancel there.
    """

    estimates: tuple[Estimate, ...]
    refused: dict[str, str]
    reference: str | None = None

    def multiple(self, name: str, *, learning: bool) -> Band | None:
        """Dynamic energy of a sample over the reference's; None where either is not known.

        learning: of a sample that is learned from, inference included.
        """
        known = {e.name: e for e in self.estimates}
        if self.reference not in known or name not in known:
            return None
        ours, theirs = (_dynamic(known[n], learning) for n in (name, self.reference or ""))
        if not isinstance(ours, Band) or not isinstance(theirs, Band) or theirs.value == 0:
            return None
        return ours.over(theirs)

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows an image: machine, phase, four lines, dynamic as a multiple."""
        versus = f"dynamic, × {self.reference}" if self.reference else "dynamic, ×"
        titles = "an image|phase|cores, dynamic|cores, static|management and I/O|total"
        rows: list[tuple[str, ...]] = [(*titles.split("|"), versus)]
        for e in self.estimates:
            for phase, lines in (("inference", e.inference), ("learning", e.sample)):
                if lines is not None:
                    image = lines.each(e.images)
                    cells = (str(getattr(image, column)) for column in COLUMNS)
                    times = self.multiple(e.name, learning=phase != "inference")
                    rows.append((e.label, phase, *cells, "–" if times is None else str(times)))
        rows += [(title, "–", "cannot take it", "", "", "", "") for title in self.refused]
        return rows

    def notes(self) -> tuple[str, ...]:
        """What is assumed, each sentence once, after the machines of which it is said.

        Before it why a machine cannot take the network.
        """
        cannot = (f"{title}: {reason}" for title, reason in self.refused.items())
        said: dict[str, list[str]] = {}
        for e in self.estimates:
            for assumption in e.assumptions:
                said.setdefault(assumption, []).append(e.machine)
        told = (f"{', '.join(dict.fromkeys(names))}: {text}" for text, names in said.items())
        return (*cannot, *told)

    def to_json(self) -> dict[str, Any]:
        """Plain data by machine."""
        machines = {}
        for e in self.estimates:
            multiples = {
                phase: self.multiple(e.name, learning=phase == "learning")
                for phase in ("inference", "learning")
            }
            shown = {k: None if m is None else m.to_json() for k, m in multiples.items()}
            machines[e.name] = {**e.to_json(), "multiple_of_reference": shown}
        return {
            "machines": machines,
            "refused": dict(self.refused),
            "reference": self.reference,
        }


def compare(
    events: Events,
    program: Program,
    machines: tuple[str, ...] | None = None,
    *,
    fixations_per_image: float = 1.0,
    own: NeuromorphicMachine | None = None,
    seed: int = 0,
) -> Comparison:
    """Estimates for the named machines or machine files, or for all that ship.

    Machines are compared by energy only: whether one could run the learning rule is what
    `compiler.design_rules.checks` says. One that learns nothing is given the forward pass. own: the
    machine that the others are compared with, the program's own; it comes first where it is not
    among them. InputError for an unknown machine and for two of one name, ValueError without
    fixations.
    """
    estimates: list[Estimate] = []
    refused = {}
    names = event_driven_first() if machines is None else machines
    for machine in _apart(own, [find_machine(name) for name in names]):
        if isinstance(machine, ConventionalMachine):
            estimates += conventional(
                events, program, machine, fixations_per_image=fixations_per_image, seed=seed
            )
            continue
        seen, taken = events, program
        if not machine.capabilities.learning.value:
            seen, taken = forward_events(events), forward_program(program)
        try:
            placement = place(taken, machine)
        except InputError as error:
            refused[machine.title] = str(error)
            continue
        estimates.append(
            estimate(seen, placement, machine, fixations_per_image=fixations_per_image, seed=seed)
        )
    return Comparison(tuple(estimates), refused, None if own is None else own.name)


def _apart(own: NeuromorphicMachine | None, others: Sequence[Machine]) -> tuple[Machine, ...]:
    """Each machine once; InputError where two cannot be told apart by name and title."""
    listed = others if own is None or own in others else [own, *others]
    found: list[Machine] = []
    for machine in listed:
        if machine in found:
            continue
        for name in ("name", "title"):
            if getattr(machine, name) in (getattr(other, name) for other in found):
                raise InputError(
                    f"two machines that differ have the {name} '{getattr(machine, name)}': give "
                    f"one of them another {name} in its file"
                )
        found.append(machine)
    return tuple(found)


def event_driven_first() -> tuple[str, ...]:
    """All machines whose energy is known, neuromorphic ones before conventional ones."""
    names = [name for name in machine_names() if _energy_known(name)]
    return tuple(sorted(names, key=lambda n: isinstance(load_machine(n), ConventionalMachine)))


def _energy_known(name: str) -> bool:
    """Whether any coefficient is a figure; some designs are described without."""
    energy = load_machine(name).energy
    return any(isinstance(getattr(energy, k), Measure | Derived) for k in type(energy).model_fields)


def forward_program(program: Program) -> Program:
    """The program without all that only learning needs; to be placed, not to be run."""
    populations = tuple(
        replace(p, post_values=(), averages=None)
        for p in program.populations
        if not isinstance(p.soma, Tally)
    )
    synapses = tuple(replace(s, rule=None, tags=None) for s in program.forward)
    return replace(program, populations=populations, synapses=synapses, gates=(), modulators=())


def forward_events(events: Events) -> Events:
    """What a run of the forward pass alone would have done."""
    return replace(
        events,
        learn=False,
        time_steps=events.fixations * events.steps,
        populations=tuple(without_learning(p) for p in events.populations),
        projections=tuple(
            replace(without_learning(s), messages=s.forward_messages)
            for s in events.projections
            if s.forward_messages
        ),
        gates=(),
    )


def _dynamic(of: Estimate, learning: bool) -> Line | None:
    lines = of.sample if learning else of.inference
    return None if lines is None else lines.each(of.images).dynamic
