"""Whether everything in a program's fixation comes when it is needed: messages, gates, epochs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise

from compiler.dendrites import adds_spikes, taken_over
from compiler.ir import PRE_QUANTITIES, Compartment, Connection, Projection, Quantity
from compiler.products import in_slots, parse
from compiler.program import (
    REGISTERS,
    PostValue,
    Product,
    Program,
    ProgramPopulation,
    Relay,
    Soma,
    Synapses,
    Tally,
)
from compiler.recurrence import held_back, members
from compiler.terms import CHANNELWISE, COMPARTMENT_OF
from compiler.turns import in_turn, turns_of

DOWNWARD = {Connection.SPREAD: (-2, -1), Connection.UNPOOL: (-1,)}  # levels that they climb
INHIBITED = (Quantity.COUNT, Quantity.SURROGATE, Quantity.CHANGE)  # what is made of a count


def untimely(program: Program) -> Iterator[str]:
    """What would be read before it is there, or sent when nobody can, in words."""
    timetable = program.timetable
    learns = program.plastic or bool(program.gates)
    if learns or any(s.compartment is not Compartment.SOMA for s in program.synapses):
        needed = timetable.predict + 1 + max(p.level for p in program.populations)
        if timetable.period < needed:
            yield f"a period of {timetable.period} steps is too short for its levels, not {needed}"
    for population in program.populations:
        yield from _of_messages(program, population)
        yield from _of_post_values(program, population)
    for gate in program.gates:
        if timetable.predict < gate.decided(timetable.steps):
            yield f"{gate.name} decides at tau {gate.decided(timetable.steps)}, after the last step"
        for s in program.arriving[gate.population] if Quantity.RETRO in gate.score else ():
            sent = gate.sent(timetable.steps)
            if s.compartment is Compartment.RETRO and s.listens and sent < arrival(program, s):
                yield f"{gate.name} is sent scores at tau {sent}, before {s.name} has arrived"
    for s in program.synapses:
        yield from _of_synapses(program, s)


def arrival(program: Program, s: Synapses) -> int:
    """The target's own tau at which what a compartment collects has arrived."""
    source, target = program.population(s.source), program.population(s.target)
    return s.listens[0] + 1 + source.level - target.level


def carried(s: Synapses) -> tuple[Quantity, ...]:
    """What a message may hold that these synapses deliver."""
    if s.connection is Connection.UNPOOL:
        return (Quantity.WINNER,)
    if s.connection is Connection.SPREAD:
        return tuple(q for q, compartment in COMPARTMENT_OF.items() if compartment is s.compartment)
    return PRE_QUANTITIES


def _of_messages(program: Program, population: ProgramPopulation) -> Iterator[str]:
    """Each is known when it is sent, and what is no count is heard by those whom it is meant for.

    Counts are known once the presentation is over, and shifted after the step `predict`.
    """
    name = population.name
    yield from _at_once(program, population)
    leaving = program.leaving[name]
    heard = {(step, q) for s in leaving for step in s.listens for q in carried(s)}
    for message in population.messages:
        what, step = message.quantity.value, message.step
        known = _known(program, population, message.quantity)
        if known is None:
            yield f"{name} sends its {what}, which is no count, and has none"
        elif not {step, step + _span(population, message.stride) - 1} <= {*known}:
            has = "it has no count" if message.quantity in PRE_QUANTITIES else f"it has no {what}"
            yield f"{name} sends a message at tau {step}, when {has}"
        elif message.quantity not in PRE_QUANTITIES and (step, message.quantity) not in heard:
            yield f"{name} sends its {what} at tau {step}, to nobody"


def _at_once(program: Program, population: ProgramPopulation) -> Iterator[str]:
    """A neuron sends one message a step; post values that are learned in turn are messages, too."""
    sent = [(m.step, m.stride) for m in population.messages]
    for s in filter(in_turn, program.arriving[population.name]):
        sent += [(slot, turns_of(program, s).stride) for slot in s.slots]
    for (step, stride), (other, other_stride) in combinations(sorted(sent), 2):
        # with the same stride each neuron sends as many steps later as the first one does
        apart = 1 if stride == other_stride else _span(population, stride)
        if other < step + apart:
            yield f"{population.name} sends two messages in one step"
            return


def _span(population: ProgramPopulation, stride: int) -> int:
    """The time steps that a message takes until all neurons have sent theirs."""
    _, height, width = population.map
    return (height - 1) * stride + width if stride else 1


def _known(program: Program, population: ProgramPopulation, quantity: Quantity) -> range | None:
    """The steps at which a population can send a quantity; None where it never has it."""
    timetable, arriving = program.timetable, program.arriving[population.name]
    after = timetable.predict + 1
    if quantity in PRE_QUANTITIES:
        first = 0 if population.soma is None else timetable.steps
        inhibited = [arrival(program, s) for s in arriving if s.connection is Connection.UNPOOL]
        late = inhibited if quantity is Quantity.COUNT else []
        return range(max([first, *late]), after)
    if quantity is Quantity.WINNER:
        return range(timetable.steps, after) if isinstance(population.soma, Relay) else None
    collected = [s for s in arriving if s.listens and s.compartment is COMPARTMENT_OF.get(quantity)]
    if not collected or not isinstance(population.soma, Tally):
        return None
    if quantity is Quantity.APICAL:  # the prediction that has waited for this fixation
        return range(min(s.listens[0] for s in collected))
    return range(max(arrival(program, s) for s in collected), after)


def _of_post_values(program: Program, population: ProgramPopulation) -> Iterator[str]:
    arriving = program.arriving[population.name]
    gates = {g.name: g for g in program.gates}
    steps = program.timetable.steps
    written = [(v.register, v.step) for v in population.post_values]
    if len({*written}) < len(written):
        yield f"{population.name} writes a register twice in one step"
    late = {s.name: _changes(s) for s in arriving if s.connection in DOWNWARD and s.listens}
    for value in population.post_values:
        for s in arriving:
            if {*value.factors} & {*late.get(s.name, ())} and value.step < arrival(program, s):
                yield (
                    f"{population.name} reads what {s.name} brings at tau {value.step}, before it "
                    f"has arrived at {arrival(program, s)}"
                )
        gate = gates.get(value.gate or "")
        if gate is None:
            continue
        arrives = gate.decided(steps) + 1 + program.population(gate.population).level
        if value.step + population.level < arrives:
            yield (
                f"{population.name} reads {gate.name} at tau {value.step}, before it has arrived "
                f"at {arrives - population.level}"
            )


def delayed(s: Synapses, source: ProgramPopulation) -> bool:
    """Whether a projection may have a delay: it brings spikes to somata, and learns nothing."""
    learns = s.rule is not None or s.connection in CHANNELWISE
    return s.compartment is Compartment.SOMA and source.spiking and not learns


def _of_delay(program: Program, s: Synapses) -> Iterator[str]:
    """Nothing arrives before it was sent, and somata that wait for one another all are neurons."""
    held = held_back(program, s)
    if held < 0:
        yield f"{s.name} brings spikes {-held} steps before they can arrive"
    low, high = program.population(s.target).level, program.population(s.source).level
    if low > high:
        return
    for population in members(program, range(low, high + 1)):
        if not isinstance(population.soma, Soma):
            yield f"{s.name} is recurrent across {population.name}, which is no neuron"


def collects(s: Synapses | Projection, climbs: int) -> bool:
    """Whether it brings the counts of a layer, of any level below, to whoever adds them up."""
    everyone = s.connection is Connection.ALL_TO_ALL
    return everyone and s.compartment is Compartment.RETRO and climbs >= 0


def _changes(s: Synapses) -> tuple[Quantity, ...]:
    """The quantities of a neuron that depend on what a downward projection brings."""
    return INHIBITED if s.compartment is Compartment.INHIBITION else carried(s)


def _of_synapses(program: Program, s: Synapses) -> Iterator[str]:
    """Every message that a synapse needs is sent, and its post value written, when it learns."""
    source, target = program.population(s.source), program.population(s.target)
    soma, climbs = s.compartment is Compartment.SOMA, target.level - source.level
    if target.soma is None:
        yield f"{s.name} ends on the input {s.target}"
    if s.paired:
        if s.listens or s.delay:
            yield f"{s.name} listens or has a delay, but ends where nobody reads"
    elif delayed(s, source):
        yield from _of_delay(program, s)
    elif climbs not in DOWNWARD.get(s.connection, (int(soma),)) and not collects(s, climbs):
        yield f"{s.name} climbs {climbs} levels onto the {s.compartment.value}"
    elif s.delay:
        yield f"{s.name} has a delay of {s.delay}, but does not bring spikes to somata"
    if soma and not source.spiking and not target.latched:
        yield f"{s.name} sends a graded message to {s.target}, which does not hold it"
    sent = {m.step: m.quantity for m in source.messages if not m.stride}
    if in_turn(s):
        yield from _of_turns(program, s)
        learned = set()
    else:
        learned = {slot + climbs for slot in s.slots}
    added = adds_spikes(program, s)
    spikes = source.spiking and (soma or added)
    heard = set() if spikes else set(s.listens)
    needed = learned | heard
    if not needed <= sent.keys():
        missing = min(needed - sent.keys())
        yield f"{s.source} sends nothing at tau {missing}, where {s.name} needs it"
        return
    for step, allowed in (
        *((t, PRE_QUANTITIES) for t in learned),
        *((t, carried(s)) for t in heard),
    ):
        if sent[step] not in allowed:
            yield f"{s.name} needs no {sent[step].value}, which {s.source} sends at tau {step}"
    if soma and s.listens != (tuple(range(program.timetable.steps)) if spikes else (0,)):
        yield f"{s.name} listens at tau {s.listens}, not when {s.source} presents itself"
    if added:
        yield from _of_added(program, s)
    elif not (soma or s.paired) and len(s.listens) != 1:
        yield f"{s.name} listens {len(s.listens)} times, a compartment once a fixation"
    elif s.connection in DOWNWARD and s.listens[0] + 1 - climbs > program.timetable.predict:
        yield f"{s.name} arrives at tau {s.listens[0] + 1 - climbs}, after the last step"
    if s.rule is not None and in_slots(s):
        register = s.rule.register
        written = {v.step for v in target.post_values if v.register == register}
        if written != {*s.slots}:
            steps = sorted(written ^ {*s.slots})
            yield f"{s.name} learns or {s.target} writes {register} at tau {steps}, not both"


def _of_added(program: Program, s: Synapses) -> Iterator[str]:
    """Spikes have all arrived when the soma takes the sum over, and weights have not changed."""
    step, timetable = taken_over(program, s), program.timetable
    if not timetable.steps <= step <= timetable.predict:
        yield (
            f"{s.target} takes over what {s.name} has added up at tau {step}, not between the "
            f"presentation and the last step"
        )
    if s.rule is None:
        return
    for product in (*s.rule.dw, *s.rule.dt):
        if not any(factor in REGISTERS for factor in product.factors):
            yield f"{s.name} learns by '{product}' while it adds up spikes"
    values = program.population(s.target).post_values
    for tau in sorted({value.step for value in values if value.step < step}):
        written = {value.register: value for value in values if value.step == tau}
        for product in s.rule.dw:
            if not any(_is_nothing(product, register, written) for register in REGISTERS):
                yield f"{s.name} changes at tau {tau} by '{product}', while it adds up spikes"


def _is_nothing(product: Product, register: str, written: dict[str, PostValue]) -> bool:
    """Whether a register makes a product 0, whatever the soma may have written into it."""
    value = written.get(register)
    if value is not None and (not value.carries or value.shift):
        return False
    possible = {0} if value is None else {0, value.granularity * value.multiplier}
    read = [f for f in map(parse, product.factors) if f is not None and f.variable == register]
    return all(any(number + factor.constant == 0 for factor in read) for number in possible)


def _of_turns(program: Program, s: Synapses) -> Iterator[str]:
    """Traces are sent when their positions have their turns, and all is over by the last step."""
    source, target = program.population(s.source), program.population(s.target)
    turns, climbs = turns_of(program, s), target.level - source.level
    sent = {(m.step, m.stride) for m in source.messages if m.quantity in PRE_QUANTITIES}
    for slot in s.slots:
        step = turns.sent(slot, climbs)
        if (step, turns.stride) not in sent:
            yield f"{s.source} sends nothing in turn from tau {step} on, where {s.name} needs it"
    over = [*sorted(s.slots), program.timetable.predict]
    for slot, following in pairwise(over):
        if following - slot < turns.duration:
            yield (
                f"{s.name} learns in turn for {turns.duration} steps from tau {slot}, and has "
                f"{following - slot}"
            )
