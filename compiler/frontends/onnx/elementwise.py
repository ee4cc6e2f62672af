"""ONNX's element by element operators on forms, and on constants alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from compiler.frontends.onnx.algebra import Form, complement, number
from compiler.frontends.refusals import UnsupportedError

Compare = Callable[[Form, bool], Form]  # form > 0, or with False >= 0, as a form of 0 and 1
LARGEST = 1 << 28  # numbers of a constant
MOST = 8  # comparisons in one condition

ATTRIBUTES = {"Cast": ("to", "saturate"), "Dropout": ("ratio", "seed"), "CastLike": ("saturate",)}
COMPARING = {
    "Greater": (1, True),
    "GreaterOrEqual": (1, False),
    "Less": (-1, True),
    "LessOrEqual": (-1, False),
}
REAL = (TensorProto.FLOAT, TensorProto.DOUBLE)


def elementwise(
    kind: str, given: list[Form | np.ndarray], attributes: dict[str, Any], compare: Compare
) -> Form:
    """The result of one of `ELEMENTWISE`; UnsupportedError for what cannot be multiplied out."""
    if kind in ("Identity", "Dropout", "Cast", "CastLike"):
        return _same(kind, given, attributes)
    shape = next(g.shape for g in given if isinstance(g, Form))
    forms = [g if isinstance(g, Form) else number(g, shape) for g in given]
    if len(forms) != {"Neg": 1, "Not": 1, "Where": 3}.get(kind, 2):
        raise UnsupportedError(f"it has {len(forms)} operands", "export it again")
    one, other = forms[0], forms[-1]
    truths = {"Where": forms[:1], "Not": forms, "And": forms, "Or": forms}.get(kind, [])
    if not all(_is_truth(f) for f in truths):
        raise UnsupportedError("it takes numbers for true or false", "compare them first (Greater)")
    if kind in COMPARING:
        sign, strict = COMPARING[kind]
        return compare((one - other) * float(sign), strict)
    if kind == "Div":
        if not isinstance(given[0], Form) or other.signals.terms or not np.all(other.constant):
            raise UnsupportedError("it divides by a signal, or by 0", "multiply instead")
        return one * (1 / other.constant)
    if kind == "Where":
        return one * forms[1] + complement(one) * other
    return {
        "Add": lambda: one + other,
        "Sub": lambda: one - other,
        "Mul": lambda: one * other,
        "Neg": lambda: one * -1.0,
        "Not": lambda: complement(one),
        "And": lambda: one * other,
        "Or": lambda: one + other - one * other,
    }[kind]()


ELEMENTWISE = (
    *COMPARING,
    *("Add", "And", "Cast", "CastLike", "Div", "Dropout", "Identity", "Mul", "Neg", "Not", "Or"),
    *("Sub", "Where"),
)


def _is_truth(value: Form) -> bool:
    """Whether a form of comparisons is 0 or 1 for all that they can say."""
    atoms = sorted(value.atoms, key=str)
    if len(atoms) > MOST or any(isinstance(a, str) for a in atoms):
        return False
    for said in product((False, True), repeat=len(atoms)):
        true = frozenset(a for a, yes in zip(atoms, said, strict=True) if yes)
        total = sum((c for t, c in value.terms.items() if t <= true), np.zeros(()))
        if ((total != 0) & (total != 1)).any():
            return False
    return True


def _same(kind: str, given: list[Form | np.ndarray], attributes: dict[str, Any]) -> Form:
    value = given[0]
    if not isinstance(value, Form):
        raise UnsupportedError("its first operand is a constant", "export it again")
    if kind == "Dropout" and len(given) > 2 and np.any(given[2]):  # type: ignore[arg-type]
        raise UnsupportedError("training_mode is set", "export for inference")
    counts = all(isinstance(a, int) for a in value.atoms)  # spikes, or made of spikes alone
    whole = all(not (c % 1).any() for c in value.terms.values())
    if kind == "Cast" and attributes.get("to") not in REAL and not (counts and whole):
        raise UnsupportedError("it rounds a signal to another type", "keep it float32")
    return value


FOLDED = frozenset(
    {
        *("Abs", "Add", "Cast", "Clip", "Concat", "Div", "Exp", "Gather", "Identity", "Max", "Min"),
        *("Mul", "Neg", "Pow", "Reciprocal", "Relu", "Reshape", "Shape", "Sigmoid", "Slice"),
        *("Softplus", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where"),
    }
)
"""Operators that are computed where all they take is constant: none gives more than it is given,
but for broadcasting, which is looked at first."""


def folded(node: Any, given: list[np.ndarray], version: int) -> np.ndarray:
    """What a node makes of constants alone; UnsupportedError where it is none of `FOLDED`."""
    remedy = "simplify the model first (onnxsim)"
    if node.op_type not in FOLDED or len(node.output) != 1:
        raise UnsupportedError("it computes with constants alone", remedy)
    try:
        if _size(node.op_type, given) > LARGEST:
            raise UnsupportedError("it makes too many numbers of constants", remedy)
        names = [i for i in node.input if i]
        with np.errstate(all="ignore"):  # what is no number is found in the parameter that it makes
            evaluator = ReferenceEvaluator(node, opsets={"": version})
            (result,) = evaluator.run(None, dict(zip(names, given, strict=True)))
        return np.asarray(result)
    except UnsupportedError:
        raise
    except Exception as error:  # whatever numpy says of numbers that do not fit
        what = f"it fails on its constants ({type(error).__name__})"
        raise UnsupportedError(what, remedy) from error


def _size(kind: str, given: list[np.ndarray]) -> int:
    """As many numbers as an operator of `FOLDED` makes, or more."""
    if kind == "Gather":
        return prod(g.size for g in given)
    if kind in ("Concat", "Reshape", "Slice", "Squeeze", "Unsqueeze"):
        return sum(g.size for g in given)
    return prod(np.broadcast_shapes(*(g.shape for g in given)))
