"""Operations of what arrives at a population, and what it does about it: rows of the table.

Each function gives rows (time, operands); `memory` says how fractions of a time step order them.
"""

from __future__ import annotations

from dataclasses import dataclass

from compiler.backends.simulator.operations import COMPARTMENT_FIELD, FIELD_OF, Op
from compiler.connectivity import kernel_of, windows
from compiler.dendrites import adds_spikes, taken_over
from compiler.events.notes import Note
from compiler.program import Message, Program, ProgramPopulation, Relay, Soma, Synapses, Tally
from compiler.recurrence import members
from compiler.terms import CENTRED, Compartment, Connection, Quantity, Reset

Rows = list[tuple[float, list[int]]]


def message_operands(message: Message) -> list[int]:
    """Which field a message sends, and its shifts."""
    return [int(FIELD_OF[message.quantity]), message.drop, message.lift]


def _into(program: Program, name: str, compartment: Compartment) -> list[Synapses]:
    return [s for s in program.arriving[name] if s.compartment is compartment]


@dataclass(frozen=True)
class Places:
    """Where each population's neurons begin, each projection's weights, each sequence."""

    offsets: dict[str, int]
    starts: dict[str, int]
    sequences: dict[str, int]


# What a reset does, as `kernels.somata.soma_step` takes it: what is owed takes the threshold, the
# potential, or all; a spike takes the threshold, or all, at once; what was owed is given back.
MASKS = {
    Reset.SUBTRACT: (-1, 0, 0, 0, 0, 0),
    Reset.ZERO: (0, -1, 0, 0, 0, 0),
    Reset.CLEAR: (0, 0, -1, 0, 0, 0),
    Reset.SUBTRACT_AT_ONCE: (0, 0, 0, -1, 0, 0),
    Reset.ZERO_AT_ONCE: (0, 0, 0, 0, -1, 0),
    Reset.SUBTRACT_ONCE: (-1, 0, 0, -1, 0, -1),
    Reset.NONE: (0, 0, 0, 0, 0, 0),
}


def presentation(program: Program, population: ProgramPopulation, places: Places) -> Rows:
    """All steps of the presentation at once: what drives the soma, then the soma."""
    soma = population.soma
    time = program.timetable.steps - 1 + population.level
    index = program.population_row[population.name]
    place = [places.offsets[population.name], population.size]
    if soma is None:  # known before anything begins
        if population.sequence:
            return [(0, [Op.SEQUENCE, index, *place, places.sequences[population.name]])]
        spikes = [Op.ENCODE, index, *place]
        return [(0, [Op.PRESENT, *place, index]), *([(0, spikes)] * population.spikes)]
    rows: Rows = [(time, [Op.CURRENT, population.size])]
    for s in _into(program, population.name, Compartment.SOMA):
        rows.append((time, _drive(program, population, s, places)))
    if isinstance(soma, Relay | Tally):
        counting = Op.RELAY if isinstance(soma, Relay) else Op.TALLY
        return [*rows, (time, [counting, index, *place])]
    if soma.plain is not None:
        neuron = [*soma.plain, 1 << soma.input_shift, int(soma.reset == Reset.ZERO)]
        return [*rows, (time, [Op.INTEGRATE, index, *place, *neuron])]
    rows.append((time, [Op.BEGIN, index, *place]))
    rows.append((time, _advance(soma, index, place)))
    return [*rows, (time, [Op.FINISH, index, *place])]


def recurrent(program: Program, band: range, places: Places) -> Rows:
    """A presentation of populations that wait for one another in every step."""
    time = program.timetable.steps - 1 + band.start
    before: Rows = []
    during: Rows = []
    after: Rows = []
    for population in members(program, band):
        assert isinstance(population.soma, Soma), "only neurons are recurrent"
        index = program.population_row[population.name]
        place = [places.offsets[population.name], population.size]
        clear = (time, [Op.CURRENT, population.size])
        before.append(clear)
        during.append(clear)
        for s in _into(program, population.name, Compartment.SOMA):
            rows = during if program.population(s.source).spiking else before
            rows.append((time, _drive(program, population, s, places)))
        before.append((time, [Op.BEGIN, index, *place]))
        during.append((time, _advance(population.soma, index, place)))
        after.append((time, [Op.FINISH, index, *place]))
    return [*before, (time, [Op.BAND, len(during)]), *during, *after]


def _advance(soma: Soma, index: int, place: list[int]) -> list[int]:
    synaptic = 0 if soma.current_decay is None else -1
    return [Op.ADVANCE, index, *place, 1 << soma.input_shift, synaptic, *MASKS[soma.reset]]


def _drive(
    program: Program, population: ProgramPopulation, s: Synapses, places: Places
) -> list[int]:
    """The operation that adds up what a projection brings to the soma."""
    source = program.population(s.source)
    number = program.population_row[source.name]
    channels, *sides = source.map
    start = places.starts[s.name]
    here = [program.synapse_row[s.name], start]
    given = places.sequences.get(source.name, -1)
    graded = source.sequence > 1
    if s.connection in (Connection.POOL, Connection.SUM):
        summing = Op.POOL if s.connection is Connection.POOL else Op.SUM
        return [summing, *here, number, channels, *sides]
    if s.connection is Connection.ONE_TO_ONE:
        return [Op.DRIVE_ONE_TO_ONE, start, number, given if graded else -1, s.delay]
    if s.geometry != CENTRED:
        window = _window(s, source, population)
        if graded:
            return [Op.SCATTER_SEQUENCE, *here, given, s.delay, *window]
        if source.spiking:
            return [Op.SCATTER_SPIKES, *here, number, s.delay, *window]
        sent = message_operands(source.message(0))
        return [Op.SCATTER_GRADED, *here, places.offsets[s.source], 0, *window, *sent]
    if s.connection in (Connection.CONVOLUTION, Connection.UNTIED):
        kernel, out = s.weights.shape[-1], population.map[0]
        copy = kernel**2 * channels if s.connection is Connection.UNTIED else 0
        window = [*sides, kernel, copy]
        if graded:
            return [Op.CONVOLVE_SEQUENCE, *here, out, given, channels, *sides, kernel, s.delay]
        if source.spiking:
            return [Op.CONVOLVE_SPIKES, *here, out, number, channels, *window, s.delay]
        sent = message_operands(source.message(0))
        offset = places.offsets[s.source]
        return [Op.CONVOLVE_GRADED, *here, out, offset, channels, *sent, *window]
    if graded:
        return [Op.DRIVE_SEQUENCE, start, population.size, given, source.size, s.delay]
    if source.spiking:
        return [Op.DRIVE_SPIKES, start, population.size, number, s.delay]
    where = [start, population.size, places.offsets[s.source], source.size]
    return [Op.DRIVE_GRADED, *where, *message_operands(source.message(0))]


def _window(s: Synapses, source: ProgramPopulation, target: ProgramPopulation) -> list[int]:
    """Where kernels lie, as `kernels.scatter.scatter` takes it."""
    along = windows(s.connection, kernel_of(s.weights.shape), s.geometry)
    assert along is not None, "kernels have windows"
    of_axes = [
        *(axis.width for axis in along),
        *(axis.stride for axis in along),
        *(axis.padding for axis in along),
        *(axis.dilation for axis in along),
    ]
    return [*source.map, *target.map, *of_axes, s.geometry.groups]


def compartments(
    program: Program,
    population: ProgramPopulation,
    offsets: dict[str, int],
    starts: dict[str, int],
    columns: dict[Note, int],
) -> Rows:
    """Messages into the dendrites, and the inhibition by those who pooled."""
    rows: Rows = []
    place = [offsets[population.name], population.size]
    index = program.population_row[population.name]
    for compartment, target in COMPARTMENT_FIELD.items():
        arriving = _into(program, population.name, compartment)
        if not arriving:
            continue
        if all(adds_spikes(program, s) for s in arriving):
            rows += _added(program, population, int(target), arriving, offsets, starts)
            continue
        sent = [program.population(s.source).level + s.listens[0] + 0.3 for s in arriving]
        rows.append((min(sent) - 0.01, [Op.CLEAR, int(target), *place]))
        for s, time in zip(arriving, sent, strict=True):
            source = program.population(s.source)
            message = [offsets[s.source], source.size]
            message += message_operands(source.message(s.listens[0]))
            to = [s.delivery_shift, int(target), place[0]]
            if s.connection is Connection.SPREAD:
                here = [program.synapse_row[s.name], starts[s.name]]
                to += [s.weights.size, columns[Note("brought", s.name)]]
                rows.append((time, [Op.SPREAD, *here, *message, *to]))
            else:
                where = [starts[s.name], population.size]
                rows.append((time, [Op.DELIVER, *where, *message, *to]))
        rows.append((max(sent) + 0.01, [Op.SATURATE, int(target), *place, index]))
    for s in _into(program, population.name, Compartment.INHIBITION):
        rows.append(_inhibition(program, population, s, offsets, starts, columns))
    return rows


def _added(
    program: Program,
    population: ProgramPopulation,
    field: int,
    arriving: list[Synapses],
    offsets: dict[str, int],
    starts: dict[str, int],
) -> Rows:
    """The sum of a presentation's spikes, when the soma takes it over: weights times counts."""
    place = [offsets[population.name], population.size]
    time = population.level + taken_over(program, arriving[0]) + 0.3
    rows: Rows = [(time - 0.01, [Op.CLEAR, field, *place])]
    for s in arriving:
        source = program.population(s.source)
        sent = [offsets[s.source], source.size, int(FIELD_OF[Quantity.COUNT]), 0, 0]
        where = [starts[s.name], population.size]
        rows.append((time, [Op.DELIVER, *where, *sent, s.delivery_shift, field, place[0]]))
    index = program.population_row[population.name]
    return [*rows, (time + 0.01, [Op.SATURATE, field, *place, index])]


def inhibited(program: Program, population: ProgramPopulation) -> int | None:
    """The population's own tau at which it hears who won the pooling; None where nobody pools."""
    arriving = _into(program, population.name, Compartment.INHIBITION)
    if not arriving:
        return None
    source = program.population(arriving[0].source)
    return source.level + arriving[0].listens[0] + 1 - population.level


def _inhibition(
    program: Program,
    population: ProgramPopulation,
    s: Synapses,
    offsets: dict[str, int],
    starts: dict[str, int],
    columns: dict[Note, int],
) -> tuple[float, list[int]]:
    """Received a step after it was sent, as counts that change must not do so too early."""
    source = program.population(s.source)
    assert isinstance(source.soma, Relay), "only relays know who won"
    step = s.listens[0]
    message = [offsets[s.source], source.size, *message_operands(source.message(step))]
    where = [program.synapse_row[s.name], starts[s.name]]
    to = [offsets[population.name], *population.map, 1 << (source.soma.neighbours - 1)]
    to.append(columns[Note("brought", s.name)])
    return source.level + step + 1, [Op.INHIBIT, *where, *message, *to]
