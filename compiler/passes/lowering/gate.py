"""Lowers a comparator: its real margins to integers on what it sums up."""

from __future__ import annotations

import math

from clapp_neuro.errors import InputError
from compiler.ir import PRE_QUANTITIES, Comparator
from compiler.passes.lowering.slots import scores_sent
from compiler.passes.lowering.units import bound, post_unit
from compiler.passes.quantizing.quantize import Quantized
from compiler.program import MEMBRANE_BITS, MEMBRANE_MAX, NORM_BITS, SCORE_BITS, Gate, Timetable
from compiler.report import Note
from compiler.rounding import NOISE_STREAMS

SHIFT_MAX = 23  # a score message has 24 bits
LARGEST_SHARE = 1 / 4  # of the margin, that one of many neurons says at most in few bits


def lower_gate(
    quantized: Quantized,
    comparator: Comparator,
    timetable: Timetable,
    notes: list[Note],
    serial: int = 0,
) -> Gate:
    """The hinge margin as an integer threshold on the summed score.

    serial: bits of a neuron's score message where it leaves as binary spikes. What one neuron may
    say is then limited to a share of the margin, so that bits are not spent on what never comes.

    InputError where the score would have to be cut to nothing for it, or where a norm is not one
    of counts.
    """
    population = quantized.network.population(comparator.population)
    if comparator.classes:
        return _lower_critic(quantized, comparator, timetable, notes)
    unit = math.prod(post_unit(quantized, population.name, q) for q in comparator.score)
    peak = float(population.size)
    for quantity in comparator.score:
        peak *= bound(quantized, population.name, quantity)
    if comparator.norm is not None:
        if comparator.norm not in PRE_QUANTITIES:
            raise InputError(
                f"comparator {comparator.name}: it can form the norm of counts, not of "
                f"'{comparator.norm.value}'"
            )
        norm = post_unit(quantized, population.name, comparator.norm)
        unit *= 2.0 ** (NORM_BITS - SCORE_BITS) / norm
    # sums that fit 32 bits, and margins that fit a score's 24
    largest = max(abs(margin) for margin in comparator.margins) / unit
    excess = max(peak / 2**31, (largest + 1) / MEMBRANE_MAX, 1.0)
    if serial:
        share = min(1.0, max(LARGEST_SHARE, 8 / population.size))
        excess = max(excess, largest * share / 2 ** (serial - 1))
    score_shift = math.ceil(math.log2(excess))
    if score_shift > SHIFT_MAX:
        raise InputError(
            f"comparator {comparator.name}: the margin is {largest:.3g} in units of the score, of "
            f"which nothing would be left in 24 bits; make the margin smaller by a factor of "
            f"{excess / 2**SHIFT_MAX:.1f}, or show a fixation for fewer time steps"
        )
    unit *= 2**score_shift
    margins, errors, texts = [], [], []
    for margin in comparator.margins:
        margins.append(round(margin / unit))
        errors.append(abs(margins[-1] * unit / margin - 1) if margin else 0.0)
        texts.append(f"{margin:g} is {margins[-1]} (error {errors[-1]:.1e})")
    split = margins[0] != margins[1]
    text = f"margin {texts[0]}" + (f", after a saccade {texts[1]}" if split else "")
    text += f", score >> {score_shift}"
    if comparator.norm is not None:
        text += f"; score and gate divided by the norm of the layer's {comparator.norm.value}"
    if serial:
        most = (2 ** (serial - 1) - 1) / max(1, max(abs(m) for m in margins))
        text += (
            f"; a neuron says it in {serial} bits, one a time step, and at most {most:.2g} margins"
        )
    notes.append(Note("learning", comparator.name, text, max(errors)))
    return Gate(
        comparator.name,
        comparator.population,
        comparator.modulator,
        margins[0],
        score_shift,
        comparator.score,
        margins[1] if split else None,
        comparator.norm,
        serial=serial,
    )


def _lower_critic(
    quantized: Quantized, comparator: Comparator, timetable: Timetable, notes: list[Note]
) -> Gate:
    """A critic has no margin; its noise becomes so many random bits of a score's unit."""
    network, name = quantized.network, comparator.population
    whom = "the neurons that named it" if comparator.points else "all of them"
    text = f"rewards {name} for naming one of {comparator.classes} classes, and tells {whom}"
    bits, error = 0, 0.0
    if comparator.noise:
        unit = math.prod(post_unit(quantized, name, q) for q in comparator.score)
        bits = min(MEMBRANE_BITS, max(1, round(math.log2(2 * comparator.noise / unit))))
        error = abs(2.0 ** (bits - 1) * unit / comparator.noise - 1)
        text += f"; noise of ±{comparator.noise:g} is ±2^{bits - 1} (error {error:.1e})"
    notes.append(Note("learning", comparator.name, text, error))
    steps = timetable.steps
    return Gate(
        comparator.name,
        name,
        comparator.modulator,
        0,
        0,
        comparator.score,
        classes=comparator.classes,
        points=comparator.points,
        noise=bits,
        stream=NOISE_STREAMS + network.comparators.index(comparator),
        after=scores_sent(network, comparator, steps, timetable.retro) - steps,
    )
