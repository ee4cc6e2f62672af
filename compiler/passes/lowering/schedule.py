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

Rules that learn from spike times, or from traces of them, need no such messages: `schedule_traces`
and `schedule_spike_timing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from clapp_neuro.errors import InputError
from compiler.ir import (
    PRE_QUANTITIES,
    Compartment,
    LearningRule,
    Network,
    Quantity,
)
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.lowering.consolidation import EVERY
from compiler.passes.lowering.schedule_spike_timing import schedule_spike_timing
from compiler.passes.lowering.schedule_traces import DECIMATION_MAX, schedule_traces, traced
from compiler.passes.lowering.slots import Order, known_at, order_of, slots_of
from compiler.program import Timetable
from compiler.timing import collects
from compiler.turns import Turns, in_turn

LONGEST = 9


@dataclass(frozen=True)
class Plan:
    """The timetable and the slot (tau of the target) of every term of every plastic projection.

    feedback: tau at which retrodictions are spread, where any are. together: of rules with traces
    of spikes the time steps of the fixation at which all synapses learn, one or two.
    """

    timetable: Timetable
    slots: dict[str, tuple[int, ...]]
    carry_exponent: int
    feedback: int = 0
    together: tuple[int, ...] = ()


def schedule(
    network: Network,
    consolidated: int | None = None,
    *,
    by_rule: bool = True,
    reach: int = DECIMATION_MAX,
) -> Plan:
    """The shortest plan; raises InputError where no order of messages serves all terms.

    consolidated: every so many fixations, a power of two, tags are carried into weights; None for
    32, or fewer where a fixation is so long that u_k does not reach as far. reach: the largest k of
    the target's u_k. Not `by_rule`, it is left to the management processor, and the period need not
    fit an interval of 2^k steps.
    """
    steps = network.schedule.steps
    plastic = [p for p in network.projections if p.rule is not None]
    _require_layers(network)
    if any(isinstance(p.rule, SpikeTimingRule) for p in plastic):
        timetable, k = schedule_spike_timing(network)
        return Plan(timetable, {}, k)
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
            order = order_of(network, steps, sent)
            slots = None if order is None else slots_of(network, at_once, order)
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
                carry = max(period.bit_length() - 1, min(reach, carry))
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


@dataclass(frozen=True)
class _InTurn:
    """What the positions of a map send one after the other, the first of them at its own `step`."""

    population: str
    step: int
    turns: Turns

    def meets(self, other: _InTurn) -> bool:
        """Whether a neuron would send both in one step."""
        if self.population != other.population:
            return False
        if self.turns.stride == other.turns.stride:  # each neuron is as much later as the first
            return self.step == other.step
        early, late = sorted((self, other), key=lambda one: one.step)
        return late.step < early.step + early.turns.span


def _with_turns(network: Network, order: Order, slots: dict[str, tuple[int, ...]]) -> Plan:
    """The plan with slots for what learns in turn; the prediction leaves when that is over."""
    level = {p.name: p.level for p in network.populations}
    climbs = {p.name: level[p.target] - level[p.source] for p in network.projections}
    found: dict[str, tuple[int, ...]] = {}
    sending: list[_InTurn] = []
    predict = order.predict
    for p in filter(in_turn, network.projections):
        assert isinstance(p.rule, LearningRule), "rules of spike times have no slots"
        turns = Turns(*network.population(p.target).map[1:], p.weights.shape[-1])
        known = max(known_at(network, term, order, p.target) for term in p.rule.terms)
        # the source begins when all that populations send at once is over
        first = max(known, order.predict - turns.sent(0, climbs[p.name]))
        if turns.depth == 0:  # a map would send trace and post value at once
            first = max([first, *(begun[0] + 1 for begun in found.values())])
        while True:
            taus = tuple(first + i * turns.duration for i in range(len(p.rule.terms)))
            own = [_InTurn(p.source, turns.sent(tau, climbs[p.name]), turns) for tau in taus]
            own += [_InTurn(p.target, tau, turns) for tau in taus]
            if not any(one.meets(other) for one in own for other in sending):
                break
            first += 1
        found[p.name] = taus
        sending += own
        predict = max(predict, taus[-1] + turns.duration)
    for name, taus in slots.items():  # one that learns from the prediction's message moves with it
        found[name] = tuple(predict if tau + climbs[name] == order.predict else tau for tau in taus)
    timetable = Timetable(order.steps, predict + 1 + max(level.values()), order.retro, predict)
    return Plan(timetable, found, 0, order.feedback)


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
