"""Events of the synapses of one projection: operations, visits of the learning engine, updates."""

from __future__ import annotations

import numpy as np

from compiler.connectivity import fan_in, kernel_of, largest_fan_out
from compiler.events.columns import SynapseCount
from compiler.events.messages import Run, Sent, hears_spikes
from compiler.events.records import Form, ProjectionEvents
from compiler.products import decimation, in_slots
from compiler.program import Synapses, Tally
from compiler.terms import Compartment, Connection

BORDERED = (Connection.CONVOLUTION, Connection.UNTIED, Connection.POOL)
"""Connections whose neurons reach fewer others at the border of a map."""


def form_of(synapses: Synapses) -> Form:
    """How a core keeps them: without the zeros where most weights are zero and none can change."""
    if synapses.connection is not Connection.ALL_TO_ALL:
        return "convolution"
    sparse = 2 * np.count_nonzero(synapses.weights) < synapses.weights.size
    return "sparse" if sparse and not synapses.changes else "dense"


def projection_events(
    run: Run, synapses: Synapses, sent: Sent, counters: np.ndarray
) -> ProjectionEvents:
    """Of one projection, from what its source `sent` and its row of the counters."""
    counts = {c.name: int(counters[c]) for c in SynapseCount}
    source = run.program.population(synapses.source)
    target = run.program.population(synapses.target)
    fan_out = largest_fan_out(synapses.connection, synapses.weights.shape, synapses.geometry)
    plastic = synapses.rule is not None and run.learn and not synapses.in_turn
    soma = synapses.compartment is Compartment.SOMA
    forward = soma and not isinstance(target.soma, Tally)
    listens = set(synapses.listens)
    graded = sent.total(listens)
    spikes = sent.spikes if hears_spikes(run, synapses) else 0
    heard = graded + spikes if forward or run.learn else 0
    form = form_of(synapses)
    stored = np.count_nonzero(synapses.weights) if form == "sparse" else fan_out * sent.neurons
    each = stored / sent.neurons  # operations that a message causes; of a sparse row the mean
    # at the border of a map a neuron reaches fewer positions: the simulator counts those
    bordered = synapses.connection in BORDERED
    operations = counts["OPERATIONS"] if bordered else round(heard * each)
    everything = sent.everything
    if not run.learn:
        everything = heard  # costed without the axons that only learning needs
    visits = everything * fan_out if plastic else 0
    if synapses.rule is not None and not in_slots(synapses):
        # spikes of both sides bring the engine to a synapse, or u_k brings it to all of them
        visits = max(counts["VISITED"], _swept(run, synapses))
    untied = synapses.connection is Connection.UNTIED
    row = synapses.weights.shape[1] if untied else fan_out  # a row for each position
    return ProjectionEvents(
        name=synapses.name,
        source=synapses.source,
        target=synapses.target,
        connection=synapses.connection,
        kernel=kernel_of(synapses.weights.shape),
        geometry=synapses.geometry,
        form=form,
        fan_in=fan_in(synapses.connection, synapses.weights.shape),
        fan_out=fan_out,
        messages=everything,
        forward_messages=heard if forward else 0,
        forward_operations=operations if forward else 0,
        graded_operations=operations if forward and (graded or source.sequence > 1) else 0,
        delivered_operations=0 if forward else operations,
        ignored_operations=round((everything - heard) * each),
        plastic=plastic,
        trace_writes=everything if plastic else 0,
        learning_visits=visits,
        plastic_updates=0 if synapses.in_turn else counts["ROWS_LEARNED"] * row + counts["VISITED"],
        learning_slots=counts["EPOCHS"],
        carry_visits=counts["CARRY_VISITS"],
        carries=counts["CARRIED"],
        averaged=counts["AVERAGED"] if run.learn else 0,
        tag_clipped=counts["TAG_CLIPPED"],
        weight_clipped=counts["WEIGHT_CLIPPED"],
    )


def _swept(run: Run, synapses: Synapses) -> int:
    """Visits of an engine that goes through all synapses in each due step, whatever they learn.

    Of rules that do nothing but in due steps. An engine here skips the steps in which nothing is
    learned, as all products are zero; a chip knows that only when it has looked.
    """
    k = due_alone(synapses)
    if k is None or not run.learn:
        return 0
    return run.fixations * run.program.timetable.period * synapses.weights.size >> k


def due_alone(synapses: Synapses) -> int | None:
    """k where a rule does nothing but in every 2^k-th time step."""
    rule = synapses.rule
    assert rule is not None
    due = {decimation(p.factors[0]) for p in (*rule.dw, *rule.dt)}
    return due.pop() if len(due) == 1 else None
