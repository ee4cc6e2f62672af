"""Strategies for networks that learn from exponential traces, with nothing sent but spikes."""

from __future__ import annotations

from hypothesis import strategies as st

from compiler.ir import (
    Comparator,
    Compartment,
    LearningRule,
    Modulator,
    Network,
    Neuron,
    Population,
    PreTraces,
    Projection,
    Quantity,
    Schedule,
    Term,
)
from fuzz.drawn import DECAYS, RESETS, THRESHOLDS, WIDTHS, Draw, weights

STEPS = st.integers(4, 9) | st.integers(1, 3) | st.sampled_from([16, 31])
RESTS = st.sampled_from([24, 32, 40, 20]) | st.integers(12, 48)
CONSTANTS = st.sampled_from([(12.0, 24.0), (4.0, 20.0), (30.0, 60.0)])  # of the traces, in steps
Z, C, D = Quantity.COUNT, Quantity.PREVIOUS_COUNT, Quantity.APICAL


@st.composite
def traced(draw: Draw) -> Network:
    """One to three layers that learn what CLAPP without retrodiction does, once a fixation."""
    traces = PreTraces(*draw(CONSTANTS))
    rate = 2.0 ** -draw(st.integers(8, 13))
    populations = [Population("input", draw(WIDTHS), 0, spikes=True)]
    projections: list[Projection] = []
    comparators: list[Comparator] = []
    for level in range(1, draw(st.integers(1, 3)) + 1):
        name, below, size = f"layer{level}", populations[-1], draw(WIDTHS)
        bias = tuple(draw(weights((size,)))) if draw(st.booleans()) else ()
        neuron = Neuron(draw(DECAYS), draw(THRESHOLDS), draw(RESETS))
        populations.append(Population(name, size, level, neuron, bias=bias))
        gate = f"{name}.gate"
        comparators.append(
            Comparator(gate, name, "saccade", draw(st.sampled_from([1.0, 0.1, 3.0])))
        )
        for role, source, compartment, term in (
            (
                "forward",
                below,
                Compartment.SOMA,
                Term(rate, Z, (D, Quantity.SURROGATE), gate),
            ),
            ("prediction", populations[-1], Compartment.APICAL, Term(rate, C, (Z,), gate)),
        ):
            learns = role == "forward" or draw(st.sampled_from([True, True, True, False]))
            rule = LearningRule(role, (term,), traces) if learns else None
            own = 2 * draw(weights((size, source.size)))
            projections.append(
                Projection(f"{name}.{role}", source.name, name, compartment, own, rule)
            )
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(draw(STEPS), draw(RESTS)),
        tuple(comparators),
        (Modulator("saccade"),),
    )
