"""Programs of maps that learn with other numbers: weights, thresholds, scales, gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.connectivity import on_the_map
from compiler.ir import Connection
from compiler.products import carries
from compiler.program import (
    MEMBRANE_MAX,
    Product,
    Program,
    ProgramPopulation,
    Soma,
    SumOfProducts,
    Synapses,
)

LEARNING = (Connection.UNTIED, Connection.CONVOLUTION)


def driven_by_spikes(program: Program) -> Program:
    """The input sends spikes to the first layer, and its counts as before."""
    steps = program.timetable.steps

    def of_population(p: ProgramPopulation) -> ProgramPopulation:
        if p.soma is None:
            return replace(p, spikes=True, messages=tuple(m for m in p.messages if m.step > 0))
        return replace(p, soma=replace(p.soma, latched=False)) if p.latched else p

    latched = {p.name for p in program.populations if p.latched}
    return replace(
        program,
        populations=tuple(of_population(p) for p in program.populations),
        synapses=tuple(
            replace(s, listens=tuple(range(steps)))
            if s.target in latched and s.listens == (0,) and s.connection in LEARNING
            else s
            for s in program.synapses
        ),
    )


def with_numbers(program: Program, seed: int, kernel: int) -> Program:
    """The same network with random weights and tags, and carries soon; copies have that side.

    Thresholds are such that some neurons spike at some steps; half of the gates open whatever their
    score; post values fill a part of their seven bits.
    """
    random = np.random.default_rng(seed)
    after = program.timetable.period.bit_length() - 1 + int(random.integers(0, 3))
    populations = tuple(_population(program, p, random, kernel) for p in program.populations)
    return replace(
        program,
        populations=populations,
        synapses=tuple(_synapses(program, s, random, kernel, after) for s in program.synapses),
        gates=tuple(
            replace(g, margin=MEMBRANE_MAX) if random.random() < 0.5 else g for g in program.gates
        ),
        seed=int(random.integers(0, 2**32)),
    )


def _population(
    program: Program, p: ProgramPopulation, random: np.random.Generator, kernel: int
) -> ProgramPopulation:
    if not isinstance(p.soma, Soma):
        return p
    heard = next(s for s in program.synapses if s.target == p.name)
    fan_in = program.population(heard.source).map[0] * kernel**2
    current = 73 * np.sqrt(fan_in) * (148 if p.latched else 0.5)  # standard deviations, about
    return replace(
        p,
        soma=replace(
            p.soma,
            threshold=int(current * random.uniform(0.3, 2)),
            input_shift=0,
            reset=str(random.choice(["subtract", "zero"])),
        ),
        post_values=tuple(
            replace(
                v, multiplier=int(random.integers(128, 256)), shift=int(random.integers(11, 16))
            )
            for v in p.post_values
        ),
    )


def _synapses(
    program: Program, s: Synapses, random: np.random.Generator, kernel: int, after: int
) -> Synapses:
    if s.rule is None:
        return s
    shape, real = s.weights.shape, np.ones(1, bool)
    if s.connection is Connection.UNTIED:
        shape = (*shape[:3], kernel, kernel)
        real = on_the_map(shape, program.population(s.target).map[1:])
    alike = random.integers(-107, 108, shape[1:])  # or an average of copies would be next to 0
    weights = (alike + random.integers(-20, 21, shape)) * real
    most = 2000 if s.in_turn else 255
    tags = random.integers(-most, most + 1, shape) * real
    return replace(
        s,
        weights=weights.astype(np.int8),
        tags=tags.astype(np.int16),
        rule=_carried(s.rule, f"u{after}") if carries(s.rule) else s.rule,
    )


def _carried(rule: SumOfProducts, due: str) -> SumOfProducts:
    """The same rule that carries at another u_k."""

    def renamed(products: tuple[Product, ...]) -> tuple[Product, ...]:
        old = f"u{rule.carry_exponent}"
        return tuple(
            replace(p, factors=tuple(due if f == old else f for f in p.factors)) for p in products
        )

    return replace(rule, dw=renamed(rule.dw), dt=renamed(rule.dt))
