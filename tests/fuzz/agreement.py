"""Whether engines agree on a case, and where they first do not, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from plain_engine import PlainEngine, restated

from clapp_neuro.errors import InputError
from compiler.backends import lava, simulator, tensor
from compiler.events import Events
from compiler.program import Program
from compiler.soundness import fault
from compiler.trace import FixationTrace
from compiler.verify import compare
from fuzz.cases import Case

TIMEOUT = 60.0


@dataclass(frozen=True)
class Ran:
    """What a run leaves: `counts` (F, N) a population, of inference; scores, gates (F, gates)."""

    program: Program
    counts: dict[str, np.ndarray]
    scores: np.ndarray
    gates: np.ndarray
    events: Events


def first_difference(left: Ran, right: Ran) -> str | None:
    """Where two runs first differ: what, of which population or projection, where; or None."""
    return next(_differences(left, right), None)


def _differences(left: Ran, right: Ran) -> Iterator[str]:
    for name, counts in left.counts.items():
        yield from _of_arrays(f"the count of {name}", counts, right.counts[name], "fixation")
    for i, gate in enumerate(left.program.gates):
        for what in ("scores", "gates"):
            ours, theirs = getattr(left, what)[:, i], getattr(right, what)[:, i]
            yield from _of_arrays(f"{what} of {gate.name}", ours, theirs, "fixation")
    for s, other in zip(left.program.synapses, right.program.synapses, strict=True):
        yield from _of_arrays(f"the weight of {s.name}", s.weights, other.weights)
        if s.tags is not None:
            yield from _of_arrays(f"the tag of {s.name}", s.tags, other.tags)
    for p, theirs in zip(left.program.populations, right.program.populations, strict=True):
        for what in ("mean", "variance") if p.averages is not None else ():
            ours, others = getattr(p.averages, what), getattr(theirs.averages, what)
            yield from _of_arrays(f"the {what} of {p.name}", ours, others)
    if left.program != right.program:
        yield "something else of the program differs"
    yield from _of_events(left.events, right.events)


def _of_arrays(what: str, ours: np.ndarray, theirs: np.ndarray, first: str = "") -> Iterator[str]:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        yield f"{what}: {ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}"
        return
    for index in np.argwhere(ours != theirs)[:1]:
        place = [int(i) for i in index]
        where = f"{first} {place[0]}, neuron {place[1:]}" if first else f"place {place}"
        yield f"{what} is {ours[tuple(index)]} and {theirs[tuple(index)]} at {where}"


def _of_events(ours: Events, theirs: Events) -> Iterator[str]:
    for kind in ("populations", "projections", "gates"):
        for one, other in zip(getattr(ours, kind), getattr(theirs, kind), strict=True):
            for f in fields(one):
                a, b = getattr(one, f.name), getattr(other, f.name)
                if a != b:
                    yield f"{f.name} of {one.name} is {a} and {b} over all fixations"
    if ours != theirs:
        yield "something else of the events differs"


def on_tensors(case: Case) -> str | None:
    """Simulator and tensors: every step, and whole runs with all events."""
    ours, theirs = (
        engine.trace(case.program, case.stimulus, case.learn) for engine in (simulator, tensor)
    )
    found = _in_traces(case.program, ours, theirs)
    if found is not None:
        return found
    if not case.learn:
        return first_difference(_inferred(case, simulator.infer), _inferred(case, tensor.infer))
    alone = _simulated(case)
    # side by side, and each like one alone
    for outcome in tensor.simulate([case.program] * 2, [case.stimulus] * 2):
        ran = Ran(outcome.program, {}, outcome.scores, outcome.gates, outcome.events)
        found = first_difference(alone, ran)
        if found is not None:
            return f"whole runs: {found}"
    return _parts(case, alone)


def on_lava(case: Case) -> str | None:
    """Simulator and Lava, every step; None as well where Lava refuses the program by name."""
    try:
        theirs = lava.trace(case.program, case.stimulus, case.learn, TIMEOUT)
    except InputError:
        return None
    return _in_traces(
        case.program, simulator.trace(case.program, case.stimulus, case.learn), theirs
    )


def on_plain(case: Case) -> str | None:
    """Simulator and plain integers, every step, of what `PlainEngine` restates; None for others."""
    program = case.program
    if not restated(program) or (program.plastic and not case.learn):
        return None
    plain = PlainEngine(program)
    found = _in_traces(program, simulator.trace(program, case.stimulus), plain.trace(case.stimulus))
    if found is not None:
        return found
    ours = simulator.simulate(program, case.stimulus).program
    return None if ours == plain.learned() else "what was learned differs"


ENGINES: dict[str, Callable[[Case], str | None]] = {
    "tensor": on_tensors,
    "lava": on_lava,
    "plain": on_plain,
}


def difference(against: str, case: Case) -> str | None:
    """What is wrong with a case: unsound, an engine that fails, or a difference; None: nothing."""
    broken = fault(case.program)
    if broken is not None:
        return f"the compiler made what no engine executes: {broken}"
    try:
        return ENGINES[against](case)
    except Exception as error:  # whatever an engine raises on a sound program is a find
        return f"an engine failed: {type(error).__name__}: {error}"


def _in_traces(
    program: Program, ours: Iterable[FixationTrace], theirs: Iterable[FixationTrace]
) -> str | None:
    for total in compare(program, ours, theirs):
        if total.first_difference is not None:
            return str(total.first_difference)
    return None


def _simulated(case: Case) -> Ran:
    ran = simulator.simulate(case.program, case.stimulus)
    return Ran(ran.program, {}, ran.scores, ran.gates, ran.events)


def _parts(case: Case, whole: Ran) -> str | None:
    """A run that stops before the fixation `split`, and another that goes on from its state."""
    first = simulator.simulate(case.program, case.stimulus.part(0, case.split))
    rest = case.stimulus.part(case.split, case.stimulus.fixations)
    ran = simulator.simulate(first.program, rest, state=first.state)
    found = first_difference(whole, Ran(ran.program, {}, ran.scores, ran.gates, ran.events))
    return None if found is None else f"a run in two parts, of {case.split} first: {found}"


def _inferred(case: Case, infer: Callable[..., tuple[dict[str, np.ndarray], Events]]) -> Ran:
    counts, events = infer(case.program, case.stimulus)
    none = np.zeros((0, len(case.program.gates)), np.int64)
    return Ran(case.program, counts, none, none, events)
