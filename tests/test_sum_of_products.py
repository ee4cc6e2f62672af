"""Any legal sum of products: the simulator's kernel against Lava's own learning engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler import rounding
from compiler.backends.lava.compat import load_lava
from compiler.backends.simulator.kernels import random as random_kernels
from compiler.backends.simulator.kernels import sum_of_products
from compiler.backends.simulator.rule_table import rule_tables
from compiler.products import POST, PRE, carries
from compiler.program import Product, SumOfProducts, Trace
from compiler.soundness.legality import illegal

VARIABLES = ("x1", "x2", "y1", "y2", "y3", "w", "t", "x0", "y0")
TRACES = (Trace("x2", 4096, 0),)  # x2 is written by a trace only
WEIGHT_MAX, TAG_MAX = 127, 255


@st.composite
def factors(draw: Callable[..., Any]) -> str:
    """A variable, a variable with a constant, or the sign of one."""
    variable = draw(st.sampled_from(VARIABLES))
    constant = draw(st.integers(-255, 255).filter(bool))
    kind = draw(st.sampled_from(("plain", "plain", "constant", "sign", "sign of both")))
    with_constant = f"{variable}{constant:+d}"
    if kind == "plain":
        return variable
    if kind == "constant" or variable not in ("w", "t"):
        return f"({with_constant})"
    return f"sgn({variable})" if kind == "sign" else f"sgn({with_constant})"


@st.composite
def rules(draw: Callable[..., Any]) -> SumOfProducts:
    """Legal rules of up to four products a side."""
    k = draw(st.integers(0, 9))

    def product() -> Product:
        dependency = draw(st.sampled_from(("x0", "y0", f"u{k}")))
        others = draw(st.lists(factors(), max_size=3))
        sign, mantissa = draw(st.sampled_from((-1, 1))), draw(st.integers(1, 7))
        return Product(draw(st.integers(-7, 8)), (dependency, *others), sign, mantissa)

    def products(least: int) -> tuple[Product, ...]:
        return tuple(product() for _ in range(draw(st.integers(least, 4))))

    rule = SumOfProducts(products(1), products(0), TRACES)
    return rule if illegal(rule) is None else SumOfProducts(rule.dw[:1], (), TRACES)


def lava_epoch(rule: SumOfProducts, values: dict[str, np.ndarray], due: bool, bits: np.ndarray):
    """New weights and tags by Lava's applier and rounding; all arrays (N_post, N_pre)."""
    load_lava()
    from lava.magma.core.learning.learning_rule import Loihi3FLearningRule
    from lava.magma.core.learning.learning_rule_applier import LearningRuleApplierBitApprox
    from lava.magma.core.model.py.connection import LearningConnectionModelBitApproximate as Model

    sides = {"dw": rule.text(rule.dw) or None, "dt": rule.text(rule.dt) or None}
    loihi = Loihi3FLearningRule(**sides, rng_seed=1)
    arguments = {
        "shape": values["w"].shape,
        "x0": values["x0"] != 0,
        "y0": values["y0"] != 0,
        "u": int(due),
        "weights": values["w"],
        "tag_1": values["t"],
        "tag_2": np.zeros_like(values["t"]),
    }
    for name in ("x1", "x2", "y1", "y2", "y3"):
        arguments |= {f"{name}_{dependency}": values[name] for dependency in ("x0", "y0", "u")}
    new = []
    for side, name, attribute in (("dw", "weights", "w"), ("dt", "tag_1", "t")):
        old = values[attribute]
        if sides[side] is None:
            new.append(old)
            continue
        series = loihi.active_product_series[side]
        total = LearningRuleApplierBitApprox(series).apply(old << 7, **arguments)
        new.append(Model._stochastic_round_synaptic_variable(name, total, bits / 128) >> 7)
    limits = (WEIGHT_MAX, TAG_MAX)
    return [np.clip(v, -m, m) for v, m in zip(new, limits, strict=True)]


def kernel_epoch(rule: SumOfProducts, values: dict[str, np.ndarray], due: bool, key: np.ndarray):
    """The same by the simulator; rows of the presynaptic neuron inside."""
    n_post, n_pre = values["w"].shape
    products, table, _ = rule_tables([rule])
    weights = np.ascontiguousarray(values["w"].T, np.int8).ravel()
    tags = np.ascontiguousarray(values["t"].T, np.int16).ravel()
    x = np.array([values[name][0] for name in PRE], np.int32)
    y = np.array([values[name][:, 0] for name in POST], np.int32)
    scratch = sum_of_products.scratch_for(len(products), max(n_pre, n_post))
    sizes, maxima, outcome = (n_pre, n_post), np.array([TAG_MAX, WEIGHT_MAX]), np.zeros(4, np.int64)
    sum_of_products.epoch(
        weights, tags, 0, products, table, x, y, sizes, due, key, maxima, scratch, outcome
    )
    return weights.reshape(n_pre, n_post).T, tags.reshape(n_pre, n_post).T


def random_values(random: np.random.Generator, n_pre: int, n_post: int) -> dict[str, np.ndarray]:
    shape = (n_post, n_pre)
    values = {
        "w": random.integers(-WEIGHT_MAX, WEIGHT_MAX + 1, shape).astype(np.int32),
        "t": random.integers(-TAG_MAX, TAG_MAX + 1, shape).astype(np.int32),
    }
    for name in PRE:
        low, high = (0, 2) if name == "x0" else (0, 128)
        values[name] = np.tile(random.integers(low, high, n_pre), (n_post, 1)).astype(np.int32)
    for name in POST:
        low, high = (0, 2) if name == "y0" else (-127, 128)
        column = random.integers(low, high, n_post) * (random.random(n_post) < 0.7)
        values[name] = np.tile(column[:, None], (1, n_pre)).astype(np.int32)
    return values


@given(rules(), st.integers(1, 7), st.integers(1, 9), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def compare_with_lava(rule: SumOfProducts, n_pre: int, n_post: int, due: bool, seed: int) -> None:
    values = random_values(np.random.default_rng(seed), n_pre, n_post)
    bits = rounding.synapse_bits(seed, 3, 11, n_pre, n_post).T

    found = kernel_epoch(rule, values, due, random_kernels.key(seed, 3, 11))

    for ours, theirs in zip(found, lava_epoch(rule, values, due, bits), strict=True):
        assert np.array_equal(ours, theirs), str(rule)


def test_the_kernel_is_lavas_learning_engine() -> None:
    """Runs this file in a process of its own: Lava chooses how Python starts others, for all."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path)}
    done = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=environment, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "equal\n"


def side(*products: Product) -> SumOfProducts:
    return SumOfProducts(products, (), TRACES)


ILLEGAL = [
    ("does not begin with x0, y0 or u_k", side(Product(0, ("x1", "y1")))),
    ("does not begin with", side(Product(0, ()))),
    ("the factor 'z1'", side(Product(0, ("x0", "z1")))),
    ("the factor 'u3'", side(Product(0, ("x0", "u3")))),
    ("the factor 'sgn(x1)'", side(Product(0, ("x0", "sgn(x1)")))),
    ("the factor '(w'", side(Product(0, ("x0", "(w")))),
    ("the factor 'w+3'", side(Product(0, ("x0", "w+3")))),
    ("the exponent 9", side(Product(9, ("x0", "x1")))),
    ("the exponent -8", side(Product(-8, ("x0", "x1")))),
    ("the mantissa 8", side(Product(0, ("x0", "x1"), mantissa=8))),
    ("the mantissa 0", side(Product(0, ("x0", "x1"), sign=0))),
    ("adds 256", side(Product(0, ("x0", "(w+256)")))),
    ("more than 27 bits", side(Product(0, ("x0", "w", "t", "x1", "y1")))),
    ("the same k", side(Product(0, ("u1", "w")), Product(0, ("u2", "w")))),
    ("exponent 99", side(Product(0, ("u99", "w")))),
    ("no product", side()),
    ("reads x2", SumOfProducts((Product(0, ("x0", "x2")),), ())),
    ("the same name", SumOfProducts(side(Product(0, ("x0",))).dw, (), (*TRACES, *TRACES))),
    ("a trace 'x0'", SumOfProducts(side(Product(0, ("x0",))).dw, (), (Trace("x0", 1, 1),))),
    ("the decay 4097", SumOfProducts(side(Product(0, ("x0",))).dw, (), (Trace("x1", 4097, 1),))),
    ("beyond 7 bits", SumOfProducts(side(Product(0, ("x0",))).dw, (), (Trace("x1", 1, 2**15),))),
]  # fmt: skip


@pytest.mark.parametrize(("words", "rule"), ILLEGAL)
def test_what_is_no_sum_of_products_is_named(words: str, rule: SumOfProducts) -> None:
    found = illegal(rule)
    assert found is not None and words in found
    assert not carries(rule)


if __name__ == "__main__":
    compare_with_lava()
    print("equal")
