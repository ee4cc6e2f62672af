"""Which process is connected to which, and at which steps each one listens: plain data.

A population's own time is tau = (time_step - 1 - level) mod period, a signal's phase is
(time_step - 1) mod period.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compiler.dendrites import adds_spikes, taken_over
from compiler.products import TRACES, post_registers
from compiler.program import (
    REGISTERS,
    Gate,
    Program,
    ProgramPopulation,
    Relay,
    SumOfProducts,
    Synapses,
    Tally,
    Timetable,
    Trace,
)
from compiler.rounding import trace_stream
from compiler.terms import Compartment, Connection


@dataclass(frozen=True)
class Clock:
    """Translates Lava's time_step, counted from 1, into (fixation, tau) of one level."""

    timetable: Timetable
    level: int

    def at(self, time_step: int) -> tuple[int, int]:
        """(fixation, tau); the fixation is -1 before the level has begun."""
        return divmod(time_step - 1 - self.level, self.timetable.period)


@dataclass(frozen=True)
class Arrival:
    """What a projection delivers: port `port`, used at the target's tau in `steps` only.

    `folded` where it comes as a map. `winner` is, of an inhibition, the bit of whoever has won.
    `held_back` are the time steps for which the axon delays it. `graded` is a message that a soma
    holds. `taken_over`: of a dendrite that adds up spikes, the tau after which the soma has the sum
    (`compiler.dendrites`).
    """

    port: str
    compartment: Compartment
    steps: frozenset[int]
    shift: int
    folded: bool = False
    winner: int = 0
    held_back: int = 0
    graded: bool = False
    taken_over: int | None = None


@dataclass(frozen=True)
class SignalInput:
    """A broadcast value that a population latches at its own tau = `step` from port `port`."""

    port: str
    name: str
    step: int


@dataclass(frozen=True)
class ScoreOutput:
    """The score messages of one gate, sent from port `port`."""

    port: str
    gate: Gate


@dataclass(frozen=True)
class SomaTrace:
    """A trace of the population's own spikes that its soma writes into a post register."""

    trace: Trace
    stream: int


@dataclass(frozen=True)
class PopulationWiring:
    """All that a LIF population is connected to, besides `s_out` and the post registers."""

    arrivals: tuple[Arrival, ...]
    signals: tuple[SignalInput, ...]
    scores: tuple[ScoreOutput, ...]
    traces: tuple[SomaTrace, ...] = ()


def folded(synapses: Synapses) -> bool:
    """Whether a projection is Lava's Conv, whose ports are maps; all others have flat ones."""
    return synapses.connection in (Connection.CONVOLUTION, Connection.POOL)


def folded_shape(population: ProgramPopulation) -> tuple[int, ...]:
    """The shape of a population for Lava's Conv: width, height, channels."""
    return population.map[::-1]


def fold(population: ProgramPopulation, values: np.ndarray) -> np.ndarray:
    """Values (N,) in the program's order, as Lava's Conv takes them."""
    return values.reshape(population.map).T


def unfold(values: np.ndarray) -> np.ndarray:
    """What Lava's Conv sent, (N,) in the program's order."""
    return values.T.ravel()


def populations(program: Program, learn: bool) -> tuple[ProgramPopulation, ...]:
    """The populations that a run needs; means of maps serve learning alone."""
    return tuple(p for p in program.populations if learn or not isinstance(p.soma, Tally))


def projections(program: Program, learn: bool) -> tuple[Synapses, ...]:
    """The projections that a run needs; without learning only those that drive a soma."""
    there = {p.name for p in populations(program, learn)}
    return tuple(
        s
        for s in program.synapses
        if learn or (s.compartment is Compartment.SOMA and s.target in there)
    )


def out_port(synapses: Synapses) -> str:
    """The port of the source from which a projection begins."""
    return "s_out_map" if folded(synapses) else "s_out"


def arrival_port(synapses: Synapses) -> str:
    """The port of the target on which a projection ends."""
    return f"a_in_{synapses.index}"


def gate_phase(program: Program, gate: Gate) -> int:
    """The phase at which the gate reaches the populations."""
    level = program.population(gate.population).level
    return level + gate.decided(program.timetable.steps) + 1


def signal_phase(program: Program, name: str) -> int:
    """The phase at which a gate or modulator (sent as a fixation begins) is received."""
    for gate in program.gates:
        if gate.name == name:
            return gate_phase(program, gate)
    return 0


def wire_population(
    program: Program, population: ProgramPopulation, learn: bool
) -> PopulationWiring:
    """The ports of one LIF population."""
    arrivals = tuple(
        _arrival(program, s)
        for s in projections(program, learn)
        if s.target == population.name and not s.paired
    )
    if not learn:
        return PopulationWiring(arrivals, (), ())
    period = program.timetable.period
    signals = tuple(
        SignalInput(
            # Lava gives every plastic neuron one port for a third factor; further ones are ours.
            "a_third_factor_in" if i == 0 else f"a_third_factor_in_{i}",
            name,
            (signal_phase(program, name) - population.level) % period,
        )
        for i, name in enumerate(population.signals)
    )
    mine = [g for g in program.gates if g.population == population.name]
    scores = tuple(ScoreOutput(f"score_out_{i}", gate) for i, gate in enumerate(mine))
    traces = tuple(
        SomaTrace(trace, trace_stream(s.index, TRACES.index(trace.name)))
        for s in program.synapses
        if s.target == population.name and s.rule is not None and three_factor(s.rule)
        for trace in s.rule.traces
        if trace.name in REGISTERS
    )
    return PopulationWiring(arrivals, signals, scores, traces)


def three_factor(rule: SumOfProducts) -> bool:
    """Whether a rule reads a post value that the soma writes: then the soma writes them all.

    Lava's synapses keep the postsynaptic traces of a two-factor rule themselves.
    """
    return bool(post_registers(rule) - {trace.name for trace in rule.traces})


def _arrival(program: Program, synapses: Synapses) -> Arrival:
    source = program.population(synapses.source)
    # Synapses deliver one step after the message; what is sent at the source's tau arrives at:
    delay = 1 + source.level - program.population(synapses.target).level
    steps = frozenset((tau + delay) % program.timetable.period for tau in synapses.listens)
    held = 0
    if synapses.compartment is Compartment.SOMA and source.spiking:
        held = synapses.delay - delay  # in the axon
        steps = frozenset(range(synapses.delay, program.timetable.steps))
    return Arrival(
        arrival_port(synapses),
        synapses.compartment,
        steps,
        synapses.delivery_shift,
        folded=folded(synapses),
        winner=1 << source.soma.neighbours - 1 if isinstance(source.soma, Relay) else 0,
        held_back=held,
        graded=not source.spiking,
        taken_over=taken_over(program, synapses) if adds_spikes(program, synapses) else None,
    )
