"""Folds the scaling of inputs into the first weights, so that inputs are bare 8-bit intensities."""

from __future__ import annotations

from dataclasses import replace

from compiler.ir import LearningRule, Network, Projection
from compiler.report import Note


def fold(network: Network) -> tuple[Network, tuple[Note, ...]]:
    """An equal network whose inputs have scale 1.

    With x = scale * i, the weight onto the intensity i is W' = scale * W, and its change is
    scale * coefficient * post * x = scale^2 * coefficient * post * i. Exact but for rounding in
    float64.
    """
    scale = {p.name: p.scale for p in network.populations}
    populations = tuple(replace(p, scale=1.0) for p in network.populations)
    projections = tuple(_scaled(p, scale[p.source]) for p in network.projections)
    notes = tuple(
        Note("fold", name, f"input scale {factor:.6g} moved into the weights that it drives")
        for name, factor in scale.items()
        if factor != 1.0
    )
    return replace(network, populations=populations, projections=projections), notes


def _scaled(projection: Projection, factor: float) -> Projection:
    if factor == 1.0:
        return projection
    rule = projection.rule
    if isinstance(rule, LearningRule):  # rules of spike times see spikes, whatever their scale
        terms = tuple(replace(t, coefficient=t.coefficient * factor**2) for t in rule.terms)
        rule = replace(rule, terms=terms)
    return replace(projection, weights=projection.weights * factor, rule=rule)
