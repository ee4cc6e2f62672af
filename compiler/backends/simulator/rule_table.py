"""A learning rule as two integer tables, for the kernel that executes any sum of products."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from compiler.products import POST, PRE, SYNAPTIC, Factor, parse, shifts
from compiler.program import Product, SumOfProducts


class ProductColumn(IntEnum):
    """Columns of the table of products; the last four are rows of the table of factors."""

    TARGET = 0  # WEIGHT or TAG
    MANTISSA = 1  # with sign
    DEPENDENCY = 2  # ON_PRE, ON_POST or ON_TIME
    RIGHT = 3
    LEFT = 4
    PRE = 5  # factors of the presynaptic neuron begin here,
    POST = 6  # those of the postsynaptic one here,
    SYNAPSE = 7  # those of the synapse here,
    END = 8  # and end before here


class FactorColumn(IntEnum):
    """Columns of the table of factors."""

    CODE = 0  # index of the variable in `products.PRE`, `POST` or `SYNAPTIC`
    CONSTANT = 1
    SIGNED = 2
    LOW = 3
    HIGH = 4


WEIGHT, TAG = 0, 1
ON_PRE, ON_POST, ON_TIME = 0, 1, 2


def rule_tables(rules: list[SumOfProducts]) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """(products, factors, first product of each rule and the end) of legal rules."""
    products: list[list[int]] = []
    factors: list[list[int]] = []
    starts = [0]
    for rule in rules:
        for target, side in ((WEIGHT, rule.dw), (TAG, rule.dt)):
            products += [_row(target, product, factors) for product in side]
        starts.append(len(products))
    return (
        np.array(products, np.int64).reshape(-1, len(ProductColumn)),
        np.array(factors, np.int64).reshape(-1, len(FactorColumn)),
        starts,
    )


def _row(target: int, product: Product, factors: list[list[int]]) -> list[int]:
    dependency = {"x0": ON_PRE, "y0": ON_POST}.get(product.factors[0], ON_TIME)
    parsed = [f for f in map(parse, product.factors[1:]) if f is not None]
    places = []
    for kind in (PRE, POST, SYNAPTIC):
        places.append(len(factors))
        factors += [_factor(f, kind) for f in parsed if f.variable in kind]
    right, left = shifts(product)
    mantissa = product.sign * product.mantissa
    return [target, mantissa, dependency, right, left, *places, len(factors)]


def _factor(factor: Factor, kind: tuple[str, ...]) -> list[int]:
    low, high = -(1 << factor.width), (1 << factor.width) - 1
    return [kind.index(factor.variable), factor.constant, int(factor.signed), low, high]
