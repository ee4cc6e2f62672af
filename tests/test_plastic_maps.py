"""Maps that learn in the simulator, against the plain engine, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import plastic_maps
from compiled_program import stimulus
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_engine import PlainEngine

from compiler.backends.simulator import trace
from compiler.backends.simulator.engine import Machine, stimulus_arrays
from compiler.connectivity import on_the_map
from compiler.events.columns import SynapseCount
from compiler.ir import Connection
from compiler.program import (
    MEMBRANE_MAX,
    Program,
    ProgramPopulation,
    Soma,
    SumOfProducts,
    Synapses,
)
from compiler.verify import compare


def with_numbers(program: Program, seed: int, kernel: int) -> Program:
    """The same network with random weights and tags, kernels of that side, soon and often carried.

    Thresholds are such that about half of the neurons spike; half of the gates open whatever their
    score.
    """
    random = np.random.default_rng(seed)
    after = program.timetable.period.bit_length() - 1 + int(random.integers(0, 3))

    def soon(rule: SumOfProducts) -> SumOfProducts:
        old = f"u{rule.carry_exponent}"

        def renamed(products: tuple) -> tuple:
            return tuple(
                replace(p, factors=tuple(f"u{after}" if f == old else f for f in p.factors))
                for p in products
            )

        return replace(rule, dw=renamed(rule.dw), dt=renamed(rule.dt))

    def of_synapses(s: Synapses) -> Synapses:
        if s.rule is None:
            return s
        shape, real = s.weights.shape, np.ones(1, bool)
        if s.connection is Connection.UNTIED:
            shape = (*shape[:3], kernel, kernel)
            real = on_the_map(shape, program.population(s.target).map[1:])
        weights = random.integers(-127, 128, shape) * real
        tags = random.integers(-255, 256, shape) * real
        return replace(
            s, weights=weights.astype(np.int8), tags=tags.astype(np.int16), rule=soon(s.rule)
        )

    def of_population(p: ProgramPopulation) -> ProgramPopulation:
        if not isinstance(p.soma, Soma):
            return p
        heard = next(s for s in program.synapses if s.target == p.name)
        fan_in = program.population(heard.source).map[0] * kernel**2
        current = 73 * np.sqrt(fan_in) * (148 if p.latched else 0.5)
        threshold = int(current * random.uniform(0.3, 2))
        reset = str(random.choice(["subtract", "zero"]))
        return replace(p, soma=replace(p.soma, threshold=threshold, input_shift=0, reset=reset))

    gates = tuple(
        replace(g, margin=MEMBRANE_MAX) if random.random() < 0.5 else g for g in program.gates
    )
    return replace(
        program,
        populations=tuple(of_population(p) for p in program.populations),
        synapses=tuple(of_synapses(s) for s in program.synapses),
        gates=gates,
        seed=int(random.integers(0, 2**32)),
    )


@st.composite
def programs(draw: Callable[..., int]) -> Program:
    """One or two convolutional layers, pooled or not, of any side that leaves something to pool."""
    layers = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 17]), min_size=1, max_size=2)))
    pool = tuple(layer for layer in range(1, len(layers) + 1) if draw(st.booleans()))
    program = plastic_maps.program(
        layers=layers,
        pool=pool,
        patch=draw(st.integers(2 ** len(pool), 7)),
        steps=draw(st.integers(2, 12)),
        averaged=draw(st.sampled_from([0, 1, 2, 3])),
        coding=draw(st.sampled_from(["intensity", "on-off"])),
        rate=2.0 ** draw(st.integers(-14, -9)),
    )
    return with_numbers(program, draw(st.integers(0, 2**32)), draw(st.sampled_from([1, 3, 5])))


def counters(machine: Machine) -> dict[str, dict[str, int]]:
    rows = machine.working.synapse_counts
    return {
        s.name: {c.name: int(n) for c, n in zip(SynapseCount, row, strict=True)}
        for s, row in zip(machine.program.synapses, rows, strict=True)
    }


@given(programs(), st.integers(2, 6), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_maps_that_learn_are_what_their_docstrings_say(
    program: Program, fixations: int, seed: int
) -> None:
    """Every step, every weight and tag after it, and every count of the simulator."""
    seen = stimulus(program, fixations, seed)
    plain = PlainEngine(program)
    *_, comparison = compare(program, trace(program, seen), plain.trace(seen))
    assert comparison.equal, comparison.first_difference

    machine = Machine(program, learn=True)
    machine.run(*stimulus_arrays(program, seen))
    assert machine.learned() == plain.learned()
    for s, found in zip(program.synapses, counters(machine).values(), strict=True):
        expected = plain.counted[s.name]
        if s.connection is not Connection.ALL_TO_ALL:
            assert found["OPERATIONS"] == expected.operations, s.name
        assert found["ROWS_LEARNED"] == expected.rows, s.name
        assert found["EPOCHS"] == expected.epochs, s.name
        assert found["CARRIED"] == expected.carried, s.name
        assert found["CARRY_VISITS"] == expected.visits, s.name
        assert found["AVERAGED"] == expected.averaged, s.name
