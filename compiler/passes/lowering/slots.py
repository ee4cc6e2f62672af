"""Which step each term of a rule may learn in, for one order of messages after the presentation.

A term can be learned where its presynaptic population sends the trace that it multiplies, and
where its post value is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

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
from compiler.terms import COMPARTMENT_OF


@dataclass(frozen=True)
class Order:
    """Messages from tau = `first` on, and which of them the retrodiction and prediction are."""

    steps: int
    first: int
    sent: tuple[Quantity, ...]
    retro: int
    predict: int
    feedback: int


def order_of(network: Network, steps: int, sent: tuple[Quantity, ...]) -> Order | None:
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
    return Order(steps, first, sent, retro, first + len(sent) - 1, feedback)


def slots_of(
    network: Network, plastic: list[Projection], order: Order
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
                and tau >= known_at(network, term, order, projection.target)
                for tau, term in zip(choice, terms, strict=True)
            ):
                slots[projection.name] = choice
                break
        else:
            return None
    return slots


def known_at(network: Network, term: Term, order: Order, population: str) -> int:
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
