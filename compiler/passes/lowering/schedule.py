"""Finds the shortest timetable in which every term of every learning rule has its step.

After the presentation a population sends one message a step, to all its targets: its count or the
count of the fixation before. A term can be learned in a slot where its presynaptic population
sends the trace that the term multiplies and where its post value is known. The search tries all
sequences of messages, shortest first; for CLAPP it finds

    tau       sends            learns
    steps     score
    steps+1   count            (the retrodiction travels)
    steps+2   count            W_retro
    steps+2                    W as the source of a prediction (Eq. 7)
    steps+3   previous count   W_pred; W as the target (Eq. 6)
    steps+4   count            (the prediction travels, through the updated W_pred)

The mean of a map's positions spreads what it has collected over them: the prediction as the
fixation begins, the retrodiction in a step of its own after it has arrived.

Kernels that learn in turn (`compiler.turns`) do so after all of this, and only then, as the last
message, the prediction leaves. Their tags, and so all others, are carried by the management
processor: the period need not fit an interval of 2^k steps.

A readout collects the counts of its layers as they send the retrodiction. Then come its scores, the
critic's word, and one more count of each layer to learn from.

Rules that learn from spike times need no message; their timetable is the network's own, with the
rest between fixations that it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

from clapp_neuro.errors import InputError
from compiler.ir import (
    PRE_QUANTITIES,
    Comparator,
    Compartment,
    LearningRule,
    Network,
    Projection,
    Quantity,
    Term,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.lowering.consolidation import EVERY
from compiler.passes.lowering.schedule_traces import schedule_traces, traced
from compiler.program import Timetable
from compiler.terms import COMPARTMENT_OF
from compiler.timing import collects
from compiler.turns import Turns, in_turn

LONGEST = 9
DECIMATION_MAX = 9  # Loihi's u_k: at most every 2^9 steps
CARRIES_A_FIXATION = 2  # as exponent, of rules of spike times


@dataclass(frozen=True)
class Plan:
    """The timetable and the slot (tau of the target) of every term of every plastic projection.

    feedback: tau at which retrodictions are spread, where any are. together: of rules with traces
    of spikes the time step of the fixation at which all synapses learn.
    """

    timetable: Timetable
    slots: dict[str, tuple[int, ...]]
    carry_exponent: int
    feedback: int = 0
    together: int = 0


def schedule(network: Network, consolidated: int | None = None, *, by_rule: bool = True) -> Plan:
    """The shortest plan; raises InputError where no order of messages serves all terms.

    consolidated: every so many fixations, a power of two, tags are carried into weights; None for
    32, or fewer where a fixation is so long that u_k does not reach as far. Not `by_rule`, it is
    left to the management processor, and the period need not fit an interval of 2^k steps.
    """
    steps = network.schedule.steps
    plastic = [p for p in network.projections if p.rule is not None]
    _require_layers(network)
    if any(isinstance(p.rule, SpikeTimingRule) for p in plastic):
        return _plan_spike_timing(network)
    if any(traced(p) for p in plastic):
        timetable, together, k = schedule_traces(network)
        return Plan(timetable, {}, k, together=together)
    top = max(p.level for p in network.populations)
    if not plastic:
        return Plan(Timetable(steps, steps, retro=steps, predict=steps - 1), {}, 0)
    spread = any(p.carries is Quantity.RETRO for p in network.projections)
    alphabet = (Quantity.COUNT, Quantity.PREVIOUS_COUNT, *([Quantity.RETRO] if spread else []))
    at_once = [p for p in plastic if not in_turn(p)]
    for length in range(1, LONGEST + 1):
        for sent in product(alphabet, repeat=length):
            if spread and sent.count(Quantity.RETRO) != 1:
                continue
            order = _order(network, steps, sent)
            slots = None if order is None else _slots(network, at_once, order)
            if order is None or slots is None:
                continue
            if len(at_once) < len(plastic):
                return _with_turns(network, order, slots)
            if not by_rule:
                shortest = order.predict + 1 + top
                timetable = Timetable(steps, shortest, order.retro, order.predict)
                return Plan(timetable, slots, 0, order.feedback)
            # a power of two >= predict + 1 + top
            period = 1 << (order.predict + top).bit_length()
            timetable = Timetable(steps, period, order.retro, order.predict)
            if _at_a_carry(network, timetable, slots):
                continue
            carry = (period * (consolidated or EVERY)).bit_length() - 1
            if consolidated is None:
                carry = min(DECIMATION_MAX, carry)
            return Plan(timetable, slots, carry, order.feedback)
    names = ", ".join(p.rule.name for p in plastic if p.rule is not None)
    raise InputError(
        f"no order of at most {LONGEST} messages after the presentation lets all terms of {names} "
        f"learn; split a rule over fewer terms that need different presynaptic traces"
    )


def _at_a_carry(network: Network, timetable: Timetable, slots: dict[str, tuple[int, ...]]) -> bool:
    """Whether a synapse would learn in the very step in which its tag is carried.

    The engine applies both to the tag of before.
    """
    level = {p.name: network.population(p.target).level for p in network.projections}
    return any(timetable.last_tau(level[name]) in taus for name, taus in slots.items())


def _with_turns(network: Network, order: _Order, slots: dict[str, tuple[int, ...]]) -> Plan:
    """The plan with slots for what learns in turn; the prediction leaves when that is over."""
    level = {p.name: p.level for p in network.populations}
    climbs = {p.name: level[p.target] - level[p.source] for p in network.projections}
    found: dict[str, tuple[int, ...]] = {}
    predict = order.predict
    for p in filter(in_turn, network.projections):
        assert isinstance(p.rule, LearningRule), "rules of spike times have no slots"
        turns = Turns(*network.population(p.target).map[1:], p.weights.shape[-1])
        known = max(_ready(network, term, order, p.target) for term in p.rule.terms)
        # the source begins when all that populations send at once is over
        first = max(known, order.predict - turns.sent(0, climbs[p.name]))
        if turns.depth == 0:  # a map would send trace and post value at once
            first = max([first, *(begun[0] + 1 for begun in found.values())])
        found[p.name] = tuple(first + i * turns.duration for i in range(len(p.rule.terms)))
        predict = max(predict, found[p.name][-1] + turns.duration)
    for name, taus in slots.items():  # one that learns from the prediction's message moves with it
        found[name] = tuple(predict if tau + climbs[name] == order.predict else tau for tau in taus)
    timetable = Timetable(order.steps, predict + 1 + max(level.values()), order.retro, predict)
    return Plan(timetable, found, 0, order.feedback)


def _plan_spike_timing(network: Network) -> Plan:
    """The timetable of a network whose rules learn from spike times.

    Raises InputError where a rule needs what the network does not have: spikes, one kind of
    rule, or a rest between fixations that is long enough.
    """
    plastic = [p for p in network.projections if p.rule is not None]
    timed = [p for p in plastic if isinstance(p.rule, SpikeTimingRule)]
    for p in plastic:
        if p not in timed:
            raise InputError(
                f"projection {p.name} learns once a fixation and {timed[0].name} at every time "
                "step: give all plastic projections rules of one kind"
            )
        if p.compartment is not Compartment.SOMA or network.population(p.source).graded:
            raise InputError(
                f"projection {p.name} learns from spike times, but {p.source} sends no spikes to "
                "the soma: let it spike (encoder.input 'spikes'), or use a rule of counts"
            )
    for population in network.populations:
        if population.shape is not None:
            raise InputError(
                f"population {population.name} is a map, which rules of spike times do not learn "
                "beside yet: use dense layers, or compile with learning left out (--static)"
            )
    steps, period = network.schedule.steps, network.schedule.steps + network.schedule.rest
    top = max(p.level for p in network.populations)
    rewarded = any(p.rule.eligibility for p in timed if isinstance(p.rule, SpikeTimingRule))
    needed = top + (3 if rewarded else 1)  # for the last layer's last spikes, and for the reward
    if network.schedule.rest < needed:
        raise InputError(
            f"a rest of {network.schedule.rest} time steps between fixations is too short for "
            f"{top} layers that learn from spike times: give at least {needed} (encoder.rest)"
        )
    if rewarded and (period & (period - 1) or period > 1 << DECIMATION_MAX):
        raise InputError(
            f"{period} time steps a fixation, {steps} and a rest of {network.schedule.rest}: a "
            "reward is learned from every 2^k steps, so make them a power of two of at most "
            f"{1 << DECIMATION_MAX} (encoder.rest)"
        )
    predict = steps + 1 if rewarded else steps
    # a reward comes once a fixation; carries must follow faster changes than CLAPP's
    every = period.bit_length() - 1 - (0 if rewarded else CARRIES_A_FIXATION)
    return Plan(Timetable(steps, period, steps, predict), {}, min(DECIMATION_MAX, max(0, every)))


def _require_layers(network: Network) -> None:
    """Forward projections climb one level; others stay on theirs, or go down to a map."""
    level = {p.name: p.level for p in network.populations}
    for p in network.projections:
        climbs = level[p.target] - level[p.source]
        if p.carries not in PRE_QUANTITIES and climbs < 0:
            continue
        spikes = p.compartment is Compartment.SOMA and not network.population(p.source).graded
        if spikes and p.rule is None and p.delay + climbs >= 1:
            continue  # held back for as long as it takes
        needed = 1 if p.compartment is Compartment.SOMA else 0
        if climbs != needed and not collects(p, climbs):
            raise InputError(
                f"projection {p.name} goes from level {level[p.source]} to level "
                f"{level[p.target]}; a projection onto the {p.compartment.value} must climb "
                f"{needed} level(s)"
            )


@dataclass(frozen=True)
class _Order:
    """Messages from tau = `first` on, and which of them the retrodiction and prediction are."""

    steps: int
    first: int
    sent: tuple[Quantity, ...]
    retro: int
    predict: int
    feedback: int


def _order(network: Network, steps: int, sent: tuple[Quantity, ...]) -> _Order | None:
    """The messages as a timetable; None where what must be sent is not."""
    first = steps + max((c.sums for c in network.comparators), default=1)
    compartments = {p.compartment for p in network.projections if p.carries in PRE_QUANTITIES}
    if Compartment.APICAL in compartments and sent[-1] is not Quantity.COUNT:
        return None
    if Compartment.RETRO in compartments and Quantity.COUNT not in sent:
        return None
    retro = first + sent.index(Quantity.COUNT) if Quantity.COUNT in sent else first
    feedback = first + sent.index(Quantity.RETRO) if Quantity.RETRO in sent else 0
    if Quantity.RETRO in sent and feedback <= retro:
        return None  # it has not arrived yet
    return _Order(steps, first, sent, retro, first + len(sent) - 1, feedback)


def _slots(
    network: Network, plastic: list[Projection], order: _Order
) -> dict[str, tuple[int, ...]] | None:
    """A tau of the target for every term of every projection that learns; None if there is none."""
    first, predict = order.first, order.predict
    level = {p.name: p.level for p in network.populations}
    slots: dict[str, tuple[int, ...]] = {}
    for projection in plastic:
        assert isinstance(projection.rule, LearningRule)
        climbs = level[projection.target] - level[projection.source]
        last = predict - 1 if projection.compartment is Compartment.APICAL else predict - climbs
        free = [
            tau
            for tau in range(first, last + 1)
            if not (projection.compartment is Compartment.RETRO and tau < order.retro)
        ]
        terms = projection.rule.terms
        for choice in permutations(free, len(terms)):
            if all(
                order.sent[tau + climbs - first] is term.pre
                and tau >= _ready(network, term, order, projection.target)
                for tau, term in zip(choice, terms, strict=True)
            ):
                slots[projection.name] = choice
                break
        else:
            return None
    return slots


def _ready(network: Network, term: Term, order: _Order, population: str) -> int:
    """The first tau at which the post value of the term is known to the population."""
    level = network.population(population).level
    ready = order.steps + 1
    for comparator in network.comparators:
        if comparator.name == term.gate:
            later = network.population(comparator.population).level - level
            # it decides when all sums are there, by its own layer's time
            sent = scores_sent(network, comparator, order.steps, order.retro)
            ready = max(ready, sent + comparator.sums + 1 + later)
    spread = spread_at(order.steps, order.feedback)
    for p in network.arriving[population]:
        if p.carries in spread:
            later = network.population(p.source).level - level
            ready = max(ready, spread[p.carries] + 1 + later if _reads(term, p) else 0)
        elif p.compartment is Compartment.RETRO and _reads(term, p):
            ready = max(ready, order.retro + 1)
    return ready


def scores_sent(network: Network, comparator: Comparator, steps: int, retro: int) -> int:
    """The tau at which a population sends its scores: when it has what they are made of."""
    if Quantity.RETRO not in comparator.score:
        return steps
    level = network.population(comparator.population).level
    climbs = [
        level - network.population(p.source).level
        for p in network.arriving[comparator.population]
        if p.compartment is Compartment.RETRO and p.carries in PRE_QUANTITIES
    ]
    return retro + 1 - min(climbs, default=0)


def spread_at(steps: int, feedback: int) -> dict[Quantity, int]:
    """The tau at which a population sends what it has collected: a prediction at once."""
    return {Quantity.APICAL: 0, Quantity.WINNER: steps, Quantity.RETRO: feedback}


def _reads(term: Term, p: Projection) -> bool:
    """Whether a post value depends on what a projection brings to its compartment."""
    if p.compartment is Compartment.INHIBITION:  # it changes counts, and all that is made of them
        return True
    return any(COMPARTMENT_OF.get(quantity) is p.compartment for quantity in term.post)
