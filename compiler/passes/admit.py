"""Refuses source networks that mean nothing, or that no engine executes; all faults at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from clapp_neuro.errors import InputError
from compiler.connectivity import kernel_of, weights_shape
from compiler.ir import (
    CENTRED,
    PRE_QUANTITIES,
    Compartment,
    Connection,
    Network,
    Neuron,
    Population,
    Projection,
    Reset,
    Values,
    per_neuron,
)

SEQUENCE_MAX = 255  # 8 bits and sign, as the payload of a graded spike


def admit(network: Network) -> None:
    """InputError that lists every fault of the network by population or projection."""
    faults = [f for p in network.populations for f in _of_population(p)]
    names = {p.name for p in network.populations}
    for p in network.projections:
        if {p.source, p.target} <= names:
            faults += _of_projection(network, p)
        else:
            faults.append(f"projection {p.name} connects what does not exist")
    if faults:
        raise InputError("\n".join(faults))


def _of_population(p: Population) -> Iterator[str]:
    where, neuron = f"population {p.name}", p.neuron
    if p.size != math.prod(p.map):
        yield f"{where} has {p.size} neurons in a map of {p.map}"
        return
    if p.sequence and (neuron is not None or p.spikes):
        yield f"{where} is given a sequence: then it is an input, and does not encode intensities"
    if not 0 <= p.sequence <= SEQUENCE_MAX:
        yield f"{where} is given values up to {p.sequence}: scale them to at most {SEQUENCE_MAX}"
    if p.bias:
        yield from _of_values(p, "bias", p.bias, -math.inf, math.inf)
    if not isinstance(neuron, Neuron):
        return
    yield from _of_values(p, "decay", neuron.decay, 0, 1)
    yield from _of_values(p, "start", neuron.start, -math.inf, math.inf)
    if neuron.current_decay is not None:
        yield from _of_values(p, "current_decay", neuron.current_decay, 0, 1)
    if neuron.threshold is not None:
        yield from _of_values(p, "threshold", neuron.threshold, 0, math.inf)
    if neuron.reset not in tuple(Reset):
        known = ", ".join(repr(r.value) for r in Reset)
        yield f"{where} has the reset '{neuron.reset}': use one of {known}"


def _of_values(p: Population, name: str, values: Values, low: float, high: float) -> Iterator[str]:
    try:
        each = per_neuron(values, p.map)
    except ValueError as error:
        yield f"population {p.name}: {name} has {error}: give one, one a channel or one a neuron"
        return
    wrong = ~np.isfinite(each) | (each < low) | (each > high)
    if wrong.any():
        first = int(np.argmax(wrong))
        bounds = "a finite number" if math.isinf(low) else f"from {low:g} to {high:g}"
        yield (
            f"population {p.name}: {name} of neuron {first} is {each[first]:g} "
            f"({int(wrong.sum())} such): it has to be {bounds}"
        )


def _of_projection(network: Network, p: Projection) -> Iterator[str]:
    where = f"projection {p.name}"
    if not np.isfinite(p.weights).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(p.weights))[0])
        yield f"{where}: the weight at {list(first)} is {p.weights[first]}, not a finite number"
    source, target = network.population(p.source), network.population(p.target)
    if p.connection is Connection.CONVOLUTION:
        kernel = kernel_of(p.weights.shape)
        shape = weights_shape(p.connection, source.map, target.map, kernel, p.geometry)
        if shape != p.weights.shape:
            yield (
                f"{where} has kernels of shape {p.weights.shape} from a map {source.map} onto "
                f"{target.map}, which do not fit with {p.geometry}"
            )
        if p.rule is not None and p.geometry != CENTRED:
            yield f"{where} learns: only kernels that keep the sides of a map do, make it static"
    if p.compartment is not Compartment.SOMA or p.carries not in PRE_QUANTITIES:
        if p.delay:
            yield f"{where} has a delay of {p.delay}: only what drives a soma is delayed"
        return
    climbs = target.level - source.level
    if source.graded:
        if climbs != 1 or p.delay:
            yield (
                f"{where} brings intensities from level {source.level} to level {target.level} "
                f"with a delay of {p.delay}: they climb one level, at once"
            )
    elif p.delay + climbs < 1:
        yield (
            f"{where} goes from level {source.level} to level {target.level} with a delay of "
            f"{p.delay} steps; what arrives there needs {1 - climbs} at least"
        )
    if isinstance(source.neuron, Neuron) and not source.neuron.spiking:
        yield f"{where} begins at {p.source}, which never spikes: it can only be read"
    if p.rule is not None and (p.delay or climbs != 1):
        yield f"{where} learns, but is recurrent, delayed or skips a layer: make it static"
    if p.rule is not None and source.sequence:
        yield f"{where} learns from {p.source}, which is given step by step and has no count"
    fitting = source.size == target.size == p.weights.size and p.weights.ndim == 1
    if p.connection is Connection.ONE_TO_ONE and not fitting:
        yield (
            f"{where} is one-to-one with {p.weights.size} weights from {source.size} neurons "
            f"onto {target.size}: there has to be one for each"
        )


def plain(neuron: Neuron) -> bool:
    """Whether it is the neuron of one decay and threshold that rules of fixations learn with."""
    return (
        isinstance(neuron.decay, float | int)
        and isinstance(neuron.threshold, float | int)
        and neuron.current_decay is None
        and neuron.start == 0.0
        and neuron.reset in (Reset.SUBTRACT, Reset.ZERO)
    )
