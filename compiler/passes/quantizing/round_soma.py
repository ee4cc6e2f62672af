"""Real neurons to the integers of a soma: one unit for potentials, currents, thresholds, biases.

A unit of the potential is unit / 2^shift, with the unit of the weights. The shift is as large as
leaves room for what may be summed up; what it does not leave room for is counted when it happens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from clapp_neuro.errors import InputError
from compiler.connectivity import fan_in
from compiler.ir import Compartment, Network, Neuron, Population, Projection, Values
from compiler.passes.admit import plain
from compiler.passes.quantizing.deviation import deviation
from compiler.passes.quantizing.grains import Grain, grains_of, of_one
from compiler.passes.quantizing.integer_weights import IntegerWeights
from compiler.passes.quantizing.largest import largest_current, largest_magnitudes
from compiler.passes.quantizing.layer_precision import LayerPrecision
from compiler.passes.quantizing.rate_shift import rate_shift
from compiler.program import DECAY_ONE, MEMBRANE_BITS, MEMBRANE_MAX, Soma
from compiler.report import Note
from compiler.targets.limits import Limits
from compiler.terms import Integers, Reset, per_neuron

ENOUGH_UNITS = 1 << 12  # of a threshold: weights and decays are rounded more coarsely
INPUT_SHIFT_MAX = 6  # Loihi adds synaptic current shifted left by 6
EXPONENTS = range(-INPUT_SHIFT_MAX, 1)  # of weights, which count 2^(6 + exponent)


@dataclass(frozen=True)
class Rounded:
    """Integers and, of what was rounded, the relative or absolute error and what was clipped."""

    values: Integers
    error: float
    clipped: int = 0


def round_soma(
    network: Network,
    population: Population,
    integers: dict[str, IntegerWeights],
    unit: float,
    weight_max: int,
    limits: Limits | None = None,
    exponent: int | None = None,
) -> tuple[Soma, Note, LayerPrecision]:
    """The soma of a population of LIF neurons, as the machine's limits let it be, and its loss.

    exponent: of its weights; None for the largest that leaves room for what may be summed up.
    Raises InputError for one with which threshold, bias or start would not fit.
    """
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    driving = [p for p in network.arriving[population.name] if p.compartment is Compartment.SOMA]
    if plain(neuron):
        shift, full = _room_for_any_weights(network, population, driving, unit, weight_max)
    else:
        shift, full = _room(network, population, integers, unit)
    if exponent is not None:
        asked = _asked(population, exponent, unit)
        shift, full = asked, full or asked > shift
    scale = 2**shift / unit
    grains = grains_of(limits)
    decay = _rounded_decay(neuron.decay, grains.decay)
    threshold = None
    if neuron.threshold is not None:
        threshold = _rounded(neuron.threshold, scale, grains.threshold)
    bias = _rounded(population.bias, scale, grains.bias)
    current = None
    if neuron.current_decay is not None:
        current = _rounded_decay(neuron.current_decay, grains.decay)
    start = _rounded(neuron.start, scale)
    soma = Soma(
        decay=decay.values,
        threshold=None if threshold is None else threshold.values,
        reset=Reset(neuron.reset),
        input_shift=shift,
        latched=any(network.population(p.source).graded for p in driving),
        bias=bias.values if isinstance(bias.values, tuple) else (),
        current_decay=None if current is None else current.values,
        start=start.values,
    )
    text = f"decay {_shown(decay)}/4096 (error {decay.error:.1e}), current << {shift}"
    if threshold is not None:
        text = f"threshold {_shown(threshold)} (error {threshold.error:.1e}), {text}"
    rate = rate_shift(population, soma, scale, network.schedule.steps)
    if rate is not None:
        text += f", {rate}"
    if current is not None:
        text += f", decay of the current {_shown(current)}/4096 (error {current.error:.1e})"
    if population.bias:
        text += f", bias (error {bias.error:.1e} of the norm, {bias.clipped} clipped)"
    if start.clipped or start.error:
        text += f", start (error {start.error:.1e} of the norm, {start.clipped} clipped)"
    if full:
        kind = "clipped" if current is None else "wrapped, potentials clipped,"
        text += f"; currents beyond 2^{MEMBRANE_BITS} are {kind} and counted"
    found = LayerPrecision(
        population=population.name,
        unit=unit,
        exponent=shift - INPUT_SHIFT_MAX,
        threshold=None if threshold is None else threshold.error,
        decay=decay.error,
        rate=rate,
        potential=None,
        threshold_distance=None,
        lowest_threshold=None if neuron.threshold is None else float(np.min(neuron.threshold)),
    )
    if not any(p.rule for p in driving):
        bound = deviation(network, population, integers, soma, unit)
        found = replace(
            found,
            potential=float(bound.potential.max()),
            threshold_distance=(None if neuron.threshold is None else float(bound.threshold.max())),
        )
        text += _in_words(found)
    cost = decay.error if threshold is None else threshold.error
    return soma, Note("quantize", population.name, text, cost), found


def _asked(population: Population, exponent: int, unit: float) -> int:
    """The shift for an exponent that a user asks for."""
    if exponent not in EXPONENTS:
        raise InputError(
            f"exponent {exponent} of {population.name}: give {EXPONENTS[0]} to {EXPONENTS[-1]}"
        )
    most = _shift(population, unit, INPUT_SHIFT_MAX) - INPUT_SHIFT_MAX
    if exponent > most:
        raise InputError(
            f"exponent {exponent} of {population.name}: its threshold, bias or start would not fit "
            f"{MEMBRANE_BITS} bits; give at most {most}"
        )
    return exponent + INPUT_SHIFT_MAX


def _room_for_any_weights(
    network: Network,
    population: Population,
    driving: list[Projection],
    unit: float,
    weight_max: int,
) -> tuple[int, bool]:
    """The shift, and whether currents may be clipped, whatever the weights learn to be."""
    peak = sum(
        fan_in(p.connection, p.weights.shape) * weight_max * network.population(p.source).largest
        for p in driving
    )
    room = MEMBRANE_BITS - max(1, peak).bit_length()
    return _shift(population, unit, room), room < 0


def _room(
    network: Network,
    population: Population,
    integers: dict[str, IntegerWeights],
    unit: float,
) -> tuple[int, bool]:
    """The same by the largest current and potential of the weights that there are."""
    weights = {name: own.weights for name, own in integers.items()}
    arriving = largest_current(network, population, weights)
    current, potential = largest_magnitudes(population, arriving, network.schedule.steps, unit)
    # no current may wrap; potentials have room beyond it where they are fine enough without
    room = max(_bits_left(potential), _resolution(population, unit))
    shift = _shift(population, unit, min(_bits_left(current), room))
    return shift, max(current, potential) * 2**shift >= MEMBRANE_MAX


def _bits_left(peak: float) -> int:
    """How far a number may be shifted before it exceeds 24 bits."""
    return MEMBRANE_BITS - max(1, math.ceil(peak)).bit_length()


def _resolution(population: Population, unit: float) -> int:
    """The shift with which the lowest threshold has enough units, if there is one."""
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    if neuron.threshold is None:
        return 0
    each = per_neuron(neuron.threshold, population.map)
    lowest = float(each[each > 0].min(initial=math.inf)) / unit
    return math.ceil(math.log2(ENOUGH_UNITS / lowest)) if math.isfinite(lowest) else 0


def _shift(population: Population, unit: float, room: int) -> int:
    """At most `room`, and as much as lets threshold, bias and start fit 24 bits."""
    neuron = population.neuron
    assert isinstance(neuron, Neuron)
    given = [neuron.start, population.bias or 0.0]
    given += [] if neuron.threshold is None else [neuron.threshold]
    largest = max(float(np.abs(values).max()) for values in given) / unit
    spare = math.floor(math.log2(MEMBRANE_MAX / largest)) if largest else INPUT_SHIFT_MAX
    return int(np.clip(min(room, spare), 0, INPUT_SHIFT_MAX))


def _rounded(values: Values, scale: float, grain: Grain = of_one) -> Rounded:
    """In units of the potential, clipped to 24 bits; the error is relative to the norm."""
    exact = np.asarray(values, np.float64) * scale
    step = grain(exact)
    most = MEMBRANE_MAX // step * step
    kept = np.clip(np.rint(exact / step) * step, -most, most)
    norm = float(np.linalg.norm(exact))
    error = float(np.linalg.norm(exact - kept)) / norm if norm else 0.0
    return Rounded(_integers(kept), error, int((np.abs(np.rint(exact)) > MEMBRANE_MAX).sum()))


def _rounded_decay(values: Values, step: int = 1) -> Rounded:
    """In 12 bits, of which the machine may have fewer; the error is the largest one."""
    exact = np.clip(np.asarray(values, np.float64), 0.0, 1.0)
    kept = np.rint(exact * DECAY_ONE / step) * step
    return Rounded(_integers(kept), float(np.abs(kept / DECAY_ONE - np.asarray(values)).max()))


def _integers(values: np.ndarray) -> Integers:
    return int(values) if values.ndim == 0 else tuple(int(v) for v in values)


def _shown(rounded: Rounded) -> str:
    """One number, or from which to which."""
    values = rounded.values
    return str(values) if isinstance(values, int) else f"{min(values)} to {max(values)}"


def _in_words(found: LayerPrecision) -> str:
    """How far a potential may be from the source's."""
    if found.threshold_distance is None:
        return (
            f"; potential within {found.potential:.3g} of the source's while the same spikes arrive"
        )
    share = "" if found.in_thresholds is None else f" ({found.in_thresholds:.1%} of the threshold)"
    return (
        f"; potential within {found.potential:.3g} of the source's while all spikes are the same, "
        f"as they are while none comes nearer than {found.threshold_distance:.3g}{share} to its "
        "threshold"
    )
