"""The same network and images on several machines, each line beside the same line.

Event-driven machines pay for synaptic operations and neuron updates that happened. Conventional
ones are taken as dense: every synapse costs a multiply-accumulate at each time step, whether a
spike arrives or not. Their learning is counted as generously as it can be: predictions and
retrodictions once a fixation, an outer product only in slots that had something to learn, and one
operation for each copy of a synapse that is averaged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clapp_neuro.errors import InputError
from compiler.energy.band import Band, Line, NotPublished, total
from compiler.energy.estimate import Estimate, Lines, estimate
from compiler.events import Events
from compiler.events.neurobench import dense_forward_operations, synapses_of
from compiler.passes.place import place
from compiler.program import Program, Tally
from compiler.targets import (
    ConventionalMachine,
    Figure,
    load_machine,
    machine_names,
)


@dataclass(frozen=True)
class Comparison:
    """One estimate a machine; `refused` holds machines that cannot take the network, and why."""

    estimates: tuple[Estimate, ...]
    refused: dict[str, str]

    def rows(self) -> list[tuple[str, ...]]:
        """Table rows an image: machine, phase, and the four lines."""
        titles = "an image|phase|cores, dynamic|cores, static|management and I/O|total"
        rows: list[tuple[str, ...]] = [tuple(titles.split("|"))]
        for e in self.estimates:
            for phase, lines in (("inference", e.inference), ("learning", e.learning)):
                if lines is not None:
                    image = lines.each(e.images)
                    cells = (image.dynamic, image.static, image.management, image.total)
                    rows.append((e.title, phase, *(str(cell) for cell in cells)))
        rows += [(name, "–", reason, "", "", "") for name, reason in self.refused.items()]
        return rows

    def to_json(self) -> dict[str, Any]:
        """Plain data by machine."""
        return {
            "machines": {e.machine: e.to_json() for e in self.estimates},
            "refused": dict(self.refused),
        }


def compare(
    events: Events,
    program: Program,
    machines: tuple[str, ...] | None = None,
    *,
    fixations_per_image: float = 1.0,
) -> Comparison:
    """Estimates for the named machines, or all that ship.

    Machines are compared by energy only: whether one could run the learning rule is what
    `compiler.checks` says. InputError for an unknown machine, ValueError without fixations.
    """
    estimates, refused = [], {}
    for name in event_driven_first() if machines is None else machines:
        machine = load_machine(name)
        if isinstance(machine, ConventionalMachine):
            estimates.append(_dense(events, program, machine, fixations_per_image))
            continue
        try:
            placement = place(program, machine)
        except InputError as error:
            refused[machine.title] = str(error)
            continue
        estimates.append(
            estimate(events, placement, machine, fixations_per_image=fixations_per_image)
        )
    return Comparison(tuple(estimates), refused)


def event_driven_first() -> tuple[str, ...]:
    """All machines whose energy is known, neuromorphic ones before conventional ones."""
    names = [name for name in machine_names() if _energy_known(name)]
    return tuple(sorted(names, key=lambda n: isinstance(load_machine(n), ConventionalMachine)))


def _energy_known(name: str) -> bool:
    """Whether any coefficient is a figure; some designs are described without."""
    energy = load_machine(name).energy
    return any(isinstance(getattr(energy, key), Figure) for key in type(energy).model_fields)


def _dense(
    events: Events, program: Program, machine: ConventionalMachine, fixations_per_image: float
) -> Estimate:
    if events.fixations == 0:
        raise ValueError("a run without fixations has no energy an image")
    operations, updates = dense_operations(events, program)
    parts = []
    for macs, neurons in zip(operations, updates, strict=True):
        parts.append(
            {
                "synaptic_operation": Band.of(machine.energy.synaptic_operation).scaled(macs),
                "neuron_update": Band.of(machine.energy.neuron_update).scaled(neurons),
            }
        )
    none = NotPublished("not published", ("idle power", "host"))

    def lines(of: dict[str, Band]) -> Lines:
        return Lines(total(list(of.values())), none, none, none, none)

    return Estimate(
        machine=machine.name,
        title=machine.title,
        fixations=events.fixations,
        images=events.fixations / fixations_per_image,
        inference=lines(parts[0]),
        learning=lines(parts[1]) if events.learn else None,
        inference_events=_as_lines(parts[0]),
        learning_events=_as_lines(parts[1]) if events.learn else {},
        assumptions=machine.assumptions,
    )


def dense_operations(events: Events, program: Program) -> tuple[tuple[int, int], tuple[int, int]]:
    """((inference, learning) multiply-accumulates, (inference, learning) neuron operations)."""
    fixations, steps = events.fixations, events.steps
    somata = [p for p in program.populations if p.soma is not None]
    means = sum(p.size for p in somata if isinstance(p.soma, Tally))
    forward = fixations * dense_forward_operations(program)
    updates = fixations * steps * (sum(p.size for p in somata) - means)
    if not events.learn:
        return (forward, 0), (updates, 0)
    size = {s.name: synapses_of(program, s) for s in program.synapses}
    driving = {s.name for s in program.forward}
    delivered = fixations * sum(
        size[s.name] * len(s.listens) for s in program.synapses if s.name not in driving
    )
    scores = fixations * sum(program.population(g.population).size for g in program.gates)
    outer = sum(s.learning_slots * size[s.name] for s in events.projections)
    averaged = sum(s.averaged for s in events.projections)
    post = fixations * (steps * means + sum(p.size * len(p.post_values) for p in somata))
    return (forward, delivered + scores + outer + averaged), (updates, post)


def _as_lines(parts: dict[str, Band]) -> dict[str, Line]:
    return dict(parts)
