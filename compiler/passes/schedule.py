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
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

from clapp_neuro.errors import InputError
from compiler.ir import Compartment, Network, Projection, Quantity, Term
from compiler.program import Timetable

LONGEST = 8
DECIMATION_MAX = 9  # Loihi's u_k: at most every 2^9 steps
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
        assert projection.rule is not None
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
