"""Any neurons, recurrence, delays and sequences: engines do what the docstrings say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fuzz.recurrent import recurrent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_neurons import presentations
from real_network import RealSoma
from real_network import run as real_run
from recurrent_network import recurrent_with_readout

from clapp_neuro.errors import InputError
from compiler.backends import simulator, tensor
from compiler.bundle import read_bundle, write_bundle
from compiler.events.neurobench import neurobench
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
from compiler.passes.fold import fold
from compiler.passes.placing.lists import list_bytes
from compiler.passes.placing.place import place
from compiler.passes.quantizing.deviation import deviation
from compiler.passes.quantizing.quantize import quantize
from compiler.pipeline import compile_network
from compiler.program import Program, Soma
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.trace import Stimulus

TARGET = load_target("loihi2-sim")


def compiled(network: Network) -> Program:
    return compile_network(network, TARGET).program


def shown(program: Program, fixations: int, seed: int) -> Stimulus:
    """Anything that its inputs may be given, from silence to as much as there may be."""
    random = np.random.default_rng(seed)
    seen = {}
    for p in program.populations:
        if p.soma is None:
            steps = (program.timetable.steps,) if p.sequence else ()
            shape = (fixations, *steps, p.size)
            most = p.sequence or 255
            least = 0 if most in (1, 255) and not p.sequence > 1 else -most
            values = random.integers(least, most + 1, shape)
            share = random.choice([0.0, 0.2, 1.0])
            values = values * (random.random(shape) < share)
            seen[p.name] = values.astype(np.int16 if p.sequence else np.uint8)
    return Stimulus(seen, {})


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(recurrent(), st.integers(0, 2**32 - 1))
def test_the_simulator_does_what_is_written(network: Network, seed: int) -> None:
    try:
        program = compiled(network)
    except InputError:
        return
    assert fault(program) is None
    stimulus = shown(program, 2, seed)
    sums = {}
    for trace, (spikes, potentials, cells) in zip(
        simulator.trace(program, stimulus, learn=False),
        presentations(program, stimulus),
        strict=True,
    ):
        for name, own in spikes.items():
            assert np.array_equal(trace.spikes[name], own > 0), name
            assert np.array_equal(trace.membrane[name], potentials[name]), name
            assert np.array_equal(trace.counts[name], own.sum(0)), name
            for what in ("wrapped", "clipped", "active"):
                total = sum(getattr(cell, what) for cell in cells[name])
                sums[name, what] = sums.get((name, what), 0) + total
            sums[name, "spikes"] = sums.get((name, "spikes"), 0) + own.sum()
    counts, events = simulator.infer(program, stimulus, threads=1)
    others, theirs = tensor.infer(program, stimulus)
    assert events == theirs
    assert all(np.array_equal(counts[name], others[name]) for name in counts)
    for one, other in zip(
        simulator.trace(program, stimulus, learn=False),
        tensor.trace(program, stimulus, learn=False),
        strict=True,
    ):
        for name in one.membrane:
            assert np.array_equal(one.membrane[name], other.membrane[name])
            assert np.array_equal(one.spikes[name], other.spikes[name])
    for p in events.populations:
        if not p.host:
            assert p.spikes == sums[p.name, "spikes"] == counts[p.name].sum()
            assert p.current_wrapped == sums[p.name, "wrapped"]
            assert p.membrane_clipped == sums[p.name, "clipped"]
            assert p.active_updates == sums[p.name, "active"]


def layer(neuron: Neuron, weights: np.ndarray, steps: int, bias: tuple[float, ...] = ()) -> Network:
    """Neurons driven by graded values, given step by step."""
    n, inputs = weights.shape
    return Network(
        (
            Population("input", inputs, 0, scale=1 / 255, sequence=255),
            Population("layer", n, 1, neuron, bias=bias),
        ),
        (Projection("forward", "input", "layer", Compartment.SOMA, weights),),
        Schedule(steps),
    )


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize("current", [None, 0.8])
def test_potentials_stay_within_the_stated_bound_until_spikes_differ(reset, current) -> None:
    random = np.random.default_rng([list(Reset).index(reset), current is None])
    n, inputs, steps = 40, 7, 50
    neuron = Neuron(
        tuple(random.choice([0.0, 0.9, 0.99, 1.0, 0.5, 0.123], n)),
        tuple(random.uniform(0.2, 1.5, n)),
        reset,
        current,
        start=0.1,
    )
    bias = tuple(random.normal(0, 0.05, n))
    source = layer(neuron, random.normal(0.1, 0.4, (n, inputs)), steps, bias)
    folded, _ = fold(source)
    quantized, notes = quantize(folded, 127)
    program = compiled(source)
    given = random.integers(-255, 256, (1, steps, inputs)).astype(np.int16)
    (trace,) = simulator.trace(program, Stimulus({"input": given}, {}), learn=False)
    population, soma = folded.population("layer"), program.population("layer").soma
    unit = quantized.integers["forward"].unit
    bound = deviation(folded, population, quantized.integers, soma, unit).potential
    assert f"within {bound.max():.3g}" in next(
        note.text for note in notes if note.subject == "layer"
    )
    threshold = np.array(neuron.threshold)
    off = np.abs(threshold - np.array(soma.threshold) * program.potential_unit("layer"))
    real, alike = RealSoma(population), np.ones(n, bool)
    for t in range(steps):
        spikes = real.step(folded.projections[0].weights @ given[0, t]) > 0
        near = np.abs(real.before - threshold) <= bound + off
        differ = spikes != trace.spikes["layer"][t]
        assert (near | ~(alike & differ)).all()
        alike &= ~differ
        apart = np.abs(trace.membrane["layer"][t] * program.potential_unit("layer") - real.v)
        assert (apart[alike] <= bound[alike] + 1e-9).all()
    assert trace.spikes["layer"].any() and alike.sum() > n / 2


def test_a_readout_shows_its_potential_within_the_stated_bound() -> None:
    random = np.random.default_rng(3)
    neuron = Neuron((0.95, 1.0, 0.0, 0.3), None, Reset.NONE, current_decay=(0.5, 0.9, 0.0, 1.0))
    source = layer(neuron, random.normal(0, 1, (4, 5)), 60)
    folded, _ = fold(source)
    quantized, _ = quantize(folded, 127)
    program = compiled(source)
    given = random.integers(-255, 256, (3, 60, 5)).astype(np.int16)
    found = simulator.answer(program, Stimulus({"input": given}, {}), keep=("layer",))
    assert not found.spikes
    potentials = found.potentials["layer"] * program.potential_unit("layer")
    wanted = np.stack([real_run(source, shown)["layer"] for shown in given.astype(float)])
    unit = quantized.integers["forward"].unit
    soma = program.population("layer").soma
    bound = deviation(folded, folded.population("layer"), quantized.integers, soma, unit).potential
    assert (np.abs(potentials - wanted) <= bound).all()
    assert np.abs(potentials - wanted).max() < 0.01 * np.abs(wanted).max()


def test_a_decay_of_one_forgets_nothing_and_of_zero_all() -> None:
    weights = np.ones((2, 1))
    program = compiled(layer(Neuron((1.0, 0.0), None, Reset.NONE), weights, 300))
    given = np.zeros((1, 300, 1), np.int16)
    given[0, 0] = 255
    potential = simulator.answer(program, Stimulus({"input": given}, {})).potentials["layer"][0]
    assert (potential[:, 0] == potential[0, 0]).all() and potential[0, 0] > 0
    assert potential[0, 1] == potential[0, 0] and (potential[1:, 1] == 0).all()


def driven(current: int, current_decay: int | None, steps: int = 40) -> Program:
    """One neuron that never spikes, with the integers of a program given by hand."""
    program = compiled(layer(Neuron(1.0, None, Reset.NONE, 1.0), np.ones((1, 1)), steps))
    one = replace(
        program.populations[1],
        soma=Soma(4096, None, Reset.NONE, 0, False, (current,), current_decay),
    )
    program = replace(program, populations=(program.populations[0], one))
    assert fault(program) is None
    return program


@pytest.mark.parametrize("sign", [1, -1])
def test_potentials_are_clipped_and_currents_wrapped_as_on_the_chip_and_counted(sign: int) -> None:
    high = 2**23 - 1
    program = driven(sign * high // 4, None)
    silent = Stimulus({"input": np.zeros((1, 40, 1), np.int16)}, {})
    (trace,) = simulator.trace(program, silent, learn=False)
    potential = trace.membrane["layer"][:, 0]
    assert potential[-1] == sign * high
    _, events = simulator.infer(program, silent)
    assert events.populations[1].membrane_clipped == int((np.abs(potential) == high).sum())

    # a current that nothing takes away grows by 127 * 255 << 6 in every step
    program = compiled(layer(Neuron(0.0, None, Reset.NONE, 1.0), np.ones((1, 1)), 40))
    soma = replace(program.populations[1].soma, input_shift=6)
    one = replace(program.populations[1], soma=soma)
    program = replace(program, populations=(program.populations[0], one))
    strong = Stimulus({"input": np.full((1, 40, 1), sign * 255, np.int16)}, {})
    (trace,) = simulator.trace(program, strong, learn=False)
    exact = sign * np.arange(1, 41) * (127 * 255 << 6)
    wrapped = (exact + 2**23) % 2**24 - 2**23
    assert (trace.membrane["layer"][:, 0] == np.clip(wrapped, -high, high)).all()
    _, events = simulator.infer(program, strong)
    crossings = np.diff((exact + 2**23) // 2**24, prepend=0)
    assert events.populations[1].current_wrapped == np.abs(crossings).sum() > 0


def test_events_are_those_that_the_spikes_cause() -> None:
    """Operations of what each projection hears; graded ones apart; a readout has no spikes."""
    network = recurrent_with_readout()
    program = compiled(network)
    stimulus = shown(program, 3, 11)
    counts, events = simulator.infer(program, stimulus)
    spikes = {name: int(seen.sum()) for name, seen in counts.items()}
    spikes["input"] = int(np.count_nonzero(stimulus.intensities["input"]))
    fan_out = {"dense.in": 5, "dense.itself": 1, "back": 18, "skip": 2, "readout.in": 2}
    happened = {s.name: s for s in events.projections}
    for name, each in fan_out.items():
        s = happened[name]
        assert s.forward_operations == spikes[s.source] * each > 0
        assert s.graded_operations == 0
    kernels = happened["map.in"]
    assert kernels.graded_operations == kernels.forward_operations > spikes["input"]
    metrics = neurobench(program, events)
    chances = 3 * program.timetable.steps * (18 + 5)
    told = 1 - (spikes["map"] + spikes["dense"]) / chances
    assert metrics["activation_sparsity"] == pytest.approx(told)
    assert metrics["synaptic_operations"]["Effective_MACs"] > 0
    placement = place(program, TARGET)
    assert {s.population for core in placement.cores for s in core.slices} == {
        "map", "dense", "readout",
    }  # fmt: skip


def test_what_a_machine_lacks_is_named() -> None:
    random = np.random.default_rng(5)
    source = layer(Neuron(0.9, 1.0, Reset.CLEAR), random.normal(0, 1, (4, 3)), 10)
    with pytest.raises(InputError) as caught:
        compile_network(source, load_target("loihi1-sim"))
    assert "layer: needs a soma that resets by 'clear'" in str(caught.value)
    assert "input: needs graded spikes (values given step by step)" in str(caught.value)
    again = Projection("again", "layer", "layer", Compartment.SOMA, np.eye(4), delay=64)
    far = replace(source, projections=(*source.projections, again))
    with pytest.raises(
        InputError, match=r"again: delay \(limit not public\) 63 exceeds 62 steps by 1"
    ):
        compiled(far)


def test_a_delay_takes_memory_with_every_synapse() -> None:
    """Where a machine has no room for it anyway: 3 bits for 5 steps in the axon."""

    def memory(delay: int) -> int:
        source = layer(Neuron(0.9, 1.0), np.ones((40, 3)), 20)
        again = np.ones((40, 40))
        own = Projection("again", "layer", "layer", Compartment.SOMA, again, delay=delay)
        program = compiled(replace(source, projections=(*source.projections, own)))
        return sum(c.total("memory_bytes") for c in place(program, TARGET).cores)

    limits = TARGET.machine.limits
    more = list_bytes(40, 8 + 3, limits) - list_bytes(40, 8, limits)
    assert memory(6) - memory(1) == 40 * more > 0


def test_a_compiled_file_holds_all_of_it(tmp_path) -> None:
    random = np.random.default_rng(6)
    neuron = Neuron((0.5, 0.9, 1.0), (0.5, 1.0, 2.0), Reset.SUBTRACT_ONCE, 0.7, 0.2)
    source = layer(neuron, random.normal(0, 1, (3, 2)), 300)
    again = Projection(
        "again", "layer", "layer", Compartment.SOMA, random.normal(0, 1, 3),
        connection=Connection.ONE_TO_ONE, delay=2,
    )  # fmt: skip
    program = compiled(replace(source, projections=(*source.projections, again)))
    read, _ = read_bundle(write_bundle(tmp_path / "model.clapp", program))
    assert read == program
    counts, _ = simulator.infer(read, shown(read, 2, 1))
    assert counts["layer"].dtype == np.uint32  # 300 steps do not fit 8 bits


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((1, 10, 4)), "the sequence of input is float64: give integers"),
        (np.full((1, 10, 3), 256), "has values from 0 to 256, not -255 to 255"),
        (np.zeros((1, 9, 3), int), r"have the shape \(1, 9, 3\), not \(1, 10, 3\)"),
    ],
)
def test_sequences_that_do_not_fit_are_refused(given: np.ndarray, words: str) -> None:
    program = compiled(layer(Neuron(0.9, 1.0), np.ones((2, 3)), 10))
    given = given[:, :, :3]
    for engine in (simulator, tensor):
        with pytest.raises(InputError, match=words):
            engine.infer(program, Stimulus({"input": given}, {}))
