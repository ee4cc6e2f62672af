"""On tensors learn: maps, and synapses at every time step. Equal to the simulator to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import plastic_maps
import pytest
import spike_timing_program
import torch
from compiled_program import network
from compiled_program import stimulus as fixations_of
from hypothesis import given, settings
from hypothesis import strategies as st
from test_sum_of_products import TAG_MAX, WEIGHT_MAX, kernel_epoch, random_values, rules
from varied_maps import driven_by_spikes, with_numbers

from compiler import rounding
from compiler.backends import simulator, tensor
from compiler.backends.simulator.kernels import random as random_kernels
from compiler.backends.tensor import somata, sum_of_products
from compiler.ir.spike_timing import SpikeTimingRule
from compiler.passes.lowering.consolidation import KINDS, Consolidation
from compiler.pipeline import compile_network
from compiler.products import POST, PRE
from compiler.program import MEMBRANE_MAX, Gate, Program, SumOfProducts
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.verify import compare

TARGET = load_target("loihi2-sim")


def alike(program: Program, seen: Stimulus, learn: bool = True) -> None:
    """Every step of one network."""
    engines = (engine.trace(program, seen, learn) for engine in (tensor, simulator))
    *_, total = compare(program, *engines)
    assert total.equal, total.first_difference
    assert (total.weights_compared > 0) == (learn and program.plastic)


def side_by_side(programs: list[Program], stimuli: list[Stimulus]) -> None:
    """Each network what it is alone: weights, tags, scores, gates and every count."""
    together = tensor.simulate(programs, stimuli)
    for program, seen, found in zip(programs, stimuli, together, strict=True):
        alone = simulator.simulate(program, seen)
        assert found.program == alone.program
        assert np.array_equal(found.scores, alone.scores)
        assert np.array_equal(found.gates, alone.gates)
        assert found.events == alone.events
    learned = [found.program != p for p, found in zip(programs, together, strict=True)]
    assert any(learned), "a single neuron may be silent"


def inference(program: Program, seen: Stimulus) -> None:
    counts, events = tensor.infer(program, seen)
    theirs, their_events = simulator.infer(program, seen)
    assert counts.keys() == theirs.keys()
    assert all(np.array_equal(counts[name], theirs[name]) for name in counts)
    assert events == their_events


def with_weights_of(program: Program, other: Program) -> Program:
    """The same network with another one's weights, tags and seed."""
    pairs = zip(program.synapses, other.synapses, strict=True)
    synapses = tuple(replace(s, weights=o.weights, tags=o.tags) for s, o in pairs)
    return replace(program, synapses=synapses, seed=other.seed)


@pytest.mark.parametrize(
    ("how", "kernel", "spikes"),
    [
        ({"averaged": 2}, 3, False),
        ({"averaged": 0, "patch": 5}, 5, True),
        ({"averaged": 1, "pool": (), "layers": (1, 2), "patch": 3}, 1, False),
        ({"averaged": 3, "pool": (1, 2), "patch": 7, "coding": "on-off"}, 3, True),
        ({"averaged": 2, "pool": (1,), "layers": (17,), "patch": 2}, 5, False),
        ({"averaged": 2, "pool": (1,), "patch": 4, "sequential": True}, 3, False),
        ({"averaged": 3, "pool": (2,), "patch": 5, "sequential": True, "kernel": 5}, 5, True),
    ],
)
def test_maps_that_learn(how: dict[str, Any], kernel: int, spikes: bool) -> None:
    made = plastic_maps.program(**{"layers": (4, 3), **how}, rate=2.0**-14)
    made = driven_by_spikes(made) if spikes else made
    program = with_numbers(made, 3, kernel)
    program = replace(program, gates=tuple(replace(g, margin=MEMBRANE_MAX) for g in program.gates))
    programs = [
        program,
        replace(program, seed=8),
        with_weights_of(program, with_numbers(made, 4, kernel)),
    ]
    side_by_side(programs, [fixations_of(p, 9, seed=n) for n, p in enumerate(programs)])
    alike(program, fixations_of(program, 5, seed=5))
    alike(program, fixations_of(program, 3, seed=6), learn=False)
    inference(program, fixations_of(program, 11, seed=7))


def test_memory_of_inference_is_bounded_by_what_kernels_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = with_numbers(plastic_maps.program(), 1, 3)
    seen = fixations_of(program, 7)
    whole, _ = tensor.infer(program, seen)
    widest = 36 * 9 * 4  # positions of layer2 times what each sees ...
    assert widest > max(p.size for p in program.populations)
    at_once: list[int] = []
    shown = tensor.engine.Machine.show
    monkeypatch.setattr(
        "compiler.backends.tensor.engine.Machine.show",
        lambda m, values: (at_once.append(m.rows), shown(m, values))[1],
    )
    monkeypatch.setattr("compiler.backends.tensor.engine.CURRENTS", 3 * 6 * 36 * 9 * 2)
    parts, _ = tensor.infer(program, seen)
    assert max(at_once) < 7
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)


@pytest.mark.parametrize("kind", KINDS)
def test_what_reaches_weights_in_any_way(kind: str) -> None:
    """By carries, by transfers of the whole tag, or directly."""
    how = Consolidation(kind, None if kind == "direct" else 2)
    source = network((20, 13, 9), rate=2**-6)
    program = compile_network(source, TARGET, 3, consolidation=how).program
    programs = [program, replace(program, seed=4)]
    stimuli = [fixations_of(p, 30, seed=n) for n, p in enumerate(programs)]
    side_by_side(programs, stimuli)
    alike(program, stimuli[1])


TIMED = (
    spike_timing_program.RULE,
    spike_timing_program.LARGE,
    spike_timing_program.REWARDED,
)


@pytest.mark.parametrize("rule", TIMED)
@pytest.mark.parametrize("widths", [(12, 8, 6), (5, 1), (33, 17, 3)])
def test_rules_of_spike_times(rule: SpikeTimingRule, widths: tuple[int, ...]) -> None:
    programs = [
        spike_timing_program.compiled(
            spike_timing_program.network(widths, rule=rule, seed=seed), seed=seed
        )
        for seed in (1, 2, 3)
    ]
    programs = [with_weights_of(programs[0], other) for other in programs]
    stimuli = [spike_timing_program.stimulus(p, 12, seed=n) for n, p in enumerate(programs)]
    side_by_side(programs, stimuli)
    alike(programs[0], stimuli[1])
    alike(programs[0], stimuli[2], learn=False)
    inference(programs[0], stimuli[0])


@given(rules(), st.integers(1, 7), st.integers(1, 9), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=300, deadline=None)
def test_any_sum_of_products(
    rule: SumOfProducts, n_pre: int, n_post: int, due: bool, seed: int
) -> None:
    """Against the simulator's kernel, which is compared with Lava's learning engine."""
    values = random_values(np.random.default_rng(seed), n_pre, n_post)
    theirs = kernel_epoch(rule, values, due, random_kernels.key(seed, 3, 11))
    x = {name: torch.from_numpy(values[name][:1]) for name in PRE}
    y = {name: torch.from_numpy(values[name].T[:1].copy()) for name in POST}
    old = {name: torch.from_numpy(values[name].T[None].copy()) for name in ("w", "t")}
    bits = torch.from_numpy(rounding.synapse_bits(seed, 3, 11, n_pre, n_post))[None]
    time_step = 0 if due else 1  # k of u_k may be 0, which is always due
    for side, name, largest, expected in (
        (rule.dw, "w", WEIGHT_MAX, theirs[0]),
        (rule.dt, "t", TAG_MAX, theirs[1]),
    ):
        some = sum_of_products.due(side, {"x0", "y0"}, time_step)
        if not due:
            some = tuple(p for p in some if not p.factors[0].startswith("u"))
        found = sum_of_products.changed(old[name], sum_of_products.parts(some, x, y), old, bits)
        kept = found.clamp(-largest, largest)[0].T.numpy()
        assert np.array_equal(kept, expected), (str(rule), name)


@given(
    st.integers(1, 6),
    st.lists(st.integers(-3, 3), min_size=1, max_size=14),
    st.integers(-1, 7),
)
@settings(max_examples=200, deadline=None)
def test_a_critic_names_the_first_of_the_largest(
    classes: int, messages: list[int], label: int
) -> None:
    gate = Gate("critic", "layer", "class", 0, 0, classes=classes)
    rows = torch.tensor([messages, messages[::-1]])
    score, opened, clipped, best = somata.reward(gate, torch.tensor([label, label]), rows)
    for row, sent in enumerate((messages, messages[::-1])):
        sums = [sum(sent[k::classes]) for k in range(classes)]
        named = sums.index(max(sums))
        assert int(best[row]) == named
        if not 0 <= label < classes:
            assert (int(score[row]), int(opened[row])) == (0, 0)
            continue
        others = [u for k, u in enumerate(sums) if k != label]
        assert int(score[row]) == sums[label] - max(others, default=0)
        assert int(opened[row]) == (max(1, classes - 1) if named == label else -1)
    assert not clipped.any()


def test_sums_of_a_critic_are_clipped_and_counted() -> None:
    gate = Gate("critic", "layer", "class", 0, 0, classes=2)
    rows = torch.tensor([[MEMBRANE_MAX, 1, 5, 2], [MEMBRANE_MAX, 0, -5, 0]])
    score, _, clipped, _ = somata.reward(gate, torch.tensor([0, 0]), rows)
    assert score.tolist() == [MEMBRANE_MAX - 3, MEMBRANE_MAX - 5]
    assert clipped.tolist() == [1, 0]
