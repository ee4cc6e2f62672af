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

With Eq. 7 a neuron has four post values for its synapses, which see three. They learn in two due
steps then: counts in the first, previous counts in the second. A synapse reads the same registers
in both, so y3 also tells them apart: it is 32 in the first and -32 in the second, and each product
has a factor that is 0 in the other,

    count            dt = 2^e u_k x1 y (y3 + 32)
    previous count   dt = m1 2^e u_k x1 y (y3 - 32) - m2 2^e u_k x2 y (y3 - 32)
    carry            dw = 2 u_k y3 (y3 - 32) sgn(t)        dt = ... - 2*2^6 u_k y3 (y3 - 32) sgn(t)

The engine shifts these by ten and twelve bits, so the first two drop one bit more than without the
factor of 64, y is a multiple of 16, and the third is 1 in the second step, 0 in the first: until
then a dendrite adds up W_pred, which must not change.
"""

from __future__ import annotations

from clapp_neuro.errors import InputError
from compiler.ir import LearningRule, Projection, Quantity, Term
from compiler.passes.lowering.consolidation import CARRY
from compiler.passes.lowering.learning_warnings import stalls, wanders
from compiler.passes.lowering.scales import post_scale, product_exponent
from compiler.passes.lowering.schedule import Plan
from compiler.passes.lowering.trace_epochs import (
    CARRY_REGISTER,
    Epoch,
    Traces,
    epochs_of,
    traces_of,
)
from compiler.passes.lowering.units import (
    expected_steps,
    term_peak,
    term_seen,
    term_unit,
)
from compiler.passes.quantizing.quantize import Quantized
from compiler.products import EXPONENT_RANGE
from compiler.program import (
    PRODUCT_SHIFT,
    REGISTERS,
    TAG_UNITS,
    TRACE_MAX,
    PostValue,
    Product,
    SumOfProducts,
)
from compiler.report import Note

LATER = 2  # times -32 * -64: the same after the shift of a product with both


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
    epochs = epochs_of(plan, network.population(projection.source).level)
    known = traces_of(rule.traces, plan, epochs[-1])
    unit = quantized.integers[projection.name].unit
    values: list[PostValue] = []
    learned: list[Product] = []
    for term in rule.terms:
        epoch = epochs[0] if term.pre is Quantity.COUNT else epochs[-1]
        step = epoch.step - level
        register = _free_register(projection, [*taken, *values], step)
        products, whole = _products(known, epoch, term.pre, register)
        gain = term.coefficient * term_unit(quantized, projection.target, term)
        gain *= TAG_UNITS / unit / whole
        exponent = _exponent(quantized, projection, term, gain, products, known, epoch)
        exact = gain * 2.0**-exponent
        multiplier, shift = post_scale(exact, term, projection)
        values.append(
            PostValue(
                step, register, term.post, term.gate, multiplier, shift, epoch.granularity, 0,
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
            f"{epoch.granularity}·round(post·{multiplier}/2^{shift}); learning rate within "
            f"{error:.2%}, an activity of 1 is {whole:.3g} of the trace, largest expected y "
            f"{steps * epoch.granularity:.2g} of {TRACE_MAX}"
        )
        notes.append(Note("learning", projection.name, text, error))
        notes += stalls(projection.name, str(term), steps, epoch.granularity)
    notes += wanders(projection.name, quantized.integers[projection.name].weights, CARRY)
    if all(v.register != CARRY_REGISTER for v in taken):
        values += [_carry(rule, projection, epoch.step - level, epoch.told) for epoch in epochs]
    told: tuple[str, ...] = (CARRY_REGISTER,)
    mantissa = 1
    if len(epochs) > 1:
        told, mantissa = (CARRY_REGISTER, epochs[-1].selector), LATER
    due = (f"u{plan.carry_exponent}", *told, "sgn(t)")
    back = Product(TAG_UNITS.bit_length() - 1, due, -1, mantissa)
    read = {f for p in learned for f in p.factors}
    traces = tuple(trace for trace in known.traces if trace.name in read)
    return SumOfProducts((Product(0, due, 1, mantissa),), (*learned, back), traces), values


def _carry(rule: LearningRule, projection: Projection, step: int, told: int) -> PostValue:
    gates = {term.gate for term in rule.terms}
    (gate,) = gates if len(gates) == 1 else (None,)
    if gate is None:
        raise InputError(
            f"projection {projection.name}: with traces of spikes tags are carried when the gate "
            f"is open, but the terms of {rule.name} have no gate in common"
        )
    return PostValue(step, CARRY_REGISTER, (), gate, told, 0, 1, 0, "full")


def _free_register(projection: Projection, values: list[PostValue], step: int) -> str:
    used = {v.register for v in values if v.step == step}
    free = [r for r in REGISTERS if r not in used and r != CARRY_REGISTER]
    if not free:
        raise InputError(
            f"population {projection.target}: rules of traces need more than "
            f"{len(REGISTERS) - 1} post values in one time step; a synapse sees "
            f"{', '.join(REGISTERS)}, the last of which tells when tags are carried"
        )
    return free[0]


def _products(
    known: Traces, epoch: Epoch, pre: Quantity, register: str
) -> tuple[list[Product], float]:
    """What stands for a presynaptic count, without exponents, and its value for an activity of 1.

    Exponents are the same for all, so they are left at 0; a product's factors come without u_k.
    """
    if pre is Quantity.COUNT:
        return [epoch.product("x1", register)], known.full(0, epoch.gap)
    fast, slow = known.ratio
    products = [
        epoch.product("x2", register, 1, slow),
        epoch.product("x1", register, -1, fast),
    ]
    return products, known.remembered(epoch.gap)


def _exponent(
    quantized: Quantized,
    projection: Projection,
    term: Term,
    gain: float,
    products: list[Product],
    known: Traces,
    epoch: Epoch,
) -> int:
    """The finest scale at which post values of the term fit their seven bits.

    InputError where what calibration saw does not fit the coarsest that the accumulator holds.
    """
    target = projection.target
    peaks = [(p.mantissa, known.peak(p.factors[0], epoch.gap)) for p in products]
    exponents = [e for e in EXPONENT_RANGE if all(epoch.fits(*peak, e) for peak in peaks)]
    scale = abs(gain) * epoch.granularity / (1 << PRODUCT_SHIFT)
    largest = scale * term_peak(quantized, target, term)
    seen = scale * term_seen(quantized, target, term)
    return product_exponent(exponents, largest, seen, projection)
