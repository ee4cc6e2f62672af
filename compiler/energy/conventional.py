"""Joules of the same run on a processor: as a dense network, and as a loop over events.

A dense network pays a multiply-accumulate for every synapse at each time step, whether a spike
arrives or not. Its learning is counted as generously as it can be: predictions and retrodictions
once a fixation, an outer product only in slots that had something to learn, one operation for each
copy of a synapse that is averaged. A loop over events pays what spikes ask for, and changes the
synapses that a chip would change; messages that nobody needs are not sent.
"""

from __future__ import annotations

from compiler.energy.band import Line, NotPublished, scaled, total
from compiler.energy.coefficients import Coefficients
from compiler.energy.estimate import Estimate, Item, Lines
from compiler.events import Events
from compiler.events.neurobench import dense_forward_operations, synapses_of
from compiler.program import Program, Tally
from compiler.targets import ConventionalMachine

Counts = tuple[tuple[float, float], tuple[float, float]]
"""(inference, learning) operations on synapses, (inference, learning) neuron operations."""


def conventional(
    events: Events,
    program: Program,
    machine: ConventionalMachine,
    *,
    fixations_per_image: float = 1.0,
    seed: int = 0,
) -> tuple[Estimate, Estimate]:
    """(dense, event-driven) on the machine; ValueError without fixations."""
    if events.fixations == 0:
        raise ValueError("a run without fixations has no energy an image")
    coefficients = Coefficients(machine, seed)
    variants = (
        (
            "dense",
            "dense",
            dense_operations(events, program),
            ("synaptic_operation", "neuron_update"),
        ),
        ("events", "event loop", event_operations(events), ("event_operation", "event_update")),
    )
    found = []
    for variant, words, counts, names in variants:
        phases = [_items(counts, phase, names, coefficients) for phase in (0, 1)]
        found.append(
            Estimate(
                machine=machine.name,
                title=f"{machine.title} {words}",
                fixations=events.fixations,
                images=events.fixations / fixations_per_image,
                inference=_lines(phases[0]),
                learning=_lines(phases[1]) if events.learn else None,
                inference_events=phases[0],
                learning_events=phases[1] if events.learn else (),
                assumptions=machine.assumptions,
                variant=variant,
            )
        )
    return found[0], found[1]


def dense_operations(events: Events, program: Program) -> Counts:
    """Multiply-accumulates and neuron operations of a machine that skips nothing."""
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
    outer = sum(s.learning_slots * size[s.name] for s in events.projections if s.learning_slots)
    averaged = sum(s.averaged for s in events.projections)
    post = fixations * (steps * means + sum(p.size * len(p.post_values) for p in somata))
    return (forward, delivered + scores + outer + averaged), (updates, post)


def event_operations(events: Events) -> Counts:
    """Accumulations and neuron operations that events ask for."""
    forward, learned = events.inference, events.learning
    delivered = learned.synaptic_operations - learned.ignored_synaptic_operations
    carries = sum(s.units_carried for s in events.projections)
    changed = learned.plastic_updates + carries + learned.averaged
    updates = forward.active_updates + forward.idle_updates
    return (forward.synaptic_operations, delivered + changed), (updates, learned.post_writes)


def _items(
    counts: Counts, phase: int, names: tuple[str, str], coefficients: Coefficients
) -> tuple[Item, ...]:
    return tuple(
        Item(name, of[phase], scaled(coefficients.energy(name), of[phase]))
        for name, of in zip(names, counts, strict=True)
    )


def _lines(items: tuple[Item, ...]) -> Lines:
    dynamic: Line = total([item.energy for item in items])
    none = NotPublished("not published", ("idle power", "host"))
    return Lines(dynamic, none, none, none, none, none)
