"""Rules that learn at any time step: the simulator and Lava agree on every bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import spike_timing_program as stdp_program
from compiled_program import compiled as compiled_clapp

from compiler.backends import lava, simulator
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.products import general
from compiler.program import Product, Program, SumOfProducts, Trace
from compiler.soundness import fault
from compiler.soundness.legality import illegal
from compiler.trace import Stimulus
from compiler.verify import Comparison, compare

TIMEOUT = 120.0


def compared(program: Program, stimulus: Stimulus) -> Comparison:
    assert fault(program) is None
    total = Comparison()
    ours = simulator.trace(program, stimulus)
    for total in compare(program, ours, lava.trace(program, stimulus, timeout=TIMEOUT)):
        assert total.first_difference is None, str(total.first_difference)
    return total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rule", [stdp_program.RULE, stdp_program.LARGE], ids=["tag", "weight"])
def test_stdp_is_that_of_lava(rule: SpikeTimingRule, seed: int) -> None:
    random = np.random.default_rng(seed)
    widths = tuple(int(n) for n in random.integers(1, 12, random.integers(2, 5)))
    steps = int(random.integers(2, 10))
    source = stdp_program.network(widths, steps, int(random.integers(4, 9)), rule, seed)
    program = stdp_program.compiled(source, seed)
    stimulus = stdp_program.stimulus(program, 6, seed)

    total = compared(program, stimulus)

    assert total.fixations == 6 and total.weights_compared > 0
    learned = simulator.simulate(program, stimulus).program
    outcome = lava.run(program, stimulus, timeout=TIMEOUT).program
    assert learned.synapses == outcome.synapses


@pytest.mark.parametrize("seed", range(3))
def test_reward_modulated_stdp_is_that_of_lava(seed: int) -> None:
    widths = ((9, 7), (12, 8, 6), (5, 4, 5, 4))[seed]
    source = stdp_program.network(widths, 8, 8, stdp_program.REWARDED, seed)
    program = stdp_program.compiled(source, seed)
    stimulus = stdp_program.stimulus(program, 10, seed)

    compared(program, stimulus)

    result = simulator.simulate(program, stimulus)
    outcome = lava.run(program, stimulus, timeout=TIMEOUT)
    assert result.program.synapses == outcome.program.synapses
    assert set(result.gates.ravel()) == {-1, 0, 2}
    for before, after in zip(program.synapses, result.program.synapses, strict=True):
        assert after.tags.any() and not np.array_equal(before.weights, after.weights)


def random_rule(random: np.random.Generator, register: str) -> SumOfProducts:
    """A legal rule on what CLAPP's synapses see, with traces beside."""
    variables = ["x1", "x2", register, "y3", "w", "t", "(t-5)", "sgn(w+3)", "x0", "y0", "sgn(t)"]
    k = int(random.integers(0, 4))

    def products() -> tuple[Product, ...]:
        return tuple(
            Product(
                int(random.integers(-7, -3)),
                (
                    str(random.choice(["x0", "y0", f"u{k}"])),
                    *(str(f) for f in random.choice(variables, random.integers(1, 4))),
                ),
                int(random.choice([-1, 1])),
                int(random.integers(1, 8)),
            )
            for _ in range(random.integers(1, 4))
        )

    traces = [Trace("x2", int(random.integers(0, 4097)), int(random.integers(0, 20000)))]
    traces.append(Trace("y3", 3500, 5000))
    if random.random() < 0.5:
        traces.append(Trace("x1", 3000, 7000))
    while illegal(rule := SumOfProducts(products(), products(), tuple(traces))) is not None:
        pass
    return rule


@pytest.mark.parametrize("seed", range(6))
def test_any_sum_of_products_is_that_of_lava(seed: int) -> None:
    """CLAPP's messages, gates and post values, but rules of any kind on the forward weights."""
    random = np.random.default_rng(seed)
    program = compiled_clapp((6, 5, 4), steps=4)
    changed = []
    for s in program.synapses:
        if s.compartment.value == "soma" and s.rule is not None:
            register = s.rule.register
            values = program.population(s.target).post_values
            if any(v.register == "y3" for v in values):
                register = "y3"
            rule = random_rule(random, register)
            if register == "y3":
                kept = tuple(t for t in rule.traces if t.name != "y3")
                rule = replace(rule, traces=kept)
            s = replace(s, rule=rule, slots=())
        changed.append(s)
    program = replace(program, synapses=tuple(changed))
    assert any(general(s) for s in program.synapses)
    stimulus = stdp_program.stimulus(program, 5, seed)

    compared(program, stimulus)
