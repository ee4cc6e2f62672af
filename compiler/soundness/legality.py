"""Which sums of products are legal in the learning engine's language (`compiler.products`)."""

from __future__ import annotations

from collections.abc import Iterator

from compiler.products import (
    DECAY_ONE,
    EXPONENT_RANGE,
    IMPULSE_ONE,
    MANTISSA_BITS,
    MANTISSA_MAX,
    TRACES,
    decimation,
    decimations,
    parse,
    variables,
)
from compiler.program import TRACE_MAX, Product, SumOfProducts, Trace

CONSTANT_MAX = 255  # eight bits and sign
PRODUCT_BITS = 30  # factors and mantissa without sign: beyond, a product would leave 32 bits
DECIMATION_MAX = 63  # u_k counts in 64-bit time steps; what a machine has is its own limit


def illegal(rule: SumOfProducts) -> str | None:
    """The first thing in a rule that is no sum of products, in words, or None."""
    return next(_faults(rule), None)


def _faults(rule: SumOfProducts) -> Iterator[str]:
    if not rule.dw and not rule.dt:
        yield "it has no product"
    for product in (*rule.dw, *rule.dt):
        yield from (f"'{product}' {fault}" for fault in _product_faults(product))
    if len(decimations(rule)) > 1:
        yield "all its u_k must have the same k"
    names = [trace.name for trace in rule.traces]
    if len(set(names)) != len(names):
        yield "two of its traces have the same name"
    for trace in rule.traces:
        yield from _trace_faults(trace)
    for name in sorted(variables(rule) & {"x2"} - set(names)):
        yield f"it reads {name}, a trace that it does not have"


def _product_faults(product: Product) -> Iterator[str]:
    first, *rest = product.factors or ("",)
    k = decimation(first)
    if first not in ("x0", "y0") and k is None:
        yield "does not begin with x0, y0 or u_k"
    if k is not None and k > DECIMATION_MAX:
        yield f"has the decimation exponent {k}, at most {DECIMATION_MAX}"
    if product.sign not in (-1, 1) or not 1 <= product.mantissa <= MANTISSA_MAX:
        yield f"has the mantissa {product.sign * product.mantissa}, not 1 to {MANTISSA_MAX}"
    if product.exponent not in EXPONENT_RANGE:
        low, high = EXPONENT_RANGE[0], EXPONENT_RANGE[-1]
        yield f"has the exponent {product.exponent}, not {low} to {high}"
    factors = [parse(f) for f in rest]
    for text, factor in zip(rest, factors, strict=True):
        if factor is None:
            yield f"has the factor '{text}', which no synapse knows"
        elif abs(factor.constant) > CONSTANT_MAX:
            yield f"adds {factor.constant}, beyond {CONSTANT_MAX}"
    if sum(f.width for f in factors if f is not None) + MANTISSA_BITS - 1 > PRODUCT_BITS:
        yield f"has factors of more than {PRODUCT_BITS - MANTISSA_BITS + 1} bits together"


def _trace_faults(trace: Trace) -> Iterator[str]:
    if trace.name not in TRACES:
        yield f"it has a trace '{trace.name}', not one of {', '.join(TRACES)}"
    if not 0 <= trace.decay <= DECAY_ONE:
        yield f"trace {trace.name} has the decay {trace.decay}, not 0 to {DECAY_ONE}"
    if not 0 <= trace.impulse <= TRACE_MAX * IMPULSE_ONE:
        yield f"trace {trace.name} has the impulse {trace.impulse / IMPULSE_ONE:g}, beyond 7 bits"
