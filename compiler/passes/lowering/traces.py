"""Lowers rules whose synapses know their presynaptic neuron by exponential traces of its spikes.

In one due step of the fixation, g_i time steps after the source's last possible spike, the traces
of a neuron that spiked in every step of this presentation, and in none before, are

    F = impulse * sum_t decay^(T-1-t) * decay^g          of x1 (fast) and of x2 (slow)

so x1 / F1 is the trace X^_fast of `ir.PreTraces`, and with y = P * kappa * 2^(3-e) / granularity

    count            dt = 2^e u_k x1 y
    previous count   dt = m2 2^e u_k x2 y - m1 2^e u_k x1 y,      m1 / m2 = F2 / F1

The second is exact where the impulses have that ratio, which leaves one of them a little below the
largest that a neuron cannot saturate by spiking in every step. y is a multiple of 8, so nothing is
dropped of the product, and the soma rounds it stochastically.

Whole units are carried when the gate is open, as the rule must have one u_k: the soma then writes
32 into y3, of which the engine's right shift by 5 leaves 1,

    dw = u_k y3 sgn(t)        dt = ... - 2^6 u_k y3 sgn(t)

and where the gate is closed nothing of the rule is due.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from clapp_neuro.errors import InputError
from compiler.ir import LearningRule, PreTraces, Projection, Quantity, Term
from compiler.passes.lowering.consolidation import CARRY
from compiler.passes.lowering.learning_warnings import stalls, wanders
from compiler.passes.lowering.scales import post_scale, product_exponent
from compiler.passes.lowering.schedule import Plan
from compiler.passes.lowering.units import (
    expected_steps,
    term_peak,
    term_seen,
    term_unit,
)
from compiler.passes.quantizing.quantize import Quantized
from compiler.products import ACCUMULATOR, DECAY_ONE, EXPONENT_RANGE, IMPULSE_ONE, MANTISSA_MAX
from compiler.program import (
    ACCUMULATOR_BITS,
    PRODUCT_SHIFT,
    REGISTERS,
    TAG_UNITS,
    TRACE_MAX,
    PostValue,
    Product,
    SumOfProducts,
    Trace,
)
from compiler.report import Note

CARRY_REGISTER = REGISTERS[-1]
CARRIES = 32  # what the soma writes where whole units are due: 1 after the engine's right shift
GRANULARITY = 1 << PRODUCT_SHIFT
LARGEST_VALUE = TRACE_MAX // GRANULARITY * GRANULARITY


@dataclass(frozen=True)
class _Traces:
    """The traces of a projection: what they are in the due step for an activity of 1.

    peaks: the largest values by name. full: F1 and F2. left: what is left of each after a period.
    ratio: mantissas m1 and m2.
    """

    traces: tuple[Trace, Trace]
    peaks: dict[str, int]
    full: tuple[float, float]
    left: tuple[float, float]
    ratio: tuple[int, int]

    @property
    def remembered(self) -> float:
        """m2 x2 - m1 x1 for an activity of 1 in the fixation before, and none in this one."""
        return self.ratio[1] * self.full[1] * (self.left[1] - self.left[0])


def lower_traces(
    quantized: Quantized,
    plan: Plan,
    projection: Projection,
    taken: list[PostValue],
    notes: list[Note],
) -> tuple[SumOfProducts, list[PostValue]]:
    """The integer rule of a projection, and what its target's soma writes for it.

    taken: the post values that other rules of the target need. Raises InputError, with the
    remedy, where no sum of products stands for a term.
    """
    rule = projection.rule
    assert isinstance(rule, LearningRule) and rule.traces is not None
    network = quantized.network
    level = network.population(projection.target).level
    gap = plan.together - network.population(projection.source).level - plan.timetable.steps + 1
    known = _traces(rule.traces, plan, gap)
    unit = quantized.integers[projection.name].unit
    values: list[PostValue] = []
    learned: list[Product] = []
    for term in rule.terms:
        register = _free_register(projection, [*taken, *values])
        products, whole = _products(known, term.pre, register)
        gain = term.coefficient * term_unit(quantized, projection.target, term)
        gain *= TAG_UNITS / unit / whole
        exponent = _exponent(quantized, projection, term, gain, products, known.peaks)
        exact = gain * 2.0 ** (PRODUCT_SHIFT - exponent) / GRANULARITY
        multiplier, shift = post_scale(exact, term, projection)
        step = plan.together - level
        values.append(
            PostValue(
                step, register, term.post, term.gate, multiplier, shift, GRANULARITY, 0,
                term.rectified,
            )
        )  # fmt: skip
        learned += [
            Product(exponent, (f"u{plan.carry_exponent}", *p.factors), p.sign, p.mantissa)
            for p in products
        ]
        error = abs(multiplier / 2**shift / exact - 1) if exact else 0.0
        steps = expected_steps(quantized, projection.target, term, exact)
        text = (
            f"at tau {step}: {' '.join(str(p) for p in learned[-len(products) :])}, y = "
            f"{GRANULARITY}·round(post·{multiplier}/2^{shift}); learning rate within {error:.2%}, "
            f"an activity of 1 is {whole:.3g} of the trace, largest expected y "
            f"{steps * GRANULARITY:.2g} of {TRACE_MAX}"
        )
        notes.append(Note("learning", projection.name, text, error))
        notes += stalls(projection.name, str(term), steps, GRANULARITY)
    notes += wanders(projection.name, quantized.integers[projection.name].weights, CARRY)
    if all(v.register != CARRY_REGISTER for v in taken):
        values.append(_carry(rule, projection, plan.together - level))
    due = (f"u{plan.carry_exponent}", CARRY_REGISTER, "sgn(t)")
    back = Product(TAG_UNITS.bit_length() - 1, due, sign=-1)
    read = {f for p in learned for f in p.factors}
    traces = tuple(trace for trace in known.traces if trace.name in read)
    return SumOfProducts((Product(0, due),), (*learned, back), traces), values


def _carry(rule: LearningRule, projection: Projection, step: int) -> PostValue:
    gates = {term.gate for term in rule.terms}
    (gate,) = gates if len(gates) == 1 else (None,)
    if gate is None:
        raise InputError(
            f"projection {projection.name}: with traces of spikes tags are carried when the gate "
            f"is open, but the terms of {rule.name} have no gate in common"
        )
    return PostValue(step, CARRY_REGISTER, (), gate, CARRIES, 0, 1, 0, "full")


def _free_register(projection: Projection, values: list[PostValue]) -> str:
    used = {v.register for v in values}
    free = [r for r in REGISTERS if r not in used and r != CARRY_REGISTER]
    if not free:
        raise InputError(
            f"population {projection.target}: rules of traces need more than "
            f"{len(REGISTERS) - 1} post values in one time step; a synapse sees "
            f"{', '.join(REGISTERS)}, the last of which tells when tags are carried"
        )
    return free[0]


def _products(known: _Traces, pre: Quantity, register: str) -> tuple[list[Product], float]:
    """What stands for a presynaptic count, without exponents, and its value for an activity of 1.

    Exponents are the same for all, so they are left at 0; a product's factors come without u_k.
    """
    if pre is Quantity.COUNT:
        return [Product(0, ("x1", register))], known.full[0]
    fast, slow = known.ratio
    products = [
        Product(0, ("x2", register), mantissa=slow),
        Product(0, ("x1", register), sign=-1, mantissa=fast),
    ]
    return products, known.remembered


def _exponent(
    quantized: Quantized,
    projection: Projection,
    term: Term,
    gain: float,
    products: list[Product],
    peaks: dict[str, int],
) -> int:
    """The finest scale at which post values of the term fit their seven bits.

    InputError where what calibration saw does not fit the coarsest that the accumulator holds.
    """
    target = projection.target
    exponents = [e for e in EXPONENT_RANGE if all(_fits(p, e, peaks) for p in products)]
    largest = abs(gain) * term_peak(quantized, target, term)
    seen = abs(gain) * term_seen(quantized, target, term)
    return product_exponent(exponents, largest, seen, projection)


def _fits(product: Product, exponent: int, peaks: dict[str, int]) -> bool:
    """Whether the accumulator holds a product of the largest trace and the largest post value."""
    largest = product.mantissa * peaks[product.factors[0]] * LARGEST_VALUE
    return largest >> PRODUCT_SHIFT << (exponent + ACCUMULATOR_BITS) < 1 << ACCUMULATOR


def _traces(rule: PreTraces, plan: Plan, gap: int) -> _Traces:
    """Both traces, as they are `gap` time steps after the last step of a presentation."""
    steps, period = plan.timetable.steps, plan.timetable.period
    decays = [round(math.exp(-1 / tau) * DECAY_ONE) for tau in (rule.fast, rule.slow)]
    powers = [decay / DECAY_ONE for decay in decays]
    once = [sum(p**age for age in range(steps)) for p in powers]
    left = [p**period for p in powers]
    # whoever spikes at every step for ever stays at the largest trace
    most = [
        math.floor(TRACE_MAX * (1 - a) / b * IMPULSE_ONE) for a, b in zip(left, once, strict=True)
    ]
    shown = [b * p**gap / IMPULSE_ONE for b, p in zip(once, powers, strict=True)]
    peaks = [math.ceil(TRACE_MAX * p**gap) for p in powers]
    impulses, ratio = _impulses((most[0], most[1]), (shown[0], shown[1]), (peaks[0], peaks[1]))
    full = impulses[0] * shown[0], impulses[1] * shown[1]
    traces = Trace("x1", decays[0], impulses[0]), Trace("x2", decays[1], impulses[1])
    return _Traces(traces, {"x1": peaks[0], "x2": peaks[1]}, full, (left[0], left[1]), ratio)


def _impulses(
    most: tuple[int, int], shown: tuple[float, float], peaks: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Impulses, in 1/256, and mantissas with m1 / m2 = F2 / F1.

    shown: F for an impulse of 1/256. Of the pairs those with which the largest change can be
    learned that the accumulator holds, and then those with the largest impulses.
    """
    best, found = (0.0, 0.0), ((1, 1), (1, 1))
    for fast, slow in product(range(1, MANTISSA_MAX + 1), repeat=2):
        # impulses with slow * F2 = fast * F1, the larger one as large as may be
        per_fast = fast * shown[0] / (slow * shown[1])
        first = min(most[0], math.floor(most[1] / per_fast))
        second = round(first * per_fast)
        terms = Product(0, ("x1",), mantissa=fast), Product(0, ("x2",), mantissa=slow)
        largest = dict(zip(("x1", "x2"), peaks, strict=True))
        scale = max(e for e in EXPONENT_RANGE if all(_fits(p, e, largest) for p in terms))
        learned = slow * second * 2.0**scale
        kept = first / most[0] * second / most[1]
        if min(first, second) > 0 and (learned, kept) > best:
            best, found = (learned, kept), ((first, second), (fast, slow))
    return found
