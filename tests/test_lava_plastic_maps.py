"""Kernels that learn, on Lava's own sparse synapses: equal to the simulator after every step."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plastic_maps import program
from test_lava import carrying_often

from clapp_neuro.errors import InputError
from compiler.backends import lava, simulator
from compiler.backends.lava.checks import require_expressible
from compiler.backends.lava.copies import averaged_copies
from compiler.backends.lava.entries import entries
from compiler.connectivity import on_the_map, winner_shifts
from compiler.program import Message, Program, Synapses
from compiler.terms import Compartment, Connection, Map, Quantity
from compiler.trace import FixationTrace, Stimulus
from compiler.verify import compare

TIMEOUT = 120.0
FIXATIONS = 8
KINDS: dict[str, dict[str, Any]] = {
    "pooled": {"layers": (4, 3), "pool": (1,), "patch": 6},
    "averaged": {"layers": (4, 3), "pool": (1,), "patch": 6, "averaged": 3},
    "three layers, odd side": {"layers": (4, 3, 2), "pool": (1, 2), "patch": 9, "steps": 8},
    "no pool": {"layers": (3, 5), "pool": (), "patch": 5, "averaged": 3, "seed": 3},
    "on-off": {"layers": (6, 2), "pool": (1,), "patch": 7, "steps": 4, "coding": "on-off"},
}


def eager(kind: str) -> Program:
    """A program that learns much in few fixations, and carries whole units in every second."""
    faster = carrying_often(program(**KINDS[kind]))
    return replace(
        faster,
        populations=tuple(
            replace(
                p,
                post_values=tuple(replace(v, shift=max(0, v.shift - 4)) for v in p.post_values),
            )
            for p in faster.populations
        ),
    )


def stimulus(of: Program, seed: int = 0) -> Stimulus:
    """Dim enough that few neurons spike at every step, which would keep them from learning."""
    random = np.random.default_rng(seed)
    shape = (FIXATIONS, of.populations[0].size)
    seen = random.integers(0, 90, shape) * (random.random(shape) < 0.8)
    labels = random.choice([-1, 1], FIXATIONS).astype(np.int8)
    labels[0] = 0
    return Stimulus({"input": seen.astype(np.uint8)}, dict.fromkeys(of.modulators, labels))


def shown(of: Program) -> list[FixationTrace]:
    return list(simulator.trace(of, stimulus(of), learn=True))


def named(of: Program, name: str) -> Synapses:
    return next(s for s in of.synapses if s.name == name)


@pytest.mark.parametrize(
    ("kind", "guarded"), [*((kind, True) for kind in KINDS), ("averaged", False)]
)
def test_kernels_that_learn_equal_the_simulator_at_every_step(kind: str, guarded: bool) -> None:
    of = eager(kind)
    ours = shown(of)
    theirs = lava.trace(of, stimulus(of), True, TIMEOUT, guarded)
    (*_, total) = compare(of, ours, theirs)
    assert total.equal and total.fixations == FIXATIONS, str(total.first_difference)
    for s in of.synapses:
        if s.rule is not None:  # carries go to and fro, so look at every step
            for changes in (
                (t.weights[s.name] != s.weights for t in ours),
                (t.tags[s.name] != s.tags for t in ours),
            ):
                assert any(change.any() for change in changes), s.name


def test_what_is_compared_has_losers_and_messages_that_are_no_traces() -> None:
    """Else equality says nothing about inhibition, and of payloads beyond eight bits."""
    of = eager("three layers, odd side")
    ours = shown(of)
    forgotten = [t.spikes["layer1"].sum(0) - t.counts["layer1"] for t in ours]
    assert any(f.any() for f in forgotten) and any(t.counts["layer1"].any() for t in ours)
    for t in ours:  # nobody hears of the odd last row and column, so they lose
        last = t.counts["layer1"].reshape(4, 9, 9)
        assert not last[:, 8].any() and not last[:, :, 8].any()
    sent = np.stack([t.apical["layer1.mean"] for t in ours])
    assert sent.min() < 0 and np.abs(sent).max() > 2 * 255
    assert {m.quantity for m in of.population("layer1.mean").messages} >= {
        Quantity.APICAL,
        Quantity.RETRO,
    }


def test_what_is_off_the_map_never_learns() -> None:
    of = eager("pooled")
    ended = lava.run(of, stimulus(of), True, TIMEOUT, guarded=True)
    learned = named(ended.program, "layer1.forward")
    off = np.broadcast_to(~on_the_map(learned.weights.shape, (6, 6)), learned.weights.shape)
    assert off.any() and learned.tags is not None
    assert not learned.weights[off].any() and not learned.tags[off].any()
    last = shown(of)[-1]
    assert np.array_equal(learned.weights, last.weights["layer1.forward"][-1])
    assert np.array_equal(learned.tags, last.tags["layer1.forward"][-1])
    expected = np.stack([t.counts["layer1.mean"] for t in shown(of)])
    assert np.array_equal(ended.counts["layer1.mean"], expected)


def test_without_learning_there_are_neither_means_nor_what_serves_them() -> None:
    of, seen = eager("three layers, odd side"), stimulus(eager("three layers, odd side"))
    (*_, total) = compare(
        of, simulator.trace(of, seen, learn=False), lava.trace(of, seen, False, TIMEOUT)
    )
    assert total.equal, str(total.first_difference)
    ended = lava.run(of, seen, False, TIMEOUT)
    counts, _ = simulator.infer(of, seen)
    assert ended.counts.keys() == counts.keys()
    assert not any(name.endswith(".mean") for name in counts)
    for name, count in counts.items():
        assert np.array_equal(ended.counts[name], count)


@pytest.mark.parametrize("what", ["tag", "average", "winner"])
def test_the_comparison_can_fail(what: str) -> None:
    of = eager("averaged")
    forward, unpool = named(of, "layer1.forward"), named(of, "layer1.inhibition")
    assert forward.tags is not None
    tags = forward.tags.copy()
    tags[0, 0, 0, 2, 2] += 1
    changed = {
        "tag": replace(forward, tags=tags),
        "average": replace(forward, averaged=4),
        "winner": replace(unpool, weights=unpool.weights[::-1]),
    }[what]
    other = replace(
        of, synapses=tuple(changed if s.name == changed.name else s for s in of.synapses)
    )
    theirs = lava.trace(other, stimulus(of), True, TIMEOUT, guarded=True)
    (*_, total) = compare(of, shown(of), theirs)
    assert not total.equal


STOCK = """
from compiler.backends.lava.compat import load_lava
load_lava()
import numpy as np
from lava.magma.core.learning.learning_rule_applier import LearningRuleApplierBitApprox
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from scipy.sparse import csr_matrix
rule = Loihi2FLearningRule(dw="2^0*u3*sgn(t)", t_epoch=1)
carry = LearningRuleApplierBitApprox(rule.active_product_series["dw"])
tags = np.array([[1, 0], [-3, 2]])
moved = carry.apply(np.zeros((2, 2), int), shape=(2, 2), u=1, tag_1=tags)
assert np.array_equal(moved, np.sign(tags) << 7), moved
try:
    carry.apply(csr_matrix(tags.shape), shape=(2, 2), u=1, tag_1=csr_matrix(tags))
except ValueError as error:
    print(error)
"""


def test_a_rule_of_sparse_synapses_is_beyond_lavas_own_model() -> None:
    """Why `UntiedSparseModel` hands Lava's arithmetic vectors; if this fails, it need not."""
    done = subprocess.run([sys.executable, "-c", STOCK], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "truth value" in done.stdout


def listed(connection: Connection, weights: np.ndarray, source: Map, target: Map) -> np.ndarray:
    """The matrix that a projection's list of synapses stands for, (targets, sources)."""
    end = Compartment.SOMA
    s = Synapses("s", 0, "a", "b", end, weights, None, 1.0, (0,), 0, connection=connection)
    found = entries(s, source, target)
    order = found.target * int(np.prod(source)) + found.source
    assert (np.diff(order) > 0).all(), "by target, then by source, each pair once"
    matrix = np.zeros((int(np.prod(target)), int(np.prod(source))), np.int64)
    matrix[found.target, found.source] = weights.ravel()[found.weight]
    return matrix


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2**32))
def test_untied_kernels_as_a_matrix(height: int, width: int, channels: int, seed: int) -> None:
    """Each position's window times its own kernels, in a loop over positions."""
    random = np.random.default_rng(seed)
    weights = random.integers(-127, 128, (height * width, 2, channels, 3, 3))
    sent = random.integers(0, 256, (channels, height, width))
    source, target = (channels, height, width), (2, height, width)
    matrix = listed(Connection.UNTIED, weights, source, target)
    padded = np.pad(sent, ((0, 0), (1, 1), (1, 1)))
    expected = np.zeros(target, np.int64)
    for p in range(height * width):
        y, x = divmod(p, width)
        seen = padded[:, y : y + 3, x : x + 3]
        expected[:, y, x] = (weights[p] * seen).sum(axis=(1, 2, 3))
    assert np.array_equal(matrix @ sent.ravel(), expected.ravel())


@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 3), st.integers(0, 2**32))
def test_a_relay_tells_each_neighbour_whether_it_won(
    height: int, width: int, channels: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    source, target = (channels, height // 2, width // 2), (channels, height, width)
    winner = random.integers(-1, 4, source)
    mask = np.where(winner < 0, 0, 1 << np.maximum(0, winner))
    matrix = listed(Connection.UNPOOL, winner_shifts(), source, target)
    won = (matrix @ mask.ravel()).reshape(target) & 8 > 0
    expected = np.zeros(target, bool)
    for c, y, x in np.argwhere(winner >= 0):
        down, right = divmod(int(winner[c, y, x]), 2)
        expected[c, 2 * y + down, 2 * x + right] = True
    assert np.array_equal(won, expected)


@given(st.integers(1, 5), st.integers(1, 3))
def test_sums_and_spreads_as_matrices(side: int, channels: int) -> None:
    whole, single = (channels, side, side), (channels, 1, 1)
    ones = np.ones((side, side), np.int64)
    expected = np.kron(np.eye(channels, dtype=np.int64), np.ones((1, side * side), np.int64))
    assert np.array_equal(listed(Connection.SUM, ones, whole, single), expected)
    assert np.array_equal(listed(Connection.SPREAD, ones, single, whole), expected.T)


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32))
def test_the_average_of_copies_is_their_mean_rounded(kernels: int, copies: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    kernel = np.repeat(np.arange(kernels), copies)
    weights = random.integers(-127, 128, kernel.shape)
    tags = random.integers(-255, 256, kernel.shape)
    mean_weights, mean_tags = averaged_copies(weights, tags, kernel, 127, 255)
    for k in range(kernels):
        units = (64 * weights + tags)[kernel == k]
        (mean,) = set(64 * mean_weights[kernel == k] + mean_tags[kernel == k])
        assert abs(2 * copies * mean - 2 * units.sum()) <= copies  # at most half a unit off
        assert (np.abs(mean_weights) <= 127).all() and (np.abs(mean_tags) <= 255).all()


def changed(of: Program, name: str, **changes: Any) -> Program:
    return replace(
        of, synapses=tuple(replace(s, **changes) if s.name == name else s for s in of.synapses)
    )


def resent(of: Program, name: str, messages: tuple[Message, ...]) -> Program:
    return replace(
        of,
        populations=tuple(
            replace(p, messages=messages) if p.name == name else p for p in of.populations
        ),
    )


def test_what_lava_cannot_express_is_named() -> None:
    of = eager("pooled")
    mean = of.population("layer1.mean").messages
    spread = tuple(replace(m, quantity=Quantity.RETRO) if m.step == 12 else m for m in mean)
    lifted = tuple(replace(m, lift=3) if m.step == 12 else m for m in mean)
    winner = (Message(7, Quantity.WINNER, 0, 0),)
    wide = np.zeros((1, 1, 35000, 1, 1), np.int8)
    cases = {
        "layer1.inhibition listens at tau 7, when layer1.pool sends no message": changed(
            of, "layer1.inhibition", listens=(7,)
        ),
        "layer1.dendrite listens 2 times": changed(of, "layer1.dendrite", listens=(0, 8)),
        "inhibits, but layer1.mean are no relays": changed(
            of, "layer1.dendrite", compartment=Compartment.INHIBITION
        ),
        "prediction learns at tau 12, when layer1.mean sends no trace": resent(
            of, "layer1.mean", spread
        ),
        "sends a trace at tau 12 that is odd or beyond 7 bits": resent(of, "layer1.mean", lifted),
        "layer2 sends who won, but is no relay": resent(of, "layer2", winner),
        "may need more than the 32 bits of Lava's Sparse": changed(
            of, "layer1.forward", weights=wide, rule=None
        ),
    }
    for message, wrong in cases.items():
        with pytest.raises(InputError, match=message):
            require_expressible(wrong, stimulus(of), True)
    require_expressible(of, stimulus(of), True)
