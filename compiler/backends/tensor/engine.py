"""Runs a program on tensors: `infer` many fixations, `simulate` many networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from clapp_neuro.errors import InputError
from compiler.backends.tensor.machine import Machine, on_device
from compiler.events import Events
from compiler.products import general
from compiler.program import Program
from compiler.terms import Connection
from compiler.trace import Stimulus

AT_ONCE = 1 << 12  # fixations of `infer`, so that memory does not grow with their number ...
CURRENTS = 1 << 26  # ... nor with the network: at most so many currents of one population


@dataclass(frozen=True)
class Outcome:
    """Of one network: what it has learned, scores and gates (F, gates) int64, and what happened."""

    program: Program
    scores: np.ndarray
    gates: np.ndarray
    events: Events


def infer(
    program: Program, stimulus: Stimulus, *, device: str = "cpu"
) -> tuple[dict[str, np.ndarray], Events]:
    """Forward pass of independent fixations: spike counts uint8 (F, N) a population, and events."""
    require_whole_presentations(program)
    parts: dict[str, list[np.ndarray]] = {p.name: [] for p in program.populations if p.soma}
    events = None
    widest = max(p.size for p in program.populations)
    at_once = max(1, min(AT_ONCE, CURRENTS // (widest * program.timetable.steps)))
    for start in range(0, max(stimulus.fixations, 1), at_once):
        shown = stimulus.part(start, start + at_once)
        machine = Machine([program], torch.device(device), learn=False, rows=shown.fixations)
        machine.show(
            {name: on_device(values, device) for name, values in shown.intensities.items()}
        )
        machine.forward()
        for name, counts in parts.items():
            counts.append(machine.state[name]["count"].to(torch.uint8).cpu().numpy())
        found = machine.counters.totals()
        events = found if events is None else events + found
    assert events is not None
    counted = events.events(program, stimulus.fixations, learn=False)
    return {name: np.concatenate(counts) for name, counts in parts.items()}, counted


def simulate(
    programs: Sequence[Program],
    stimuli: Sequence[Stimulus],
    *,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Every fixation in order with scores, gates and on-chip learning, of all networks at once.

    The programs differ in nothing but weights, tags, averages and seeds. Raises InputError where
    they do, where stimuli are not equally long, or where a rule is not made for this engine.
    """
    _require_alike(programs, stimuli)
    machine = Machine(programs, torch.device(device), learn=True, rows=len(programs))
    program, fixations = programs[0], stimuli[0].fixations
    shown = {
        p.name: on_device(np.stack([s.intensities[p.name] for s in stimuli], 1), device)
        for p in program.populations
        if p.soma is None
    }
    signals = {
        name: on_device(np.stack([s.signals[name] for s in stimuli], 1).astype(np.int64), device)
        for name in program.modulators
    }
    scores = torch.zeros(fixations, len(programs), len(program.gates), dtype=torch.int64)
    gates = torch.zeros_like(scores)
    for fixation in range(fixations):
        machine.show({name: values[fixation] for name, values in shown.items()})
        machine.signals |= {name: values[fixation] for name, values in signals.items()}
        machine.fixation(fixation)
        for number, gate in enumerate(program.gates):
            scores[fixation, :, number] = machine.scores[gate.name]
            gates[fixation, :, number] = machine.signals[gate.name]
        if progress is not None:
            progress(fixation + 1)
    return [
        Outcome(
            machine.learned(row),
            scores[:, row].numpy(),
            gates[:, row].numpy(),
            machine.counters.of(row).events(program, fixations, learn=True),
        )
        for row in range(len(programs))
    ]


def require_whole_presentations(program: Program) -> None:
    """InputError where something learns from spike times, or kernels learn."""
    untied = [s.name for s in program.synapses if s.connection is Connection.UNTIED]
    if untied:
        raise InputError(
            f"projection {untied[0]}: each position has a kernel of its own, which the engine on "
            "tensors does not know; run this network on the simulator"
        )
    other = next(beyond(program), None)
    if other is not None:
        raise InputError(f"{other}; run this network on the simulator")
    timed = [f"projection {s.name} learns at any time step" for s in program.synapses if general(s)]
    timed += [f"input {p.name} sends spikes" for p in program.populations if p.spikes]
    timed += [f"gate {g.name} rewards" for g in program.gates if g.classes]
    if timed:
        raise InputError(
            f"{timed[0]}: the engine on tensors goes through whole presentations; run this network "
            "on the simulator"
        )


def beyond(program: Program) -> Iterator[str]:
    """What of any neurons, recurrence and sequences this engine does not execute yet, in words."""
    for p in program.populations:
        soma = p.soma
        alike = soma.plain is not None and len(soma.bias) in (0, p.map[0]) if soma else True
        if isinstance(soma, Soma) and not alike:
            yield f"population {p.name}: the engine on tensors has neurons that are all alike"
        if p.sequence:
            yield f"input {p.name}: the engine on tensors is given nothing step by step"
    for s in program.synapses:
        source, target = program.population(s.source), program.population(s.target)
        soma = s.compartment is Compartment.SOMA and source.spiking
        if s.connection is Connection.ONE_TO_ONE or s.delay or (soma and s.delay):
            yield f"projection {s.name}: the engine on tensors has no recurrence and no delays"
        if soma and (target.level - source.level != 1 or target.latched):
            yield f"projection {s.name}: the engine on tensors has spikes of the level below only"


def _require_alike(programs: Sequence[Program], stimuli: Sequence[Stimulus]) -> None:
    if not programs or len(programs) != len(stimuli):
        raise InputError(f"{len(programs)} programs and {len(stimuli)} stimuli: give one for each")
    if len({s.fixations for s in stimuli}) > 1:
        raise InputError("stimuli of networks that run side by side must be equally long")
    require_whole_presentations(programs[0])
    first = _bare(programs[0])
    for number, program in enumerate(programs):
        if _bare(program) != first:
            raise InputError(
                f"program {number} differs from the first in more than its weights and its seed: "
                "networks that run side by side are compiled alike"
            )


def _bare(program: Program) -> Program:
    """The program without what may differ."""
    empty = np.zeros((0, 0), np.int8)
    return replace(
        program,
        seed=0,
        provenance={},
        synapses=tuple(replace(s, weights=empty, tags=None, unit=1.0) for s in program.synapses),
        populations=tuple(
            p
            if p.averages is None
            else replace(p, averages=replace(p.averages, mean=empty, variance=empty))
            for p in program.populations
        ),
    )
