"""The numbers of a program, each with the lowest and the highest value that engines hold."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.program import (
    DECAY_ONE,
    FINEST,
    MEMBRANE_BITS,
    MEMBRANE_MAX,
    Program,
    ProgramPopulation,
    Soma,
    Tally,
)

Range = tuple[str, int, int, int]  # name, value, lowest, highest
LONGEST = 1 << 20  # time steps of a fixation, and more than any level or stream
LONGEST_PRESENTATION = 1 << 16
SEQUENCE_MAX = 255  # 8 bits, and a sign


def ranges(program: Program) -> Iterator[Range]:
    """Every number that engines take as it is."""
    timetable = program.timetable
    yield "seed", program.seed, 0, 2**32 - 1
    yield "weight_max", program.weight_max, 1, 127
    yield "tag_max", program.tag_max, 1, 2**14
    counting = program.plastic or bool(program.gates)  # counts are then sent, in 8 bits
    yield "the number of steps", timetable.steps, 1, 255 if counting else LONGEST_PRESENTATION
    yield "the period", timetable.period, timetable.steps, LONGEST
    last = timetable.period - 1
    for kind in ("retro", "predict"):
        yield f"the step {kind}", getattr(timetable, kind), 0, LONGEST  # unused without learning
    for population in program.populations:
        yield from _of_population(population, last)
    for s in program.synapses:
        yield f"{s.name}: delivery_shift", s.delivery_shift, 0, 31
        yield f"{s.name}: index", s.index, 0, LONGEST
        yield f"{s.name}: averaged", s.averaged, 0, LONGEST
        yield f"{s.name}: fine", s.fine, 0, FINEST if s.in_turn or s.paired else 0
        yield f"{s.name}: delay", s.delay, 0, LONGEST
        for step in (*s.listens, *s.slots):
            yield f"{s.name}: a step", step, 0, last
    for gate in program.gates:
        for margin in gate.margins:
            yield f"{gate.name}: margin", margin, -MEMBRANE_MAX, MEMBRANE_MAX
        yield f"{gate.name}: the number of classes", gate.classes, 0, 127
        yield f"{gate.name}: score_shift", gate.score_shift, 0, 31
        yield f"{gate.name}: the bits of a serial score", gate.serial, 0, 24
        yield f"{gate.name}: noise", gate.noise, 0, MEMBRANE_BITS
        yield f"{gate.name}: stream", gate.stream, 0, 2**31
        yield f"{gate.name}: after", gate.after, 0, LONGEST
        yield f"{gate.name}: the number of score factors", len(gate.score), 1, 2


def _of_population(population: ProgramPopulation, last: int) -> Iterator[Range]:
    name, soma = population.name, population.soma
    yield f"{name}: size", population.size, 1, 1 << 24
    yield f"{name}: level", population.level, 0, LONGEST
    yield f"{name}: sequence", population.sequence, 0, SEQUENCE_MAX
    if population.shape is not None:
        for side in population.shape:
            yield f"{name}: a side of its map", side, 1, 1 << 24
    if isinstance(soma, Soma):
        yield f"{name}: input_shift", soma.input_shift, 0, 23
        for what, values, low, high in (
            ("decay", soma.decay, 0, DECAY_ONE),
            ("threshold", soma.threshold, 0, MEMBRANE_MAX),
            ("bias", soma.bias, -MEMBRANE_MAX, MEMBRANE_MAX),
            ("current_decay", soma.current_decay, 0, DECAY_ONE),
            ("start", soma.start, -MEMBRANE_MAX, MEMBRANE_MAX),
        ):
            some = values if isinstance(values, tuple) else () if values is None else (values,)
            for extreme in (min(some, default=0), max(some, default=0)):
                yield f"{name}: {what}", extreme, low, high
    if isinstance(soma, Tally):
        yield f"{name}: most", soma.most, 1, 1 << 24
    for message in population.messages:
        yield f"{name}: step of a message", message.step, 0, LONGEST
        yield f"{name}: drop", message.drop, 0, 23
        yield f"{name}: lift", message.lift, 0, 15
    for value in population.post_values:
        yield f"{name}: step of a post value", value.step, 0, last
        yield f"{name}: the number of factors", len(value.factors), 0, 3
        yield f"{name}: multiplier", value.multiplier, -(2**15), 2**15
        yield f"{name}: shift", value.shift, 0, 31
        yield f"{name}: granularity", value.granularity, 1, 128
        yield f"{name}: stream", value.stream, 0, 2**31
        yield f"{name}: reward", value.reward, 0, MEMBRANE_MAX
