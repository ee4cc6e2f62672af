"""Lowers a quantised network with its learning rules to the program of a chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.ir import (
    Connection,
    LearningRule,
    Projection,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.lowering.averages import lower_averages
from compiler.passes.lowering.consolidation import CARRY, Consolidation
from compiler.passes.lowering.fixation_rule import free_register, lower_fixation_rule
from compiler.passes.lowering.gate import lower_gate
from compiler.passes.lowering.messages import heard_by, messages_of
from compiler.passes.lowering.pair import pair_of
from compiler.passes.lowering.schedule import Plan
from compiler.passes.lowering.schedule_traces import SERIAL_BITS, traced
from compiler.passes.lowering.spike_timing import lower_spike_timing
from compiler.passes.lowering.traces import lower_traces
from compiler.passes.lowering.units import (
    assumed_peaks,
)
from compiler.passes.quantizing.quantize import Quantized
from compiler.products import accumulates
from compiler.program import (
    PostValue,
    Program,
    ProgramPopulation,
    SumOfProducts,
    Synapses,
)
from compiler.report import Note
from compiler.turns import in_turn

POST_STREAMS = 1 << 16  # random streams of post values; below it, streams of projections


def lower_learning(
    quantized: Quantized,
    plan: Plan,
    *,
    target: str,
    seed: int,
    weight_max: int,
    tag_max: int,
    averaged: int = 0,
    consolidation: Consolidation = CARRY,
) -> tuple[Program, tuple[Note, ...]]:
    """The integer program of a quantised network; static networks pass through without rules.

    averaged: after how many fixations the copies of untied kernels are averaged, 0 for never. Where
    kernels learn in turn: after how many the management processor carries all tags into weights.
    consolidation: of rules that learn once a fixation. Raises InputError where what learns in turn
    would never be carried.
    """
    network = quantized.network
    managed = any(in_turn(p) for p in network.projections)
    if managed and averaged < 1:
        raise InputError(f"weights carried every {averaged} fixations: give at least 1")
    notes = assumed_peaks(network)
    post_values: dict[str, list[PostValue]] = {p.name: [] for p in network.populations}
    synapses: list[Synapses] = []
    for index, projection in enumerate(network.projections):
        rule, fine = None, 0
        slots: tuple[int, ...] = ()
        if isinstance(projection.rule, SpikeTimingRule):
            rule, values = lower_spike_timing(quantized, plan, projection, notes)
            post_values[projection.target] += _streamed(values, post_values)
        elif traced(projection):
            taken = post_values[projection.target]
            rule, values = lower_traces(quantized, plan, projection, taken, notes)
            taken += _streamed(values, post_values)
        elif projection.rule is not None:
            slots = plan.slots[projection.name]
            register = free_register(projection, post_values[projection.target])
            rule, values, fine = lower_fixation_rule(
                quantized, plan, projection, notes, consolidation, register
            )
            post_values[projection.target] += _streamed(values, post_values)
        lowered = _synapses(quantized, plan, projection, index, rule, slots, fine)
        if projection.connection is Connection.UNTIED or (managed and rule is not None):
            lowered = replace(lowered, averaged=averaged)
        if consolidation.kind == "pair" and isinstance(projection.rule, LearningRule):
            low_index = len(network.projections) + index
            dropped = quantized.integers[projection.name].tags
            synapses += pair_of(lowered, dropped, consolidation, low_index, notes)
        else:
            synapses.append(lowered)
    populations = tuple(
        ProgramPopulation(
            name=p.name,
            size=p.size,
            level=p.level,
            soma=quantized.somas.get(p.name),
            messages=messages_of(quantized, plan, p.name),
            post_values=tuple(sorted(post_values[p.name], key=lambda v: (v.step, v.register))),
            averages=lower_averages(p, network.schedule.steps, notes),
            shape=p.shape,
            spikes=p.spikes,
            sequence=p.sequence,
        )
        for p in sorted(network.populations, key=lambda p: (p.neuron is not None, p.level))
    )
    serial = SERIAL_BITS if plan.together else 0
    gates = tuple(
        lower_gate(quantized, c, plan.timetable, notes, serial) for c in network.comparators
    )
    program = Program(
        target=target,
        seed=seed,
        timetable=plan.timetable,
        populations=populations,
        synapses=tuple(synapses),
        gates=gates,
        modulators=tuple(m.name for m in network.modulators),
        weight_max=weight_max,
        tag_max=tag_max,
        provenance=network.provenance,
    )
    return program, tuple(notes)


def _streamed(values: list[PostValue], others: dict[str, list[PostValue]]) -> list[PostValue]:
    """The values with random numbers of their own."""
    taken = POST_STREAMS + sum(len(v) for v in others.values())
    return [replace(value, stream=taken + i) for i, value in enumerate(values)]


def _synapses(
    quantized: Quantized,
    plan: Plan,
    projection: Projection,
    index: int,
    rule: SumOfProducts | None,
    slots: tuple[int, ...],
    fine: int,
) -> Synapses:
    integers = quantized.integers[projection.name]
    tags = integers.tags
    carried = rule is not None and (
        accumulates(rule) or any("sgn(t)" in p.factors or p.factors[1:] == ("t",) for p in rule.dw)
    )
    if rule is not None and not carried:
        tags = np.zeros(integers.weights.shape, np.int16)  # unused, or an eligibility
    if tags is not None:
        tags = tags << fine
    listens, shift = heard_by(quantized, plan, projection)
    return Synapses(
        name=projection.name,
        index=index,
        source=projection.source,
        target=projection.target,
        compartment=projection.compartment,
        weights=integers.weights,
        tags=tags if rule is not None else None,
        unit=integers.unit,
        listens=listens,
        delivery_shift=shift,
        rule=rule,
        slots=slots,
        connection=projection.connection,
        fine=fine,
        delay=projection.delay,
        geometry=projection.geometry,
    )
