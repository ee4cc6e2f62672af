"""Numbers of somata that a machine cannot hold: decays, thresholds, biases, exponents of weights.

Quantisation rounds to what the target has (`compiler.passes.quantizing.round_soma`); a program may
come from elsewhere, or need a larger number than there is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compiler.design_rules.violation import Violation, over
from compiler.program import DECAY_ONE, MEMBRANE_BITS, Program, Soma
from compiler.targets.limits import Limits
from compiler.terms import Integers

DECAY_BITS = DECAY_ONE.bit_length() - 1
WEIGHT_SHIFT = 6  # a weight of exponent 0 counts 2^6, as on Loihi
COARSER = "compile for this target, which rounds it"


def check_somata(program: Program, limits: Limits) -> Iterator[Violation]:
    """All such numbers of a program."""
    for p in program.populations:
        if isinstance(p.soma, Soma):
            yield from _of_soma(p.name, p.soma, limits)


def _of_soma(name: str, soma: Soma, limits: Limits) -> Iterator[Violation]:
    bits, remedy = MEMBRANE_BITS + 1, "use a machine with wider potentials"
    yield from over(name, "membrane potential", bits, limits, "membrane_bits", "bits", remedy)
    for what, decay in (("decay", soma.decay), ("decay of the current", soma.current_decay)):
        if decay is not None:
            bits = _fraction_bits(decay)
            yield from over(name, what, bits, limits, "decay_bits", "bits", COARSER)
    if soma.threshold is not None:
        yield from _of_threshold(name, np.atleast_1d(soma.threshold), limits)
    if soma.bias:
        yield from _of_bias(name, np.abs(soma.bias), limits)
    exponent = soma.input_shift - WEIGHT_SHIFT
    remedy = "use a machine with more exponents of weights"
    yield from over(
        name, "exponent of weights", exponent, limits, "largest_weight_exponent", "log2", remedy
    )
    smallest = limits.smallest_weight_exponent
    if smallest is not None:
        yield from over(
            name,
            "exponent of weights, downwards,",
            -exponent,
            limits,
            "smallest_weight_exponent",
            "log2",
            remedy,
            most=-smallest.value,
            needs=exponent,
        )


def _fraction_bits(decay: Integers) -> int:
    """Bits of the fraction that holds decays in 1/4096 exactly."""
    values = np.unique(np.atleast_1d(decay))
    return max((DECAY_BITS - _trailing_zeros(int(v)) for v in values if v % DECAY_ONE), default=1)


def _trailing_zeros(value: int) -> int:
    return (value & -value).bit_length() - 1


def _of_threshold(name: str, values: np.ndarray, limits: Limits) -> Iterator[Violation]:
    shift = 0 if limits.threshold_shift is None else int(limits.threshold_shift.value)
    lost = int((values & ((1 << shift) - 1)).max())
    if lost:
        limit = f"threshold modulo 2^{shift}"
        yield Violation(name, limit, lost, 0, "units", COARSER)
    bits = int(values.max() >> shift).bit_length()
    remedy = "make the weights that end on it larger, or its threshold smaller"
    yield from over(name, "mantissa of a threshold", bits, limits, "threshold_bits", "bits", remedy)


def _of_bias(name: str, values: np.ndarray, limits: Limits) -> Iterator[Violation]:
    if limits.bias_bits is None:
        return
    exponents = [max(0, int(v).bit_length() - int(limits.bias_bits.value)) for v in values]
    remedy = "make its bias smaller"
    yield from over(
        name, "exponent of a bias", max(exponents), limits, "bias_exponent", "log2", remedy
    )
    lost = max(int(v) & ((1 << e) - 1) for v, e in zip(values, exponents, strict=True))
    if lost:
        limit = f"bias beyond a mantissa of {limits.bias_bits.value:g} bits"
        yield Violation(name, limit, lost, 0, "units", COARSER)
