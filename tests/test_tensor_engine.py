"""The engine on tensors equals the event-driven simulator to the bit: everything, every count."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from compiled_program import compiled, stimulus
from conv_network import conv_network
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import clapp_neuro
from clapp_neuro.cli import app
from clapp_neuro.config import read_experiment
from clapp_neuro.errors import InputError
from compiler import rounding as reference
from compiler.backends import simulator, tensor
from compiler.backends.tensor import exact, rounding
from compiler.pipeline import compile_network
from compiler.targets import load_target
from compiler.verify import compare

RATES = {"clapp": 2**-6, "espp": 2**-6, "lpl": 2**-10}


def same_program(ours, theirs):
    """Weights, tags and averages, with what is wrong where."""
    for a, b in zip(ours.synapses, theirs.synapses, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights, err_msg=a.name)
        if b.tags is not None:
            np.testing.assert_array_equal(a.tags, b.tags, err_msg=a.name)
    assert ours == theirs


@pytest.mark.parametrize("method", RATES)
def test_networks_side_by_side_are_each_what_it_is_alone(method):
    first = compiled((20, 13, 9), method=method, rate=RATES[method])
    programs = [
        first,
        replace(first, seed=first.seed + 1),
        compiled((20, 13, 9), method=method, seed=7, rate=RATES[method]),
    ]
    programs[2] = replace(
        first,
        synapses=tuple(
            replace(s, weights=o.weights, tags=o.tags)
            for s, o in zip(first.synapses, programs[2].synapses, strict=True)
        ),
    )
    stimuli = [stimulus(p, 60, seed=n) for n, p in enumerate(programs)]
    together = tensor.simulate(programs, stimuli)
    for program, shown, found in zip(programs, stimuli, together, strict=True):
        alone = simulator.simulate(program, shown)
        np.testing.assert_array_equal(found.scores, alone.scores)
        np.testing.assert_array_equal(found.gates, alone.gates)
        same_program(found.program, alone.program)
        assert found.events == alone.events
        assert found.program != program, "it has learned"


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 24), min_size=2, max_size=4),
    steps=st.integers(2, 16),
    seed=st.integers(0, 2**16),
    method=st.sampled_from(list(RATES)),
)
def test_random_networks_learn_alike(widths, steps, seed, method):
    rate = RATES[method] / 16  # a single neuron of two steps cannot take more
    program = compiled(tuple(widths), steps, method=method, seed=seed, rate=rate)
    shown = stimulus(program, 12, seed=seed)
    alone = simulator.simulate(program, shown)
    (found,) = tensor.simulate([program], [shown])
    np.testing.assert_array_equal(found.scores, alone.scores)
    same_program(found.program, alone.program)
    assert found.events == alone.events


@pytest.mark.parametrize("method", RATES)
@pytest.mark.parametrize("learn", [True, False])
def test_every_step_is_the_same(method, learn):
    program = compiled((11, 9, 5), method=method, rate=RATES[method])
    shown = stimulus(program, 9, seed=4)
    ours, theirs = (engine.trace(program, shown, learn) for engine in (tensor, simulator))
    *_, total = compare(program, ours, theirs)
    assert total.equal, total.first_difference
    assert total.fixations == 9 and (total.weights_compared > 0) == learn


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 40), min_size=2, max_size=4),
    steps=st.integers(1, 16),
    seed=st.integers(0, 2**16),
)
def test_inference_of_many_fixations(widths, steps, seed):
    program = compiled(tuple(widths), steps, plastic=False, seed=seed)
    shown = stimulus(program, 30, seed=seed)
    counts, events = tensor.infer(program, shown)
    theirs, their_events = simulator.infer(program, shown)
    assert counts.keys() == theirs.keys()
    for name in counts:
        np.testing.assert_array_equal(counts[name], theirs[name], err_msg=name)
    assert events == their_events


def test_inference_in_parts(monkeypatch):
    program = compiled((9, 7), plastic=False)
    shown = stimulus(program, 23, seed=3)
    whole, events = tensor.infer(program, shown)
    monkeypatch.setattr("compiler.backends.tensor.engine.AT_ONCE", 5)
    parts, their_events = tensor.infer(program, shown)
    np.testing.assert_array_equal(whole["layer1"], parts["layer1"])
    assert events == their_events


def test_random_numbers_are_the_same_bits():
    seeds = [0, 1, 2**31, 2**32 - 1]
    ours = rounding.seeds(seeds, torch.device("cpu"))
    for stream, step in ((0, 0), (3, 17), (1 << 16, 2**31 + 5), (2**31, 2**32 - 1)):
        keys = rounding.keys(ours, stream, step)
        words = rounding.words(keys, 50).numpy().view(np.uint32)
        bits = rounding.synapse_bits(keys, 6, 7).numpy()
        for row, seed in enumerate(seeds):
            np.testing.assert_array_equal(words[row], reference.words(seed, stream, step, 50))
            np.testing.assert_array_equal(
                bits[row], reference.synapse_bits(seed, stream, step, 6, 7)
            )


@given(n_pre=st.integers(1, 3000), payload=st.integers(1, 255), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_sums_are_exact_in_the_type_that_is_chosen(n_pre, payload, seed):
    random = np.random.default_rng(seed)
    sent = random.integers(0, payload + 1, (2, 3, n_pre))
    weights = random.integers(100, 128, (2, n_pre, 4))
    kind = exact.number_type(n_pre, payload)
    found = exact.summed(torch.from_numpy(sent), torch.from_numpy(weights).to(kind))
    np.testing.assert_array_equal(found.numpy(), sent @ weights)


def test_a_sum_too_large_for_float32_takes_float64():
    assert exact.number_type(518, 255) is torch.float32
    assert exact.number_type(519, 255) is torch.float64


@given(value=st.integers(0, (1 << 23) - 1))
def test_the_norm_is_a_floor(value):
    import math

    assert int((torch.tensor([value]) << 16).double().sqrt().long()) == math.isqrt(value << 16)


def test_what_is_not_alike_is_refused():
    program, other = compiled((6, 5)), compiled((6, 4))
    shown = stimulus(program, 4)
    with pytest.raises(InputError, match="program 1 differs from the first"):
        tensor.simulate([program, other], [shown, stimulus(other, 4)])
    with pytest.raises(InputError, match="equally long"):
        tensor.simulate([program, program], [shown, stimulus(program, 5)])
    with pytest.raises(InputError, match="give one for each"):
        tensor.simulate([program], [])


@pytest.mark.parametrize("change", [{"input_shift": 23}, {"bias": (-9, 40, 3000, 0, 7)}])
def test_a_membrane_that_saturates_and_one_with_a_bias(change):
    program = compiled((6, 5), plastic=False)
    soma = replace(program.population("layer1").soma, **change)
    program = replace(
        program,
        populations=tuple(
            replace(p, soma=soma) if p.name == "layer1" else p for p in program.populations
        ),
    )
    shown = stimulus(program, 8)
    _, events = tensor.infer(program, shown)
    _, theirs = simulator.infer(program, shown)
    assert events == theirs
    assert (events.populations[1].membrane_clipped > 0) == ("input_shift" in change)


@pytest.mark.parametrize("sides", [(6, 6), (5, 7), (2, 3)])
def test_maps(sides):
    network = conv_network(sides, (2, 5, 3), (1,), steps=5)
    program = compile_network(network, load_target("loihi2-sim")).program
    shown = stimulus(program, 9)
    counts, events = tensor.infer(program, shown)
    theirs, their_events = simulator.infer(program, shown)
    for name in counts:
        np.testing.assert_array_equal(counts[name], theirs[name], err_msg=name)
    assert events == their_events
    for outcome in tensor.simulate([program, program], [shown, shown]):
        assert outcome.events == simulator.simulate(program, shown).events
    assert counts["layer1.pool"].any()


def test_memory_of_inference_is_bounded_by_the_currents_of_a_layer(monkeypatch):
    network = conv_network((6, 6), (2, 5), steps=5)
    program = compile_network(network, load_target("loihi2-sim")).program
    shown = stimulus(program, 7)
    whole, events = tensor.infer(program, shown)
    monkeypatch.setattr("compiler.backends.tensor.engine.CURRENTS", 2 * 5 * 180)
    parts, their_events = tensor.infer(program, shown)
    np.testing.assert_array_equal(whole["layer1"], parts["layer1"])
    assert events == their_events


def test_verify_by_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("clapp_neuro.data.fashion.DEBIAN_FOLDER", tmp_path / "not-there")
    values = {"encoder": {"layers": [20, 12]}, "train": {"batch_size": 16, "steps": 2}}
    clapp_neuro.train(read_experiment(values, "test"), tmp_path / "model.pt")
    bundle = clapp_neuro.compile(tmp_path / "model.pt").path
    found = clapp_neuro.verify(bundle, against="tensor", learn=True, fixations=6)
    assert found.equal and found.fixations == 6 and found.weights_compared > 0
    told = CliRunner().invoke(
        app, ["verify", str(bundle), "--against", "tensor", "--fixations", "3"]
    )
    assert told.exit_code == 0 and "equal: 3 fixations" in told.output
    with pytest.raises(InputError, match="unknown device 'gpu'"):
        clapp_neuro.verify(bundle, against="tensor", device="gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="no CUDA GPU"):
        clapp_neuro.run(bundle, images=2, device="cuda")
    with pytest.raises(InputError, match="runs on the processor"):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        clapp_neuro.run(bundle, images=2, device="cuda", learn=True)
