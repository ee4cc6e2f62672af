"""Bounds that the compiler states beforehand: no execution of integers ever exceeds one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from fuzz.networks import dense, maps
from fuzz.recurrent import recurrent
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_neurons import layer, shown

from clapp_neuro.errors import InputError
from compiler.backends import tensor
from compiler.ir import (
    Compartment,
    Connection,
    Network,
    Neuron,
    Population,
    Projection,
    Reset,
    Schedule,
)
from compiler.passes.quantizing.deviation import deviation
from compiler.passes.quantizing.quantize import Quantized
from compiler.pipeline import Compiled, compile_network
from compiler.precision import measure
from compiler.program import Soma
from compiler.real_numbers.network import RealNetwork
from compiler.targets import load_target
from compiler.terms import Geometry
from compiler.trace import FixationTrace, Stimulus

TARGET = load_target("loihi2-sim")
PROPERTY = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def stated(quantized: Quantized, name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """(N,) both bounds of a population, and the unit of its potential."""
    soma, population = quantized.somas[name], quantized.network.population(name)
    assert isinstance(soma, Soma)
    (found,) = (found for found in quantized.layers if found.population == name)
    bound = deviation(quantized.network, population, quantized.integers, soma, found.unit)
    return bound.potential, bound.threshold, found.unit / 2**soma.input_shift


def spikes_of(traces: Iterable[FixationTrace]) -> dict[str, np.ndarray]:
    """By population bool (F, T, N)."""
    found = [trace.spikes for trace in traces]
    return {name: np.stack([spikes[name] for spikes in found]) for name in found[0]}


def nothing_is_cut(compiled: Compiled, stimulus: Stimulus) -> bool:
    _, events = tensor.infer(compiled.program, stimulus)
    cut = sum(p.membrane_clipped + p.current_wrapped for p in events.populations if not p.host)
    return cut == 0


@PROPERTY
@given(recurrent() | dense() | maps(), st.integers(0, 2**32 - 1))
def test_no_execution_exceeds_what_was_stated(network: Network, seed: int) -> None:
    try:
        compiled = compile_network(network, TARGET)
    except InputError:
        return
    silent = np.zeros(3, np.int8)
    signals = dict.fromkeys(compiled.program.modulators, silent)
    stimulus = replace(shown(compiled.program, 3, seed), signals=signals)
    assume(nothing_is_cut(compiled, stimulus))
    traces = list(tensor.trace(compiled.program, stimulus, learn=False))
    spiking = spikes_of(traces)
    measured = measure(compiled.quantized, stimulus.intensities, spiking)
    real = RealNetwork(compiled.quantized.network, stimulus.intensities)
    bounds = {name: stated(compiled.quantized, name) for name in real.cells}
    alike = np.ones(stimulus.fixations, bool)
    for step in real.steps():
        for name, cells in real.cells.items():
            potential, threshold, unit = bounds[name]
            whole = np.stack([t.membrane[name][step] for t in traces]) * unit
            differ = spiking[name][:, step] != cells.spikes
            certain = (measured.certain_steps > step)[:, None]
            assert not (differ & certain).any(), (name, step)
            apart = np.abs(whole - cells.v)
            allowed = potential + 1e-9 * (1 + np.abs(cells.v))
            assert (apart <= allowed)[np.broadcast_to(certain, apart.shape)].all(), (name, step)
            if cells.of.threshold is not None:
                asked = np.abs(cells.before - cells.of.threshold)
                if cells.of.reset is Reset.SUBTRACT_ONCE:
                    asked = np.minimum(asked, np.abs(cells.last_v - cells.of.threshold))
                near = asked <= threshold + 1e-9 * (1 + cells.of.threshold)
                assert not (differ & ~near)[alike].any(), (name, step)
            alike = alike & ~differ.any(1)


@pytest.mark.parametrize("reset", list(Reset))
def test_a_bound_on_samples_is_tighter_and_says_which_spikes_are_certain(reset: Reset) -> None:
    random = np.random.default_rng(list(Reset).index(reset))
    weights = random.normal(0.03, 0.1, (30, 100))
    source = layer(Neuron(0.9, 1.0, reset), weights, 20)
    compiled = compile_network(source, TARGET)
    sent = random.integers(0, 256, (40, 20, 100)) * (random.random((40, 20, 100)) < 0.2)
    stimulus = Stimulus({"input": sent.astype(np.int16)}, {})
    assert nothing_is_cut(compiled, stimulus)
    executed = spikes_of(tensor.trace(compiled.program, stimulus, learn=False))
    measured = measure(compiled.quantized, stimulus.intensities, executed)
    found = measured.layers["layer"]
    assert found.asked == 40 * 20 * 30 and found.real > 0
    assert found.executed == executed["layer"].sum()
    assert 0 < found.near < 0.05 * found.asked
    assert measured.certain_steps.max() > 0 and measured.certain < measured.samples
    (stated_layer,) = compiled.quantized.layers
    assert stated_layer.threshold_distance > 0


def test_rounding_that_changes_nothing_leaves_no_doubt() -> None:
    weights = np.random.default_rng(0).integers(-127, 128, (6, 9)) / 127
    weights[0, 0] = 1.0
    source = layer(Neuron(1.0, 0.3001, Reset.SUBTRACT), weights, 8)
    compiled = compile_network(source, TARGET)
    (found,) = compiled.quantized.layers
    assert found.potential < 0.01 and found.in_thresholds < 0.01
    ones = Stimulus({"input": np.full((2, 8, 9), 255, np.int16)}, {})
    spikes = spikes_of(tensor.trace(compiled.program, ones, learn=False))
    measured = measure(compiled.quantized, ones.intensities, spikes)
    assert measured.layers["layer"].differing == 0


def test_strides_dilations_and_groups_are_certain_up_to_where_they_differ() -> None:
    random = np.random.default_rng(0)
    first = Geometry(stride=(2, 2), padding=(1, 1))
    second = Geometry(padding=(2, 2), dilation=(2, 2), groups=2)
    maps = ((2, 9, 9), (4, 5, 5), (4, 5, 7))
    neurons = (None, Neuron(0.9, 0.5, Reset.SUBTRACT), Neuron(0.8, 0.3, Reset.ZERO))
    populations = tuple(
        Population(f"map{n}", int(np.prod(shape)), n, neurons[n], shape=shape, sequence=int(n == 0))
        for n, shape in enumerate(maps)
    )
    kernels = random.normal(0.05, 0.3, (4, 2, 3, 3)), random.normal(0.05, 0.3, (4, 2, 3, 2))
    network = Network(
        populations,
        tuple(
            Projection(
                *(f"onto{n}", f"map{n - 1}", f"map{n}", Compartment.SOMA, kernels[n - 1]),
                connection=Connection.CONVOLUTION,
                geometry=geometry,
            )
            for n, geometry in ((1, first), (2, second))
        ),
        Schedule(12),
    )
    compiled = compile_network(network, TARGET)
    sent = (random.random((20, 12, 2 * 9 * 9)) < 0.4).astype(np.int16)
    stimulus = Stimulus({"map0": sent}, {})
    assert nothing_is_cut(compiled, stimulus)
    executed = spikes_of(tensor.trace(compiled.program, stimulus, learn=False))
    measured = measure(compiled.quantized, stimulus.intensities, executed)
    real = RealNetwork(compiled.quantized.network, stimulus.intensities)
    for step in real.steps():
        certain = measured.certain_steps > step
        for name, cells in real.cells.items():
            assert np.array_equal(cells.spikes[certain], executed[name][certain, step])
    assert measured.certain_steps.max() > 3
    assert all(layer.differing < 0.02 * layer.asked for layer in measured.layers.values())
