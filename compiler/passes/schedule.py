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

Rules that learn from spike times need no message; their timetable is the network's own, with the
rest between fixations that it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

from clapp_neuro.errors import InputError
from compiler.ir import Compartment, LearningRule, Network, Projection, Quantity, Term
from compiler.program import Timetable
from compiler.spike_timing import SpikeTimingRule

LONGEST = 8
DECIMATION_MAX = 9  # Loihi's u_k: at most every 2^9 steps
CARRIES_A_FIXATION = 2  # as exponent, of rules of spike times
FIXATIONS_A_CARRY = 5  # as exponent: whole weight units are carried every 2^5 fixations


@dataclass(frozen=True)
class Plan:
    """The timetable and the slot (tau of the target) of every term of every plastic projection."""

    timetable: Timetable
    slots: dict[str, tuple[int, ...]]
    carry_exponent: int


def schedule(network: Network) -> Plan:
    """The shortest plan; raises InputError where no order of messages serves all terms."""
    steps = network.schedule.steps
    plastic = [p for p in network.projections if p.rule is not None]
    _require_layers(network)
    if any(isinstance(p.rule, SpikeTimingRule) for p in plastic):
        return _plan_spike_timing(network)
    top = max(p.level for p in network.populations)
    if not plastic:
        return Plan(Timetable(steps, steps, retro=steps, predict=steps - 1), {}, 0)
    for length in range(1, LONGEST + 1):
        for sent in product((Quantity.COUNT, Quantity.PREVIOUS_COUNT), repeat=length):
            plan = _try(network, plastic, steps, sent)
            if plan is None:
                continue
            retro, predict, slots = plan
            period = 1 << (predict + top).bit_length()  # a power of two >= predict + 1 + top
            timetable = Timetable(steps, period, retro, predict)
            carry = min(DECIMATION_MAX, period.bit_length() - 1 + FIXATIONS_A_CARRY)
            return Plan(timetable, slots, carry)
    names = ", ".join(p.rule.name for p in plastic if p.rule is not None)
    raise InputError(
        f"no order of at most {LONGEST} messages after the presentation lets all terms of {names} "
        f"learn; split a rule over fewer terms that need different presynaptic traces"
    )


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
    """Forward projections climb one level, the others stay on theirs."""
    level = {p.name: p.level for p in network.populations}
    for p in network.projections:
        climbs = 1 if p.compartment is Compartment.SOMA else 0
        if level[p.target] - level[p.source] != climbs:
            raise InputError(
                f"projection {p.name} goes from level {level[p.source]} to level "
                f"{level[p.target]}; a projection onto the {p.compartment.value} must climb "
                f"{climbs} level(s)"
            )


def _try(
    network: Network, plastic: list[Projection], steps: int, sent: tuple[Quantity, ...]
) -> tuple[int, int, dict[str, tuple[int, ...]]] | None:
    sums = max((c.sums for c in network.comparators), default=1)
    first = steps + sums
    predict = first + len(sent) - 1
    compartments = {p.compartment for p in network.projections}
    if Compartment.APICAL in compartments and sent[-1] is not Quantity.COUNT:
        return None
    if Compartment.RETRO in compartments and Quantity.COUNT not in sent:
        return None
    retro = first + sent.index(Quantity.COUNT) if Quantity.COUNT in sent else first
    level = {p.name: p.level for p in network.populations}
    slots: dict[str, tuple[int, ...]] = {}
    for projection in plastic:
        assert isinstance(projection.rule, LearningRule)
        climbs = level[projection.target] - level[projection.source]
        last = predict - 1 if projection.compartment is Compartment.APICAL else predict - climbs
        free = [
            tau
            for tau in range(first, last + 1)
            if not (projection.compartment is Compartment.RETRO and tau < retro)
        ]
        terms = projection.rule.terms
        for choice in permutations(free, len(terms)):
            if all(
                sent[tau + climbs - first] is term.pre
                and tau >= _ready(network, term, steps, retro, level[projection.target])
                for tau, term in zip(choice, terms, strict=True)
            ):
                slots[projection.name] = choice
                break
        else:
            return None
    return retro, predict, slots


def _ready(network: Network, term: Term, steps: int, retro: int, level: int) -> int:
    """The first tau at which the post value of the term is known to a population of that level."""
    ready = steps + 1
    for comparator in network.comparators:
        if comparator.name == term.gate:
            later = network.population(comparator.population).level - level
            # sums are sent from `steps` on, then it decides, by its own layer's time
            ready = max(ready, steps + comparator.sums + 1 + later)
    if Quantity.RETRO in term.post:
        ready = max(ready, retro + 1)
    return ready
