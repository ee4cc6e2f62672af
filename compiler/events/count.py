"""Names the simulator's counters and derives from the program what they do not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.connectivity import fan_in, largest_fan_out
from compiler.events.columns import GateCount, PopulationCount, SynapseCount
from compiler.events.records import (
    Events,
    Form,
    GateEvents,
    PopulationEvents,
    ProjectionEvents,
)
from compiler.events.turns import populations_in_turn, projections_in_turn
from compiler.ir import Compartment, Connection, Quantity
from compiler.passes.demand import listeners
from compiler.products import in_slots
from compiler.program import Gate, Program, ProgramPopulation, Synapses, Tally
from compiler.timing import DOWNWARD, arrival, carried
from compiler.turns import turns_of

BORDERED = (Connection.CONVOLUTION, Connection.UNTIED, Connection.POOL)
"""Connections whose neurons reach fewer others at the border of a map."""


def count_events(
    program: Program,
    fixations: int,
    population_counters: np.ndarray,
    synapse_counters: np.ndarray,
    gate_counters: np.ndarray,
    *,
    learn: bool,
) -> Events:
    """Names the simulator's counters and derives the rest from the program.

    Counters are int64 sums over `fixations`: populations (P, 12), projections (S, 9), gates
    (G, 3), columns as in `compiler.events.columns`. Without `learn` only the forward
    pass is counted. ValueError where a shape does not belong to the program.
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
    run = _Run(program, fixations, learn)
    sent: dict[str, _Sent] = {}
    whole = _whole_messages(program, synapse_counters) if learn else {}
    told = {s.target for s in program.synapses if s.in_turn and learn}
    populations = []
    for row, population in zip(population_counters, program.populations, strict=False):
        counts = {c: int(row[c]) for c in PopulationCount}
        by_quantity = {
            Quantity.COUNT: counts[PopulationCount.COUNT_MESSAGES],
            Quantity.PREVIOUS_COUNT: counts[PopulationCount.PREVIOUS_MESSAGES],
            **whole.get(population.name, {}),
        }
        sent[population.name] = run.sent(
            population,
            spikes=counts[PopulationCount.SPIKES],
            nonzero=by_quantity,
            scores=counts[PopulationCount.SCORE_MESSAGES],
            told=counts[PopulationCount.POST_WRITES] if population.name in told else 0,
        )
        updates, phases = run.updates(population, counts[PopulationCount.ACTIVE_UPDATES])
        populations.append(
            PopulationEvents(
                name=population.name,
                neurons=population.size,
                host=population.soma is None,
                spikes=counts[PopulationCount.SPIKES],
                forward_messages=sent[population.name].total(run.forward_steps(population)),
                graded_messages=sent[population.name].total(run.phase_steps(population))
                + sent[population.name].told,
                score_messages=sent[population.name].scores,
                signal_messages=fixations * len(run.modulators(population)),
                active_updates=updates[0],
                idle_updates=updates[1],
                phase_active_updates=phases[0],
                phase_idle_updates=phases[1],
                post_writes=counts[PopulationCount.POST_WRITES],
                current_wrapped=counts[PopulationCount.CURRENT_WRAPPED],
                membrane_clipped=counts[PopulationCount.MEMBRANE_CLIPPED],
                accumulator_clipped=counts[PopulationCount.ACCUMULATOR_CLIPPED],
                post_clipped=counts[PopulationCount.POST_CLIPPED],
                silent=counts[PopulationCount.SILENT],
                saturated=counts[PopulationCount.SATURATED],
            )
        )
    projections = []
    for row, synapses in zip(synapse_counters, program.synapses, strict=False):
        counts_of = {c.name: int(row[c]) for c in SynapseCount}
        projections.append(run.projection(synapses, sent[synapses.source], counts_of))
    for row, synapses in zip(synapse_counters, program.synapses, strict=False):
        if synapses.in_turn and learn:
            kept = run.kept_in_turn(synapses, sent[synapses.source])
            populations += populations_in_turn(program, synapses, fixations, kept)
            projections += projections_in_turn(
                program,
                synapses,
                heard=sent[synapses.source].everything,
                kept=kept,
                told=sent[synapses.target].everything,
                values=sent[synapses.target].told,
                rows=int(row[SynapseCount.ROWS_LEARNED]),
            )
    gates = []
    for row, gate in zip(gate_counters, program.gates if learn else (), strict=False):
        counts_of = {c.name: int(row[c]) for c in GateCount}
        gates.append(run.gate(gate, sent[gate.population], counts_of))
    return Events(
        fixations=fixations,
        steps=run.steps,
        time_steps=fixations * (program.timetable.period if learn else run.steps),
        learn=learn,
        populations=tuple(populations),
        projections=tuple(projections),
        gates=tuple(gates),
    )


def form_of(synapses: Synapses) -> Form:
    """How a core keeps them: without the zeros where most weights are zero and none can learn."""
    if synapses.connection is not Connection.ALL_TO_ALL:
        return "convolution"
    sparse = 2 * np.count_nonzero(synapses.weights) < synapses.weights.size
    return "sparse" if sparse and synapses.rule is None else "dense"


def _whole_messages(
    program: Program, synapse_counters: np.ndarray
) -> dict[str, dict[Quantity, int]]:
    """Messages that are no counts, by sender: each reaches as many neurons as any other."""
    sent: dict[str, dict[Quantity, int]] = {}
    for row, s in zip(synapse_counters, program.synapses, strict=False):
        if s.connection in DOWNWARD:
            (quantity,) = carried(s)
            reached = largest_fan_out(s.connection, s.weights.shape)
            operations = int(row[SynapseCount.OPERATIONS])
            sent.setdefault(s.source, {})[quantity] = operations // reached
    return sent


@dataclass(frozen=True)
class _Sent:
    """Messages of one population: binary spikes, graded ones by step, scores, and post values.

    Of post values those that learners are told in turn. apart: whether scores leave bit by bit, on
    an axon of their own.
    """

    neurons: int
    spikes: int
    graded: dict[int, int]
    scores: int
    told: int
    apart: bool

    @property
    def everything(self) -> int:
        """All that travel along the neuron's axons to other neurons."""
        scores = 0 if self.apart else self.scores
        return self.spikes + sum(self.graded.values()) + scores + self.told

    def total(self, steps: set[int]) -> int:
        """Graded messages sent at one of the steps."""
        return sum(n for step, n in self.graded.items() if step in steps)


@dataclass(frozen=True)
class _Run:
    """Derives events of a program from the messages that were sent."""

    program: Program
    fixations: int
    learn: bool

    @property
    def steps(self) -> int:
        return self.program.timetable.steps

    def sent(
        self,
        population: ProgramPopulation,
        spikes: int,
        nonzero: dict[Quantity, int],
        scores: int,
        told: int,
    ) -> _Sent:
        # A payload that a drop shifts to zero is no message; such counts are an upper bound.
        allowed = self.forward_steps(population)
        if self.learn:
            allowed = allowed | self.phase_steps(population)
        graded = {m.step: nonzero[m.quantity] for m in population.messages if m.step in allowed}
        gates = [g for g in self.program.gates if g.population == population.name]
        apart = any(g.serial for g in gates)
        return _Sent(population.size, spikes, graded, scores if self.learn else 0, told, apart)

    def kept_in_turn(self, s: Synapses, sent: _Sent) -> int:
        """The messages of the source that are meant for the buffers."""
        turns = turns_of(self.program, s)
        climbs = self.program.population(s.target).level - self.program.population(s.source).level
        return sent.total({turns.sent(slot, climbs) for slot in s.slots})

    def modulators(self, population: ProgramPopulation) -> tuple[str, ...]:
        """The modulators that the population's neurons hear directly."""
        heard = population.signals if self.learn else ()
        return tuple(name for name in heard if name in self.program.modulators)

    def forward_steps(self, population: ProgramPopulation) -> set[int]:
        """Steps of graded messages that drive a soma."""
        listened = {
            step
            for s in self.program.leaving[population.name]
            if s.compartment is Compartment.SOMA
            for step in s.listens
        }
        return {m.step for m in population.messages} & listened

    def phase_steps(self, population: ProgramPopulation) -> set[int]:
        """Steps of all other graded messages."""
        return {m.step for m in population.messages} - self.forward_steps(population)

    def updates(
        self, population: ProgramPopulation, active: int
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """(active, idle) neuron updates of the forward pass, and the same of learning.

        A mean adds up spikes during the presentation, but only because the network learns.
        """
        if population.soma is None:
            return (0, 0), (0, 0)
        shown = active, self.fixations * self.steps * population.size - active
        after = self.phase_updates(population)
        if not isinstance(population.soma, Tally):
            return shown, after
        if not self.learn:
            return (0, 0), (0, 0)
        return (0, 0), (shown[0] + after[0], shown[1] + after[1])

    def phase_updates(self, population: ProgramPopulation) -> tuple[int, int]:
        """(active, idle) neuron updates after the presentation, from the timetable."""
        if not self.learn:
            return 0, 0
        busy = {m.step for m in population.messages} | {v.step for v in population.post_values}
        for s in self.program.arriving[population.name]:
            if s.compartment is not Compartment.SOMA and s.listens:
                busy.add(arrival(self.program, s))
        if population.averages is not None:
            busy.add(self.steps)
        if self.modulators(population):  # sent as a fixation begins, which is earlier here
            busy.add(-population.level % self.program.timetable.period)
        for gate in self.program.gates:
            if gate.population == population.name:
                busy |= set(range(self.steps, gate.decided(self.steps)))  # sends its scores
                busy.add(gate.decided(self.steps) + 1)  # receives the gate
        period = self.program.timetable.period
        phases = period - self.steps
        active = len({step % period for step in busy if step % period >= self.steps})
        # each neuron tells its post values at a step of its own
        active += sum(len(s.slots) for s in self.program.arriving[population.name] if s.in_turn)
        each = self.fixations * population.size
        return active * each, (phases - active) * each

    def projection(
        self, synapses: Synapses, sent: _Sent, counts: dict[str, int]
    ) -> ProjectionEvents:
        source = self.program.population(synapses.source)
        target = self.program.population(synapses.target)
        fan_out = largest_fan_out(synapses.connection, synapses.weights.shape)
        plastic = synapses.rule is not None and self.learn and not synapses.in_turn
        soma = synapses.compartment is Compartment.SOMA
        forward = soma and not isinstance(target.soma, Tally)
        listens = set(synapses.listens)
        graded = sent.total(listens)
        spikes = sent.spikes if listens == set(range(self.steps)) else 0
        heard = graded + spikes if forward or self.learn else 0
        form = form_of(synapses)
        stored = np.count_nonzero(synapses.weights) if form == "sparse" else fan_out * sent.neurons
        each = stored / sent.neurons  # operations that a message causes; of a sparse row the mean
        # at the border of a map a neuron reaches fewer positions: the simulator counts those
        bordered = synapses.connection in BORDERED
        operations = counts["OPERATIONS"] if bordered else round(heard * each)
        everything = sent.everything
        if not self.learn:
            everything = heard  # costed without the axons that only learning needs
        visits = everything * fan_out if plastic else 0
        if synapses.rule is not None and not in_slots(synapses):
            visits = counts["VISITED"]  # spikes of both sides bring the engine to a synapse
        untied = synapses.connection is Connection.UNTIED
        row = synapses.weights.shape[1] if untied else fan_out  # a row for each position
        return ProjectionEvents(
            name=synapses.name,
            source=synapses.source,
            target=synapses.target,
            connection=synapses.connection,
            kernel=synapses.weights.shape[-1],
            form=form,
            fan_in=fan_in(synapses.connection, synapses.weights.shape),
            fan_out=fan_out,
            plastic=plastic,
            messages=everything,
            forward_messages=heard if forward else 0,
            forward_operations=operations if forward else 0,
            graded_operations=operations if forward and (graded or source.sequence > 1) else 0,
            delivered_operations=0 if forward else operations,
            ignored_operations=round((everything - heard) * each),
            trace_writes=everything if plastic else 0,
            learning_visits=visits,
            plastic_updates=0
            if synapses.in_turn
            else counts["ROWS_LEARNED"] * row + counts["VISITED"],
            learning_slots=counts["EPOCHS"],
            carry_visits=counts["CARRY_VISITS"],
            carries=counts["CARRIED"],
            averaged=counts["AVERAGED"] if self.learn else 0,
            tag_clipped=counts["TAG_CLIPPED"],
            weight_clipped=counts["WEIGHT_CLIPPED"],
        )

    def gate(self, gate: Gate, sent: _Sent, counts: dict[str, int]) -> GateEvents:
        reached = listeners(self.program, gate)
        size = sum(self.program.population(name).size for name in reached)
        broadcasts = counts["POSITIVE"] + counts["NEGATIVE"]
        busy = (gate.decided(0) + 1) * self.fixations  # sums the scores, decides
        return GateEvents(
            name=gate.name,
            population=gate.population,
            listeners=reached,
            fan_out=size,
            positive=counts["POSITIVE"],
            negative=counts["NEGATIVE"],
            label_messages=self.fixations,
            broadcasts=broadcasts,
            broadcast_operations=broadcasts * size,
            score_operations=sent.scores,
            ignored_operations=0 if sent.apart else sent.everything - sent.scores,
            active_updates=busy,
            idle_updates=self.fixations * self.program.timetable.period - busy,
            score_clipped=counts["SCORE_CLIPPED"],
        )
