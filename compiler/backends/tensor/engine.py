"""Runs a program on tensors: `infer` many fixations, `simulate` many networks side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from clapp_neuro.errors import InputError
from compiler.backends.tensor.agenda import forward, run
from compiler.backends.tensor.machine import Machine, on_device
from compiler.connectivity import fan_in
from compiler.events import Events
from compiler.events.notes import notes
from compiler.events.steps import StepRecorder
from compiler.program import Program, Tally
from compiler.terms import Connection
from compiler.trace import Stimulus, count_type, require_fitting

AT_ONCE = 1 << 12  # fixations of `infer`, so that memory does not grow with their number ...
CURRENTS = 1 << 26  # ... nor with the network: at most so many numbers of one population


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
    """Forward pass of independent fixations: spike counts (F, N) a population, and events.

    Counts are uint8, or uint32 where a fixation has more than 255 steps. Spatial means, which serve
    learning only, have none.
    """
    require_fitting(program, stimulus)
    parts: dict[str, list[np.ndarray]] = {
        p.name: []
        for p in program.populations
        if p.soma is not None and not isinstance(p.soma, Tally)
    }
    events = None
    recorder = _recorder(program, stimulus.fixations, learn=False)
    at_once = max(1, min(AT_ONCE, CURRENTS // (_widest(program) * program.timetable.steps)))
    for start in range(0, max(stimulus.fixations, 1), at_once):
        shown = stimulus.part(start, start + at_once)
        machine = Machine([program], torch.device(device), learn=False, rows=shown.fixations)
        machine.show(
            {name: on_device(values, device) for name, values in shown.intensities.items()}
        )
        forward(machine)
        for name, counts in parts.items():
            counts.append(machine.state[name]["count"].cpu().numpy().astype(count_type(program)))
        machine.counters.record_rows(recorder, start)
        found = machine.counters.totals()
        events = found if events is None else events + found
    assert events is not None
    record = recorder.record(stimulus.fixations)
    counted = events.events(program, stimulus.fixations, record, learn=False)
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
    they do, or where stimuli are not equally long.
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
    recorders = [_recorder(program, fixations, learn=True) for _ in programs]
    for fixation in range(fixations):
        machine.show({name: values[fixation] for name, values in shown.items()})
        machine.signals |= {name: values[fixation] for name, values in signals.items()}
        run(machine, fixation)
        machine.counters.record(recorders, fixation)
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
            machine.counters.of(row).events(
                program, fixations, recorder.record(fixations), learn=True
            ),
        )
        for row, recorder in enumerate(recorders)
    ]


def _recorder(program: Program, fixations: int, *, learn: bool) -> StepRecorder:
    noted = len(notes(program)) if learn else 0
    recorder = StepRecorder(len(program.populations), program.timetable.steps, noted)
    recorder.make_room(fixations)
    return recorder


def _widest(program: Program) -> int:
    """The most numbers that one step of one population takes: currents, or what kernels see."""
    kernels = (
        len(s.weights) * fan_in(s.connection, s.weights.shape)
        for s in program.forward
        if s.connection is Connection.UNTIED
    )
    return max([*(p.size for p in program.populations), *kernels])


def _require_alike(programs: Sequence[Program], stimuli: Sequence[Stimulus]) -> None:
    if not programs or len(programs) != len(stimuli):
        raise InputError(f"{len(programs)} programs and {len(stimuli)} stimuli: give one for each")
    if len({s.fixations for s in stimuli}) > 1:
        raise InputError("stimuli of networks that run side by side must be equally long")
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
