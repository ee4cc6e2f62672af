"""The worked example of rules of spike times, and the rule in real numbers that it measures by."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import spike_timing_program
from pair_program import network as pair_network

from compiler.ir import Network
from compiler.ir.spike_timing import PairTerm, Spike, SpikeTimingRule, SpikeTrace
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.local_rules.stdp import stdp
from compiler.pipeline import compile_network
from compiler.program import Program, Synapses
from compiler.real_numbers.spike_timing import RealSpikeTiming
from compiler.targets import load_target
from compiler.worked_examples.row import DRAWS, Example
from compiler.worked_examples.rules import worked_example

RULES = {
    "in the tag": spike_timing_program.RULE,
    "in the weight": spike_timing_program.LARGE,
    "rewarded": spike_timing_program.REWARDED,
}
TARGET = load_target("loihi2-sim")
NETWORKS = {
    name: spike_timing_program.network((40, 24, 20), rule=rule, seed=5)
    for name, rule in RULES.items()
}
PROGRAMS = {name: compile_network(source, TARGET).program for name, source in NETWORKS.items()}


def found(name: str, program: Program) -> dict[str, Example]:
    return {e.projection: e for e in worked_example(NETWORKS[name], program)}


@pytest.mark.parametrize("name", RULES)
def test_the_chip_does_what_the_rule_says(name: str) -> None:
    examples = found(name, PROGRAMS[name])
    assert list(examples) == ["layer1.forward", "layer2.forward"]
    for example in examples.values():
        assert example.matrix is not None and 0.98 < example.matrix < 1.02
        room = 5 * example.error + 0.01 * abs(example.expected)
        assert abs(example.executed - example.expected) <= room
        assert DRAWS[0] <= example.draws <= DRAWS[1] and example.clipped == 0
        assert (example.label is None) == (name != "rewarded")
        assert len(example.row()) == 5 and example.to_json()["projection"] == example.projection


def changed(program: Program, layer: str, sign: int, impulse: float) -> Program:
    """The program whose rule in one layer has products of the other sign, or other impulses."""

    def of(s: Synapses) -> Synapses:
        if s.rule is None or s.target != layer:
            return s
        traces = tuple(replace(t, impulse=int(t.impulse * impulse)) for t in s.rule.traces)
        learned = {t.name for t in traces}
        sides = [
            tuple(replace(p, sign=sign * p.sign) if {*p.factors} & learned else p for p in side)
            for side in (s.rule.dw, s.rule.dt)
        ]
        return replace(s, rule=replace(s.rule, dw=sides[0], dt=sides[1], traces=traces))

    return replace(program, synapses=tuple(of(s) for s in program.synapses))


@pytest.mark.parametrize(("name", "layer"), list(product(RULES, ("layer1", "layer2"))))
def test_a_wrong_lowering_shows(name: str, layer: str) -> None:
    for (sign, impulse), (low, high) in {(1, 0.5): (0.4, 0.6), (-1, 1): (-1.1, -0.9)}.items():
        examples = found(name, changed(PROGRAMS[name], layer, sign, impulse))
        for projection, example in examples.items():
            assert example.matrix is not None
            wrong = low < example.matrix < high
            assert wrong == projection.startswith(layer), f"{projection}: {example.matrix}"


def test_weights_that_are_clipped_are_told() -> None:
    program = PROGRAMS["in the weight"]
    synapses = tuple(
        replace(s, weights=np.full_like(s.weights, 127)) if s.target == "layer2" else s
        for s in program.synapses
    )
    examples = found("in the weight", replace(program, synapses=synapses))
    assert examples["layer1.forward"].clipped == 0
    clipped = examples["layer2.forward"]
    assert clipped.clipped > 0 and "values clipped" in clipped.row()[-1]


def test_a_modulator_that_rewards() -> None:
    rule = reward_stdp(2.0**-7, 1.1, 6.0, 9.0, 0.5, "reward")
    source = pair_network(rule, copies=3)
    (example,) = worked_example(source, compile_network(source, TARGET).program)
    assert example.projection == "plastic" and example.label == 1
    assert example.matrix is not None and 0.9 < example.matrix < 1.1


def by_pairs(
    source: Network, period: int, rasters: list[dict[str, np.ndarray]], rule: SpikeTimingRule
) -> list[np.ndarray]:
    """What each fixation adds in layer 1: the sum over all pairs of spikes, one after the other."""
    when = {
        name: [
            (f * period + t + late, j)
            for f, raster in enumerate(rasters)
            for t, j in np.argwhere(raster[name])
        ]
        for name, late in (("input", 0), ("layer1", 1))
    }
    added = []
    for f in range(len(rasters)):
        total = np.zeros((source.population("layer1").size, source.population("input").size))
        for term in rule.terms:
            for (s, i), (t, j) in product(when["input"], when["layer1"]):
                ago, now = (t - s, t) if isinstance(term.post, Spike) else (s - t, s)
                trace = term.pre if isinstance(term.post, Spike) else term.post
                assert isinstance(trace, SpikeTrace)
                if ago >= 0 and now // period == f:
                    total[j, i] += term.coefficient * math.exp(-ago / trace.tau)
        added.append(total)
    return added


@pytest.mark.parametrize("rewarded", [False, True])
def test_the_real_rule_is_the_sum_over_pairs(rewarded: bool) -> None:
    """Two terms with the same trace among them; traces and eligibilities outlast a fixation."""
    base = reward_stdp(0.1, 1.1, 6.0, 9.0, 0.5, "reward") if rewarded else stdp(0.2, 0.3, 5.0, 4.0)
    again = PairTerm(0.05, pre=base.terms[0].pre, post=Spike())
    rule = replace(base, terms=(*base.terms, again))
    source = spike_timing_program.network((5, 4), steps=6, rest=6, rule=rule)
    random, period = np.random.default_rng(3), 12
    rasters = [
        {name: random.random((6, size)) < 0.4 for name, size in (("input", 5), ("layer1", 4))}
        for _ in range(3)
    ]
    real = RealSpikeTiming(source, period)
    before = source.projections[0].weights
    expected, eligibility = before.copy(), np.zeros(before.shape)
    for f, added in enumerate(by_pairs(source, period, rasters, rule)):
        sums = [rasters[f]["layer1"].sum(0)[k::3].sum() for k in range(3)]
        label = (2, -1, int(np.argmax(sums)))[f]
        real.fixation(rasters[f], {"class": float(label)})
        if not rewarded:
            expected += added
            continue
        right = int(np.argmax(sums)) == label
        reward = 0.0 if label < 0 else 1.0 if right else -1 / 2
        expected += 0.1 * reward * (eligibility + added)
        eligibility = 0.5 * (eligibility + added)
    np.testing.assert_allclose(real.weights["layer1.forward"], expected, atol=1e-12)
    assert np.abs(expected - before).max() > 0.1
