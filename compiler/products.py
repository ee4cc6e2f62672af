"""The learning engine's language: what a factor stands for, and the forms that rules take.

A product is `sign * mantissa * 2^exponent * dependency * factors`. Its first factor, the
dependency, decides when it is computed: x0 (the presynaptic neuron sent something), y0 (the
postsynaptic one spiked) or u_k (every 2^k steps). What follows is a variable (traces x1, x2, y1,
y2, y3; weight w; tag t; x0, y0), a variable with a constant, `(t-32)`, or its sign, `sgn(w)`.

The engine clips each factor to its width, multiplies all of them and the mantissa, shifts right
by max(0, sum of widths + 4 - 15) and left by exponent + 7, clips to 15 bits and sign, and adds
the products to w << 7 or t << 7, clipping again. The sum is rounded stochastically to a multiple
of 128. All products read the weights and tags of before. This is how Lava's bit-approximate
model does it (lava-nc 0.10.0, `LearningRuleApplierBitApprox`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from compiler.program import (
    EXPONENTS,
    REGISTERS,
    TAG_UNITS,
    Product,
    SumOfProducts,
    Synapses,
)
from compiler.terms import Connection

PRE = ("x0", "x1", "x2")
POST = ("y0", *REGISTERS)
SYNAPTIC = ("w", "t")
TRACES = (*PRE[1:], *REGISTERS)
WIDTH = {**dict.fromkeys(TRACES, 7), **dict.fromkeys(SYNAPTIC, 9), "x0": 1, "y0": 1}
MANTISSA_BITS, MANTISSA_MAX = 4, 7
EXPONENT_RANGE = range(-7, 9)
ACCUMULATOR = 15  # bits without sign
PAIR_EXPONENTS = EXPONENTS[:-1]  # of dt where a tag is carried in each epoch, see `pairs`
DECAY_ONE, IMPULSE_ONE = 4096, 256  # fixed point of `Trace`

_FACTOR = re.compile(r"(sgn)?(\()?(x0|x1|x2|y0|y1|y2|y3|w|t)([+-]\d{1,3})?(\))?")
_DECIMATED = re.compile(r"u(\d{1,2})")


@dataclass(frozen=True)
class Factor:
    """variable + constant, or the sign of that, clipped to [-2^width, 2^width - 1]."""

    variable: str
    constant: int
    signed: bool

    @property
    def width(self) -> int:
        """Bits without sign, of the variable even where only its sign is taken."""
        return WIDTH[self.variable]


def parse(text: str) -> Factor | None:
    """The factor that a text like `x1`, `(w+3)` or `sgn(t-32)` names; None where there is none."""
    match = _FACTOR.fullmatch(text)
    if match is None:
        return None
    sign, opened, variable, constant, closed = match.groups()
    brackets = sign is not None or constant is not None
    if (opened is not None) != brackets or (closed is not None) != brackets:
        return None
    if sign is not None and variable not in SYNAPTIC:
        return None
    return Factor(variable, int(constant or 0), sign is not None)


def decimation(text: str) -> int | None:
    """k of a dependency `u_k`, None for any other text."""
    match = _DECIMATED.fullmatch(text)
    return None if match is None else int(match.group(1))


def decimations(rule: SumOfProducts) -> set[int]:
    """All k of a rule's dependencies u_k."""
    found = (decimation(p.factors[0]) for p in (*rule.dw, *rule.dt) if p.factors)
    return {k for k in found if k is not None}


def variables(rule: SumOfProducts) -> set[str]:
    """All variables that a legal rule reads, dependencies x0 and y0 among them."""
    texts = {f for p in (*rule.dw, *rule.dt) for f in p.factors}
    return {factor.variable for factor in map(parse, texts) if factor is not None}


def post_registers(rule: SumOfProducts) -> set[str]:
    """The postsynaptic values y1, y2, y3 that a rule reads."""
    return variables(rule) & set(REGISTERS)


def has_tag(rule: SumOfProducts) -> bool:
    """Whether a rule needs the synapse's tag."""
    return bool(rule.dt) or "t" in variables(rule)


def shifts(product: Product) -> tuple[int, int]:
    """(right, left) shift of a legal product, applied one after the other."""
    factors = [parse(f) for f in product.factors[1:]]
    width = sum(f.width for f in factors if f is not None) + MANTISSA_BITS
    return max(0, width - ACCUMULATOR), product.exponent + 7


def carries(rule: SumOfProducts) -> bool:
    """Whether a rule learns in the tag and carries whole units into the weight.

    dw = u_k * sgn(t), dt = 2^e * x0 * x1 * y - 2^6 * u_k * sgn(t), with the same k, and e from -7
    to -3: there the product fits the accumulator. Engines have faster code for this form.
    """
    if len(rule.dw) != 1 or len(rule.dt) != 2 or rule.traces:
        return False
    carry = rule.dw[0].factors[0] if rule.dw[0].factors else ""
    return (
        decimation(carry) is not None
        and rule.dw == (Product(0, (carry, "sgn(t)")),)
        and rule.dt[1] == Product(TAG_UNITS.bit_length() - 1, (carry, "sgn(t)"), sign=-1)
        and direct(SumOfProducts(rule.dt[:1], (), rule.traces))
    )


def accumulates(rule: SumOfProducts) -> bool:
    """Whether a rule learns in the tag, and the weight never changes by it.

    dt = 2^e * x0 * x1 * y, with e as in `carries`.
    """
    return not rule.dw and direct(SumOfProducts(rule.dt, (), rule.traces))


def pairs(rule: SumOfProducts) -> bool:
    """Whether a rule adds up in weight and tag together, in 1/64 of what the weight counts.

    dw = x0 * sgn(t), dt = 2^e * x0 * x1 * y - 2^6 * x0 * sgn(t), with e from -7 to -4: a tag then
    stays within +-190, and 64 * w + t is exactly the sum, until w has reached the end of its range.
    """
    carry = Product(TAG_UNITS.bit_length() - 1, ("x0", "sgn(t)"), sign=-1)
    return (
        rule.dw == (Product(0, ("x0", "sgn(t)")),)
        and len(rule.dt) == 2
        and direct(SumOfProducts(rule.dt[:1], (), rule.traces))
        and rule.dt[0].exponent in PAIR_EXPONENTS
        and rule.dt[1] == carry
    )


def managed(s: Synapses) -> bool:
    """Whether the management processor carries what synapses have accumulated."""
    if s.rule is None or s.averaged == 0:
        return False
    return pairs(s.rule) if s.in_turn else accumulates(s.rule)


def direct(rule: SumOfProducts) -> bool:
    """Whether a rule learns in the weight: dw = 2^e * x0 * x1 * y, with e from -7 to -3."""
    if len(rule.dw) != 1 or rule.dt or rule.traces:
        return False
    register, exponent = rule.dw[0].factors[-1:], rule.dw[0].exponent
    learned = Product(exponent, ("x0", "x1", *register))
    return rule.dw == (learned,) and register[0] in REGISTERS and exponent in EXPONENTS


def transfers(rule: SumOfProducts) -> bool:
    """Whether a rule learns in the tag and now and then rounds all of it into the weight.

    dw = 2^-6 * u_k * t, dt = 2^e * x0 * x1 * y - u_k * t, with k and e as in `carries`.
    """
    if len(rule.dw) != 1 or len(rule.dt) != 2:
        return False
    due = rule.dw[0].factors[0] if rule.dw[0].factors else ""
    bits = TAG_UNITS.bit_length() - 1
    return (
        decimation(due) is not None
        and rule.dw == (Product(-bits, (due, "t")),)
        and rule.dt[1] == Product(0, (due, "t"), sign=-1)
        and direct(SumOfProducts(rule.dt[:1], (), rule.traces))
    )


def in_slots(s: Synapses) -> bool:
    """Whether synapses learn in their slots only, which the simulator has faster code for."""
    if s.rule is None:
        return False
    simple = s.connection is Connection.ALL_TO_ALL and len(s.slots) > 0
    return managed(s) or carries(s.rule) or (simple and (direct(s.rule) or transfers(s.rule)))


def general(s: Synapses) -> bool:
    """Whether synapses learn by a rule that may act at any time step, not only in their slots."""
    return s.rule is not None and not (carries(s.rule) or managed(s) or s.paired)
