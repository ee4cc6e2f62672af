"""Integer scales of post values: a multiplier of eight bits, a shift, and a power of two."""

from __future__ import annotations

import math
from collections.abc import Sequence

from clapp_neuro.errors import InputError
from compiler.ir import Projection, Term
from compiler.passes.lowering.units import CALIBRATED
from compiler.program import PRODUCT_SHIFT, TRACE_MAX

MULTIPLIER_BITS = 8
SHIFTS = range(32)
SMALLEST_SCALE = 2.0 ** (MULTIPLIER_BITS - 1 - SHIFTS[-1])  # keeps all bits of the multiplier
LARGEST_SCALE = 2.0**MULTIPLIER_BITS - 1


def post_scale(exact: float, term: Term, projection: Projection) -> tuple[int, int]:
    """(multiplier, shift) with multiplier / 2^shift nearest to `exact`, 8-bit, smallest shift.

    InputError with the remedy where a term that learns has none.
    """
    found = scaling(exact) if exact or not term.coefficient else None
    if found is not None:
        return found
    if abs(exact) < SMALLEST_SCALE:
        factor = f" by a factor of at least {SMALLEST_SCALE / abs(exact):.1e}" if exact else ""
        raise InputError(
            f"projection {projection.name}: its weights are too large for its learning rate, a "
            f"learning step would be lost in rounding; make the weights smaller or the learning "
            f"rate larger{factor}"
        )
    read = " and ".join(q.value for q in term.post if q in CALIBRATED) or "counts"
    raise InputError(
        f"projection {projection.name}: its rule reads the {read} of {projection.target}, whose "
        f"weights are so large that one step of it exceeds a post value; make the weights that "
        f"end there smaller by a factor of at least {abs(exact) / LARGEST_SCALE:.1e}"
    )


def scaling(exact: float) -> tuple[int, int] | None:
    """(multiplier, shift) as `post_scale`; None where there is none."""
    for shift in SHIFTS:
        multiplier = round(exact * 2**shift)
        if abs(multiplier) >= 2**MULTIPLIER_BITS:
            break
        if multiplier == exact * 2**shift or abs(multiplier) >= 2 ** (MULTIPLIER_BITS - 1):
            return multiplier, shift
    shift = MULTIPLIER_BITS - 1 - math.floor(math.log2(abs(exact)))
    return (round(exact * 2**shift), shift) if shift in SHIFTS else None


def product_exponent(
    exponents: Sequence[int], largest: float, seen: float, projection: Projection
) -> int:
    """The finest of the exponents, smallest first, with which a post value fits its seven bits.

    largest: the expected gain of a learning step, in units of the tag; where nothing holds it, the
    coarsest. InputError where that does not hold what calibration has `seen`.
    """
    coarsest = exponents[-1]
    excess = seen * 2.0 ** (PRODUCT_SHIFT - coarsest) / TRACE_MAX
    if excess > 1:
        raise InputError(
            f"projection {projection.name}: the learning rate is too large for a learning step; "
            f"lower it by a factor of {math.ceil(10 * excess) / 10:.1f}"
        )
    fitting = (e for e in exponents if largest * 2.0 ** (PRODUCT_SHIFT - e) <= TRACE_MAX)
    return next(fitting, coarsest)
