"""Passes: what a timetable must satisfy, rules other than CLAPP, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compiled_program import compiled, network

from clapp_neuro.errors import InputError
from compiler.backends.simulator import simulate
from compiler.ir import Compartment, LearningRule, Modulator, Network, Quantity, Term
from compiler.passes.fold import fold
from compiler.passes.quantize import quantize
from compiler.passes.schedule import schedule
from compiler.pipeline import compile_network
from compiler.program import TAG_UNITS
from compiler.targets import load_target
from compiler.trace import Stimulus

Z, C = Quantity.COUNT, Quantity.PREVIOUS_COUNT


def test_every_term_of_clapp_has_its_trace_and_its_gate() -> None:
    source = network((12, 8, 6, 4))
    plan = schedule(source)
    program = compiled((12, 8, 6, 4))
    steps = source.schedule.steps
    levels = {p.name: p.level for p in source.populations}
    for p in source.projections:
        assert p.rule is not None
        assert len(set(plan.slots[p.name])) == len(p.rule.terms)
        for term, tau in zip(p.rule.terms, plan.slots[p.name], strict=True):
            sent_at = tau + levels[p.target] - levels[p.source]
            assert program.population(p.source).message(sent_at).quantity is term.pre
            assert tau >= steps + 2  # the gate is decided at steps + 1
            if Quantity.RETRO in term.post:
                assert tau > plan.timetable.retro
            if p.compartment is Compartment.APICAL:
                assert tau < plan.timetable.predict  # the prediction uses the updated weights
    assert plan.timetable.period >= plan.timetable.predict + 1 + max(levels.values())
    assert 2**plan.carry_exponent % plan.timetable.period == 0


def with_rule(rule: LearningRule) -> Network:
    plain = network((9, 6), plastic=False)
    (projection,) = plain.projections
    return replace(
        plain, projections=(replace(projection, rule=rule),), modulators=(Modulator("reward"),)
    )


@pytest.mark.parametrize(
    "rule",
    [
        LearningRule("hebb", (Term(2**-8, Z, (Z,)),)),
        LearningRule("rewarded", (Term(2**-8, Z, (Z,), "reward"),)),
        LearningRule("two terms", (Term(2**-8, Z, (Z,), "reward"), Term(-(2**-9), C, (C,)))),
    ],
)
def test_another_local_rule_needs_no_compiler_code(rule: LearningRule) -> None:
    program = compile_network(with_rule(rule), load_target("loihi2-sim")).program
    random = np.random.default_rng(0)
    seen = random.integers(100, 256, (200, 9)).astype(np.uint8)
    reward = random.choice([0, 1], 200).astype(np.int8)
    learned = simulate(program, Stimulus({"input": seen}, {"reward": reward})).program
    before, after = program.synapses[0], learned.synapses[0]
    assert before.tags is not None and after.tags is not None
    change = TAG_UNITS * (after.weights.astype(int) - before.weights) + after.tags - before.tags
    assert change.any()
    if all(t.coefficient > 0 for t in rule.terms):
        assert (change >= 0).all()


def test_what_cannot_be_lowered_is_refused() -> None:
    target = load_target("loihi2-sim")
    too_many = Term(2**-8, Quantity.APICAL, (Z,))
    with pytest.raises(InputError, match="no order of at most"):
        compile_network(with_rule(LearningRule("x", (too_many,))), target)
    with pytest.raises(InputError, match="learning rate"):
        compile_network(with_rule(LearningRule("x", (Term(1e6, Z, (Z,)),))), target)
    with pytest.raises(InputError, match="nothing ends there"):
        rule = LearningRule("x", (Term(2**-8, Z, (Quantity.APICAL,)),))
        compile_network(with_rule(rule), target)
    with pytest.raises(InputError, match="127"):
        compile_network(network((5, 4), steps=128), target)


def test_folding_keeps_the_current_and_the_update() -> None:
    source = network()
    folded, notes = fold(source)
    x = np.linspace(0, 1, 12)
    scale = source.populations[0].scale
    before, after = source.projections[0], folded.projections[0]
    assert np.allclose(after.weights @ (x / scale), before.weights @ x, rtol=1e-12)
    assert before.rule is not None and after.rule is not None
    for old, new in zip(before.rule.terms, after.rule.terms, strict=True):
        # a change of W' by coefficient' * i is a change of W by coefficient * x
        assert np.isclose(new.coefficient / scale / scale, old.coefficient, rtol=1e-12)
    assert notes


def test_rounding_stays_within_half_a_unit_and_waits_in_the_tags() -> None:
    source = network()
    quantized, _ = quantize(source, 127)
    for p in source.projections:
        integer = quantized.integers[p.name]
        assert integer.tags is not None
        exact = p.weights / integer.unit
        assert np.abs(exact - integer.weights).max() <= 0.5
        assert np.abs(exact - integer.weights - integer.tags / TAG_UNITS).max() <= 0.5 / TAG_UNITS


def test_zero_weights_compile_and_learn_from_zero() -> None:
    source = network()
    zero = tuple(
        replace(p, weights=np.zeros_like(p.weights)) if p.compartment is not Compartment.SOMA else p
        for p in source.projections
    )
    program = compile_network(replace(source, projections=zero), load_target("loihi2-sim")).program
    random = np.random.default_rng(3)
    seen = random.integers(0, 256, (300, 12)).astype(np.uint8)
    labels = {"saccade": random.choice([-1, 1], 300).astype(np.int8)}
    learned = simulate(program, Stimulus({"input": seen}, labels)).program
    prediction = next(s for s in learned.synapses if s.name == "layer1.prediction")
    assert prediction.tags is not None and prediction.tags.any()


def test_loihi1_is_refused_with_all_limits_at_once() -> None:
    with pytest.raises(InputError) as refused:
        compile_network(network(), load_target("loihi1-sim"))
    text = str(refused.value)
    assert "graded spikes" in text and "third factor" in text and "loihi2-sim" in text
