"""Strategies for programs: compiled ones, and such with numbers that no compiler chose.

A change of a program is kept where `soundness` has nothing against it, so engines must agree on
whatever this draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from varied_maps import driven_by_spikes

from clapp_neuro.errors import InputError
from compiler.connectivity import on_the_map
from compiler.ir import PRE_QUANTITIES, Network, Quantity
from compiler.products import carries, transfers
from compiler.program import EXPONENTS, MEMBRANE_MAX, Program, ProgramPopulation, Soma, Synapses
from compiler.retune import with_interval
from compiler.soundness import fault
from compiler.terms import CHANNELWISE, Connection, Reset
from fuzz.drawn import SEEDS, Draw
from fuzz.ways import ways

Refused = Callable[[str], None]


@st.composite
def programs(
    draw: Draw, sources: st.SearchStrategy[Network], refused: Refused = lambda reason: None
) -> Program | None:
    """A compiled program, changed or not; None where the compiler refuses the network.

    `refused` is told why.
    """
    network: Network = draw(sources)
    try:
        program = draw(ways(network)).compile(network).program
    except InputError as error:
        refused(str(error))
        return None
    if any(s.connection is Connection.UNTIED for s in program.synapses) and draw(st.booleans()):
        program = _sound(program, driven_by_spikes(program))
    if draw(st.booleans()):
        program = draw(carrying_often(program))
    return draw(changed(program)) if draw(st.booleans()) else program


@st.composite
def carrying_often(draw: Draw, program: Program) -> Program:
    """The same with whole units carried after every few fixations, so that short runs see it."""
    if program.low:
        return with_interval(program, draw(st.integers(1, 3)), longest=9)
    whole = (program.timetable.period - 1).bit_length()
    every = draw(st.integers(whole, max(whole, 9)))

    def often(s: Synapses) -> Synapses:
        if s.rule is None or not (carries(s.rule) or transfers(s.rule)):
            return s
        old = f"u{s.rule.carry_exponent}"
        products = (
            tuple(
                replace(p, factors=tuple(f"u{every}" if f == old else f for f in p.factors))
                for p in some
            )
            for some in (s.rule.dw, s.rule.dt)
        )
        dw, dt = products
        return replace(s, rule=replace(s.rule, dw=dw, dt=dt))

    return _sound(program, replace(program, synapses=tuple(map(often, program.synapses))))


@st.composite
def changed(draw: Draw, program: Program) -> Program:
    """The same with numbers of any legal size in any place."""
    for number in range(len(program.synapses)):
        program = draw(_changed_synapses(program, number))
    for number in range(len(program.populations)):
        if draw(st.booleans()):
            for name, value in _of_population(draw, program, program.populations[number]):
                program = _with(program, "populations", number, {name: value})
    for number, gate in enumerate(program.gates):
        if draw(st.booleans()):
            wide = st.integers(-MEMBRANE_MAX, MEMBRANE_MAX)
            parts = {
                "margin": draw(st.integers(-9, 9) | wide),
                "left": draw(st.none() | wide),
                "score_shift": draw(st.integers(0, 31)),
                "score": draw(_some(program.population(gate.population), 2)),
                "norm": draw(st.none() | st.sampled_from(PRE_QUANTITIES)),
            }
            if gate.classes:
                parts["noise"] = draw(st.integers(0, 24))
            for name, value in parts.items():
                program = _with(program, "gates", number, {name: value})
    return program


@st.composite
def _changed_synapses(draw: Draw, program: Program, number: int) -> Program:
    s = program.synapses[number]
    real = _synapses(program, s)
    if s.connection not in CHANNELWISE and draw(st.booleans()):
        values = (draw(_integers(s.weights.shape, program.weight_max)) * real).astype(np.int8)
        program = _with(program, "synapses", number, {"weights": values})
    if s.tags is not None and draw(st.booleans()):
        tags = (draw(_integers(s.tags.shape, program.largest_tag(s))) * real).astype(np.int16)
        program = _with(program, "synapses", number, {"tags": tags})
    if draw(st.booleans()):
        shift = draw(st.integers(0, 31))
        program = _with(program, "synapses", number, {"delivery_shift": shift})
    learns_in_slots = s.rule is not None and (carries(s.rule) or s.paired or s.in_turn)
    if learns_in_slots and draw(st.booleans()):
        exponent = draw(st.sampled_from(EXPONENTS))
        learned = s.rule.dw if s.paired else s.rule.dt
        some = tuple(replace(p, exponent=exponent) if "x1" in p.factors else p for p in learned)
        rule = replace(s.rule, **{"dw" if s.paired else "dt": some})
        program = _with(program, "synapses", number, {"rule": rule})
    return program


def _synapses(program: Program, s: Synapses) -> np.ndarray:
    """Where there is a synapse and not an entry that looks off the map; bool, broadcasts."""
    if s.connection is not Connection.UNTIED:
        return np.ones(1, bool)
    return on_the_map(s.weights.shape, program.population(s.target).map[1:])


@st.composite
def _integers(draw: Draw, shape: tuple[int, ...], largest: int) -> np.ndarray:
    """Any values up to the largest, or all at a limit, or none."""
    kind = draw(st.sampled_from(["any", "high", "low", "limits", "zero"]))
    random = np.random.default_rng(draw(SEEDS))
    if kind == "any":
        return random.integers(-largest, largest + 1, shape)
    if kind == "limits":
        return random.choice([-largest, largest], shape)
    return np.full(shape, {"high": largest, "low": -largest, "zero": 0}[kind])


def _of_population(
    draw: Draw, program: Program, population: ProgramPopulation
) -> Iterator[tuple[str, Any]]:
    """Fields and their new values, each judged alone."""
    if isinstance(population.soma, Soma):
        high = st.sampled_from([0, 1, 100, MEMBRANE_MAX]) | st.integers(0, MEMBRANE_MAX)
        wide = st.integers(-9, 9) | st.integers(-MEMBRANE_MAX, MEMBRANE_MAX)
        for name, strategy in (
            ("decay", st.sampled_from([0, 1, 4095, 4096]) | st.integers(0, 4096)),
            ("threshold", high),
            ("input_shift", st.integers(0, 23)),
            ("reset", st.sampled_from([Reset.SUBTRACT, Reset.ZERO, *Reset])),
            ("current_decay", st.none() | st.sampled_from([0, 1, 4095, 4096])),
            ("start", st.just(0) | wide),
            ("bias", st.lists(wide, min_size=population.map[0], max_size=population.map[0])),
        ):
            often = name not in ("current_decay", "start") or draw(st.booleans())
            if often and draw(st.booleans()):
                value = draw(strategy)
                value = tuple(value) if name == "bias" else value
                yield "soma", replace(population.soma, **{name: value})
    if population.averages is not None and draw(st.booleans()):
        own, size = population.averages, (population.size,)
        random = np.random.default_rng(draw(SEEDS))
        steps = program.timetable.steps
        mean, variance = (
            random.integers(0, (most << own.fraction) + 1, size) for most in (steps, steps**2)
        )
        whole = {"mean": mean.astype(np.int32), "variance": variance.astype(np.int32)}
        epsilon = draw(st.sampled_from([1, own.epsilon]))
        yield "averages", replace(own, **whole, epsilon=epsilon)
    for i, value in enumerate(population.post_values):
        if draw(st.booleans()):
            new = replace(
                value,
                factors=draw(_some(population, 3)),
                gate=draw(st.sampled_from([None, *_signals(program), value.gate])),
                multiplier=draw(st.sampled_from([value.multiplier, 1, -1, 2**15])),
                shift=draw(st.sampled_from([value.shift, 0, 31]) | st.integers(0, 31)),
                granularity=draw(st.sampled_from([1, 2, 4, 8, 128])),
                rectified=draw(st.sampled_from(["", "half", "full"])),
            )
            values = population.post_values
            yield "post_values", (*values[:i], new, *values[i + 1 :])
    for i, message in enumerate(population.messages):
        if draw(st.booleans()):
            new_message = replace(
                message, drop=draw(st.integers(0, 8)), lift=draw(st.integers(0, 8))
            )
            sent = population.messages
            yield "messages", (*sent[:i], new_message, *sent[i + 1 :])


def _signals(program: Program) -> list[str]:
    return [*program.modulators, *(g.name for g in program.gates)]


def _some(population: ProgramPopulation, most: int) -> st.SearchStrategy[tuple[Quantity, ...]]:
    known = [q for q in Quantity if q is not Quantity.DEVIATION or population.averages is not None]
    return st.lists(st.sampled_from(known), min_size=1, max_size=most).map(tuple)


def _with(program: Program, kind: str, number: int, changes: dict[str, Any]) -> Program:
    """The program with one of its populations, synapses or gates changed, if that is sound."""
    parts = list(getattr(program, kind))
    parts[number] = replace(parts[number], **changes)
    return _sound(program, replace(program, **{kind: tuple(parts)}))


def _sound(program: Program, other: Program) -> Program:
    return program if fault(other) is not None else other
