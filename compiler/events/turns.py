"""Events of the buffers and learners of kernels that learn in turn (`compiler.turns`).

They are populations and projections of the chip that a program only implies, and are recorded like
all others. Buffers count as active from the first message of a slot until they have passed on the
last, learners as long as positions have their turns.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.events.records import PopulationEvents, ProjectionEvents
from compiler.program import Program, Synapses
from compiler.terms import Connection
from compiler.turns import (
    buffers_of,
    counts_of,
    learners_of,
    post_values_of,
    traces_of,
    turns_of,
)


def populations_in_turn(
    program: Program, s: Synapses, fixations: int, kept: int
) -> tuple[PopulationEvents, PopulationEvents]:
    """Buffers, which pass on each of the `kept` messages, and learners."""
    out, channels, kernel, _ = s.weights.shape
    turns, slots = turns_of(program, s), fixations * len(s.slots)
    time = fixations * program.timetable.period
    buffers = _population(
        buffers_of(s), channels * kernel**2, slots * (turns.span + 2 * turns.depth), time
    )
    learners = _population(learners_of(s), out, slots * turns.span, time)
    return replace(buffers, graded_messages=kept * kernel**2), learners


def projections_in_turn(
    program: Program, s: Synapses, heard: int, kept: int, told: int, values: int, rows: int
) -> tuple[ProjectionEvents, ...]:
    """Onto buffers, from map and buffers onto learners.

    Of the `heard` messages of the source its buffers keep `kept`; of the `told` messages of the
    map `values` are post values (an upper bound where it writes others, too). `rows` of synapses
    had something to learn.
    """
    out, channels, kernel, _ = s.weights.shape
    window, passed_on = kernel**2, kept * kernel**2
    positions = program.population(s.target).map[1] * program.population(s.target).map[2]
    counts = replace(
        _projection(counts_of(s), s.source, buffers_of(s), positions, window),
        messages=heard,
        delivered_operations=kept * window,
        ignored_operations=(heard - kept) * window,
    )
    post_values = replace(
        _projection(post_values_of(s), s.target, learners_of(s), positions, 1),
        messages=told,
        delivered_operations=values,
        ignored_operations=told - values,
    )
    traces = replace(
        _projection(traces_of(s), buffers_of(s), learners_of(s), channels * window, out),
        connection=Connection.ALL_TO_ALL,
        form="dense",
        plastic=True,
        messages=passed_on,
        trace_writes=passed_on,
        learning_visits=passed_on * out,
        plastic_updates=rows * out,
    )
    return counts, post_values, traces


def _population(name: str, neurons: int, active: int, time: int) -> PopulationEvents:
    """So many neurons, active at so many of all time steps."""
    return PopulationEvents(
        name=name,
        neurons=neurons,
        host=False,
        phase_active_updates=active * neurons,
        phase_idle_updates=(time - active) * neurons,
    )


def _projection(name: str, source: str, target: str, fan_in: int, fan_out: int) -> ProjectionEvents:
    """Synapses on which nothing has happened."""
    return ProjectionEvents(
        name=name,
        source=source,
        target=target,
        connection=Connection.GATHER,
        kernel=(0, 0),
        form="sparse",
        fan_in=fan_in,
        fan_out=fan_out,
    )
