"""Names the counters of an engine and derives from the program what they do not count."""

from __future__ import annotations

import numpy as np

from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.events.messages import Run, Sent, kept_in_turn, sent_messages
from compiler.events.projections import projection_events
from compiler.events.records import Events, GateEvents
from compiler.events.schedule import schedule
from compiler.events.steps import StepRecord
from compiler.events.turns import populations_in_turn, projections_in_turn
from compiler.events.updates import population_events
from compiler.passes.placing.demand import listeners
from compiler.program import Gate, Program


def count_events(
    program: Program,
    fixations: int,
    population_counters: np.ndarray,
    synapse_counters: np.ndarray,
    gate_counters: np.ndarray,
    *,
    learn: bool,
    record: StepRecord | None = None,
) -> Events:
    """Names an engine's counters and derives the rest from the program.

    Counters are int64 sums over `fixations`: populations (P, 12), projections (S, 9), gates
    (G, 3), columns as in `compiler.events.columns`. Without `learn` only the forward
    pass is counted. record: the same step by step, where it was kept. ValueError where a shape
    does not belong to the program.
    """
    shapes = (
        (population_counters, len(program.populations), PopulationCount),
        (synapse_counters, len(program.synapses), SynapseCount),
        (gate_counters, len(program.gates), GateCount),
    )
    for counters, rows, columns in shapes:
        if counters.shape[0] < rows or counters.shape[1] != len(columns):
            raise ValueError(
                f"{columns.__name__}: {counters.shape} is not ({rows}, {len(columns)})"
            )
    run = Run(program, fixations, learn)
    sent = sent_messages(run, population_counters, synapse_counters)
    populations = [
        population_events(run, p, sent[p.name], row)
        for p, row in zip(program.populations, population_counters, strict=False)
    ]
    projections = [
        projection_events(run, s, sent[s.source], row)
        for s, row in zip(program.synapses, synapse_counters, strict=False)
    ]
    for s, row in zip(program.synapses, synapse_counters, strict=False):
        if s.in_turn and learn:
            kept = kept_in_turn(program, s, sent[s.source])
            populations += populations_in_turn(program, s, fixations, kept)
            projections += projections_in_turn(
                program,
                s,
                heard=sent[s.source].everything,
                kept=kept,
                told=sent[s.target].everything,
                values=sent[s.target].told,
                rows=int(row[SynapseCount.ROWS_LEARNED]),
            )
    gates = [
        _gate(run, gate, sent[gate.population], row)
        for gate, row in zip(program.gates if learn else (), gate_counters, strict=False)
    ]
    return Events(
        fixations=fixations,
        steps=run.steps,
        time_steps=fixations * (program.timetable.period if learn else run.steps),
        learn=learn,
        populations=tuple(populations),
        projections=tuple(projections),
        gates=tuple(gates),
        record=record,
        moments=schedule(run, sent) if learn else {},
    )


def _gate(run: Run, gate: Gate, sent: Sent, counters: np.ndarray) -> GateEvents:
    counts = {c: int(counters[c]) for c in GateCount}
    reached = listeners(run.program, gate)
    size = sum(run.program.population(name).size for name in reached)
    broadcasts = counts[GateCount.POSITIVE] + counts[GateCount.NEGATIVE]
    busy = (gate.decided(0) - gate.sent(0) + 1) * run.fixations  # sums the scores, decides
    return GateEvents(
        name=gate.name,
        population=gate.population,
        listeners=reached,
        fan_out=size,
        positive=counts[GateCount.POSITIVE],
        negative=counts[GateCount.NEGATIVE],
        label_messages=run.fixations,
        broadcasts=broadcasts,
        broadcast_operations=broadcasts * size,
        apart=sent.apart,
        score_operations=sent.scores,
        ignored_operations=0 if sent.apart else sent.everything - sent.scores,
        active_updates=busy,
        idle_updates=run.fixations * run.program.timetable.period - busy,
        score_clipped=counts[GateCount.SCORE_CLIPPED],
    )
