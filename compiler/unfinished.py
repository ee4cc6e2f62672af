"""A run that was interrupted, as a compiled file carries it: what is needed to go on to the bit."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from compiler.backends.simulator import State
from compiler.backends.simulator.memory import lay_out
from compiler.backends.simulator.operations import Field
from compiler.backends.simulator.working import allocate
from compiler.events.columns import PopulationCount, SynapseCount
from compiler.events.notes import notes
from compiler.events.steps import ARRAYS as STEPS
from compiler.events.steps import StepRecord, StepRecorder
from compiler.program import Program

PREFIX = "run."  # of the arrays' names; projections are named after their layers
ARRAYS = tuple(f.name for f in fields(State) if f.name not in ("fixation", "record"))


@dataclass(frozen=True)
class Unfinished:
    """The state of a run after some of its fixations, and what it was asked to do."""

    seed: int
    fixations: int
    state: State


def to_parts(run: Unfinished) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Plain numbers and named arrays."""
    numbers = {"seed": run.seed, "fixations": run.fixations, "fixation": run.state.fixation}
    arrays = {PREFIX + name: getattr(run.state, name) for name in ARRAYS}
    record = run.state.record
    if record is not None:
        numbers["stride"] = record.stride
        arrays |= {PREFIX + name: getattr(record, name) for name in STEPS}
    return numbers, arrays


def from_parts(numbers: dict[str, int], arrays: dict[str, np.ndarray]) -> Unfinished:
    """The inverse of `to_parts`; KeyError or TypeError where something is missing or odd."""
    arrays = {PREFIX + "traces": np.zeros(0, np.int16), **arrays}  # once no rule had any
    kept = {name: arrays[PREFIX + name] for name in ARRAYS}
    if len(kept["fields"]) == Field.MEAN:  # written before there were running averages
        kept["fields"] = np.pad(kept["fields"], ((0, len(Field) - Field.MEAN), (0, 0)))
    width = kept["synapse_counts"].shape[-1]
    # ... or maps, or general rules, or copies of kernels
    if width in (SynapseCount.OPERATIONS, SynapseCount.VISITED, SynapseCount.AVERAGED):
        missing = len(SynapseCount) - width
        kept["synapse_counts"] = np.pad(kept["synapse_counts"], ((0, 0), (0, missing)))
    width = kept["population_counts"].shape[-1]
    if width == PopulationCount.CURRENT_WRAPPED:  # written before there were synaptic currents
        missing = len(PopulationCount) - width
        kept["population_counts"] = np.pad(kept["population_counts"], ((0, 0), (0, missing)))
    record = None  # written before steps were recorded, or what is learned in them
    if "stride" in numbers and PREFIX + "noted" in arrays:
        record = StepRecord(_count(numbers["stride"]), *(arrays[PREFIX + name] for name in STEPS))
    state = State(fixation=_count(numbers["fixation"]), **kept, record=record)
    return Unfinished(_count(numbers["seed"]), _count(numbers["fixations"]), state)


def misfit(run: Unfinished, program: Program) -> str | None:
    """What of the state does not belong to the program, or None: the engine trusts its shapes."""
    state, fresh = run.state, allocate(program, lay_out(program, learn=True))
    if state.fixation > run.fixations:
        return f"{state.fixation} of {run.fixations} fixations were run"
    log = (state.fixation, len(program.gates))
    shapes = {
        "fields": fresh.state.shape,
        "population_counts": fresh.population_counts.shape,
        "synapse_counts": fresh.synapse_counts.shape,
        "gate_counts": fresh.gate_counts.shape,
        "scores": log,
        "gates": log,
        "traces": fresh.learners.values.shape,
    }
    types = {"fields": np.int32, "traces": np.int16}
    for name, shape in shapes.items():
        array, dtype = getattr(state, name), np.dtype(types.get(name, np.int64))
        if array.shape != shape or array.dtype != dtype:
            return f"{name} is {array.dtype} {array.shape}, not {dtype} {shape}"
    if state.fields[Field.VARIANCE].min(initial=0) < 0:
        return "a variance is below 0"
    if state.record is None:
        return None
    recorder = StepRecorder(len(program.populations), program.timetable.steps, len(notes(program)))
    recorder.make_room(state.fixation)
    return _misfit_of_record(state.record, recorder.record(state.fixation))


def _misfit_of_record(record: StepRecord, like: StepRecord) -> str | None:
    """What of the record is not as in `like`, an empty one of as many fixations."""
    if record.stride != like.stride:
        return f"steps are of one fixation in {record.stride}, not in {like.stride}"
    for name in STEPS:
        array, wanted = getattr(record, name), getattr(like, name)
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            return f"{name} is {array.dtype} {array.shape}, not {wanted.dtype} {wanted.shape}"
        if array.min(initial=0) < 0:
            return f"{name} has a count below 0"
    return None


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value
