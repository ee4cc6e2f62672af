"""Events of a program whose spikes are given, not simulated: for published networks.

Of a published workload the sizes are known, sometimes the number of weights, seldom the weights
themselves. Spike trains with the published rates, shown to a placed program with as many synapses,
give every count that an energy model needs. Nothing is assumed about where spikes come from, so
recurrent projections are counted like all others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compiler.connectivity import fan_in, kernel_of, largest_fan_out
from compiler.events.fan_out import fan_out, receives
from compiler.events.moments import Cause, Moments
from compiler.events.projections import form_of
from compiler.events.records import Events, PopulationEvents, ProjectionEvents
from compiler.events.steps import StepRecord
from compiler.program import Program, ProgramPopulation, Synapses

Trains = Mapping[str, np.ndarray]


def count_spike_trains(
    program: Program,
    trains: Trains,
    *,
    active: Trains | None = None,
    post: Trains | None = None,
    holding: bool = True,
) -> Events:
    """One fixation in which each population spikes as `trains` says, bool (steps, N).

    Steps are those of the chip, also of its record, on which no population lies behind another.

    Populations without a train are silent. A synaptic operation is a spike at a synapse of
    its neuron's list, which a sparse projection keeps without the zeros.
    A neuron's update is active from the step on in which the first spike reaches it, since its
    potential is not zero from then on; without `holding`, only in steps in which a spike reaches
    it. `active` (steps, N) says so itself for populations with other inputs, as compartments of one
    neuron, or whose potential comes from before.

    With `post`, projections with a rule learn at each of their `slots`: the engine visits the
    synapses of the neurons that have spiked in the fixation, and changes those of them whose target
    has a post value, bool (N_target,) by projection. ValueError for a train of another shape.
    """
    steps = program.timetable.steps
    spikes = {p.name: _train(trains, p, steps) for p in program.populations}
    projections = tuple(
        _projection(program, s, spikes[s.source], None if post is None else post.get(s.name))
        for s in program.synapses
    )
    given = active or {}
    updated = {
        p.name: given[p.name].astype(bool)
        if p.name in given
        else _reached(program, p, spikes, holding)
        for p in program.populations
    }
    populations = tuple(
        _population(p, spikes[p.name], updated[p.name]) for p in program.populations
    )
    learn = post is not None
    sent, busy = (
        np.stack([of[p.name].sum(axis=1) for p in program.populations])[None].astype(np.int32)
        for of in (spikes, updated)
    )
    return Events(
        fixations=1,
        steps=steps,
        time_steps=program.timetable.period if learn else steps,
        learn=learn,
        populations=populations,
        projections=projections,
        gates=(),
        record=StepRecord(1, sent, busy, np.zeros((1, 0), np.int32)),
        moments=_moments(program) if learn else {},
    )


def _moments(program: Program) -> dict[Cause, Moments]:
    """Synapses are visited and changed in their slots."""
    found = {
        Cause("messages", p.name): Moments((("sent", p.name, 1),)) for p in program.populations
    }
    for s in program.synapses:
        slots = Moments(steady=tuple((slot, 1) for slot in s.slots))
        found |= {Cause("visited", s.name): slots, Cause("updated", s.name): slots}
    return found


def _train(trains: Trains, p: ProgramPopulation, steps: int) -> np.ndarray:
    train = trains.get(p.name)
    if train is None:
        return np.zeros((steps, p.size), bool)
    if train.shape != (steps, p.size):
        raise ValueError(f"{p.name}: a train of {train.shape} is not ({steps}, {p.size})")
    return train.astype(bool)


def _reached(
    program: Program, p: ProgramPopulation, spikes: Mapping[str, np.ndarray], holding: bool
) -> np.ndarray:
    """(steps, N) bool: whether a spike reaches each neuron in a step, or has before (`holding`)."""
    arrived = np.zeros((program.timetable.steps, p.size), bool)
    for s in program.arriving[p.name]:
        arrived |= receives(program, s, spikes[s.source])
    return np.logical_or.accumulate(arrived, axis=0) if holding else arrived


def _population(p: ProgramPopulation, spikes: np.ndarray, active: np.ndarray) -> PopulationEvents:
    host = p.soma is None
    updates = 0 if host else spikes.size
    busy = 0 if host else int(np.count_nonzero(active))
    sent = int(np.count_nonzero(spikes))
    each = spikes.sum(axis=0)
    return PopulationEvents(
        name=p.name,
        neurons=p.size,
        host=host,
        spikes=0 if host else sent,
        forward_messages=sent if host else 0,
        active_updates=busy,
        idle_updates=updates - busy,
        silent=int(np.count_nonzero(each == 0)),
        saturated=int(np.count_nonzero(each == len(spikes))),
    )


def _projection(
    program: Program, s: Synapses, spikes: np.ndarray, post: np.ndarray | None
) -> ProjectionEvents:
    form = form_of(s)
    reached = fan_out(program, s, zeros=form != "sparse")
    messages = int(np.count_nonzero(spikes))
    learns = s.rule is not None and post is not None
    visits = updates = 0
    if learns and post is not None:
        rows = spikes.any(axis=0)
        visits = len(s.slots) * int(reached[rows].sum())
        changed = (s.weights != 0)[np.ix_(post.astype(bool), rows)]
        updates = len(s.slots) * int(np.count_nonzero(changed))
    return ProjectionEvents(
        name=s.name,
        source=s.source,
        target=s.target,
        connection=s.connection,
        kernel=kernel_of(s.weights.shape),
        geometry=s.geometry,
        form=form,
        fan_in=fan_in(s.connection, s.weights.shape),
        fan_out=largest_fan_out(s.connection, s.weights.shape, s.geometry),
        plastic=learns,
        messages=messages,
        forward_messages=messages,
        forward_operations=int(spikes.sum(axis=0, dtype=np.int64) @ reached),
        trace_writes=messages if learns else 0,
        learning_visits=visits,
        plastic_updates=updates,
        learning_slots=len(s.slots) if updates else 0,
    )
