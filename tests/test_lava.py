"""Lava runs compiled programs, equal to the simulator to the bit, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from compiled_program import compiled

from clapp_neuro.errors import InputError
from compiler.backends import lava
from compiler.backends.lava import supervise
from compiler.backends.lava.job import Job, Task
from compiler.backends.lava.soma import Neurons, NeuronState
from compiler.backends.simulator import simulate
from compiler.backends.simulator import trace as simulator_trace
from compiler.ir import (
    Comparator,
    Compartment,
    LearningRule,
    Modulator,
    Network,
    Neuron,
    Population,
    Projection,
    Quantity,
    Schedule,
    Term,
)
from compiler.local_rules.clapp import forward, prediction, retrodiction
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import schedule
from compiler.passes.quantizing.quantize import quantize
from compiler.program import Message, Product, Program, Soma, SumOfProducts
from compiler.trace import FixationTrace, Stimulus

FIXATIONS = 10
TIMEOUT = 60.0


def random_network(seed: int) -> Network:
    """One to three levels of 1 to 10 neurons, two inputs, plastic and static projections mixed.

    Layers learn by CLAPP, by a rule that a modulator gates directly, or not at all.
    """
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 11, 2 + random.integers(1, 4))
    populations = [Population(f"input{i}", int(sizes[i]), 0, scale=1 / 255) for i in range(2)]
    projections: list[Projection] = []
    comparators = []
    below = populations[:]

    def project(
        source: Population, target: Population, end: Compartment, rule: LearningRule | None
    ) -> None:
        weights = random.normal(0.1, 0.8, (target.size, source.size)) / np.sqrt(source.size)
        name = f"{target.name}.{end.value}.{source.name}"
        projections.append(Projection(name, source.name, target.name, end, weights, rule))

    for level, size in enumerate(sizes[2:], 1):
        neuron = Neuron(random.choice([0.5, 0.9, 1.0]), 0.5, random.choice(["subtract", "zero"]))
        layer = Population(f"layer{level}", int(size), level, neuron)
        kind = random.choice(["clapp", "clapp", "modulated", "static"])
        rate = 2.0**-7
        rule = None
        if kind == "clapp":
            gate = f"gate{level}"
            rule = forward(rate, gate)
            project(layer, layer, Compartment.APICAL, prediction(rate, gate))
            project(layer, layer, Compartment.RETRO, retrodiction(rate, gate))
            comparators.append(Comparator(gate, layer.name, "saccade", 0.5))
        elif kind == "modulated":
            hebbian = Term(rate, Quantity.COUNT, (Quantity.PREVIOUS_COUNT,), "reward")
            decay = Term(-rate / 4, Quantity.PREVIOUS_COUNT, (Quantity.PREVIOUS_SURROGATE,))
            rule = LearningRule("modulated", (hebbian, decay))
        for i, source in enumerate(below):
            project(source, layer, Compartment.SOMA, rule if i == 0 else None)
        populations.append(layer)
        below = [layer]
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(int(random.choice([3, 4, 8]))),
        tuple(comparators),
        (Modulator("saccade"), Modulator("reward")),
    )


def lowered(network: Network, seed: int) -> Program:
    """The network's program, with whole units carried in every second fixation."""
    quantized, _ = quantize(network, 127)
    program, _ = lower_learning(
        quantized, schedule(network), target="loihi2-sim", seed=seed, weight_max=127, tag_max=255
    )
    return carrying_often(program)


def carrying_often(program: Program) -> Program:
    u = f"u{program.timetable.period.bit_length()}"

    def often(products: tuple[Product, ...]) -> tuple[Product, ...]:
        return tuple(
            replace(p, factors=tuple(u if f.startswith("u") else f for f in p.factors))
            for p in products
        )

    return replace(
        program,
        synapses=tuple(
            replace(s, rule=SumOfProducts(often(s.rule.dw), often(s.rule.dt))) if s.rule else s
            for s in program.synapses
        ),
    )


def random_stimulus(program: Program, seed: int, fixations: int = FIXATIONS) -> Stimulus:
    """Sparse intensities, and labels that are 0 at first."""
    random = np.random.default_rng(seed)
    intensities = {}
    for p in program.populations:
        if p.soma is None:
            shown = random.random((fixations, p.size)) < 0.6
            grey = random.integers(0, 256, (fixations, p.size)) * shown
            intensities[p.name] = grey.astype(np.uint8)
    signals = {m: random.choice([-1, 1], fixations).astype(np.int8) for m in program.modulators}
    for labels in signals.values():
        labels[0] = 0
    return Stimulus(intensities, signals)


def differences(mine: FixationTrace, theirs: FixationTrace) -> Iterator[str]:
    """What differs between two engines in one fixation, by name."""
    for part in fields(FixationTrace):
        a, b = getattr(mine, part.name), getattr(theirs, part.name)
        if not isinstance(a, dict):
            if a != b:
                yield part.name
            continue
        if a.keys() != b.keys():
            yield f"{part.name}: {sorted(a)} and {sorted(b)}"
        for name in a.keys() & b.keys():
            x, y = np.asarray(a[name]), np.asarray(b[name])
            if x.shape != y.shape or not np.array_equal(x, y):
                yield f"fixation {mine.fixation}: {part.name} of {name}"
            elif x.dtype != y.dtype:
                yield f"{part.name} of {name}: {x.dtype} and {y.dtype}"


def compare(program: Program, stimulus: Stimulus, learn: bool, guarded: bool = False) -> int:
    """Requires both engines to agree at every step; returns the number of fixations."""
    theirs = simulator_trace(program, stimulus, learn)
    mine = lava.trace(program, stimulus, learn, TIMEOUT, guarded)
    seen = 0
    for a, b in zip(mine, theirs, strict=True):
        assert list(differences(a, b)) == []
        seen += 1
    return seen


@pytest.mark.parametrize("seed", [0, 3, 4, 7, 8, 10, 11, 12])
def test_random_networks_equal_the_simulator_at_every_step(seed: int) -> None:
    program = lowered(random_network(seed), seed)
    stimulus = random_stimulus(program, seed)
    assert compare(program, stimulus, learn=True, guarded=seed % 2 == 1) == FIXATIONS


@pytest.mark.parametrize("seed", [0, 3])
def test_inference_equals_the_simulator_at_every_step(seed: int) -> None:
    program = lowered(random_network(seed), seed)
    assert compare(program, random_stimulus(program, seed), learn=False) == FIXATIONS


def test_static_program_is_pipelined_through_its_levels() -> None:
    program = compiled((5, 4, 4, 3, 3), steps=2, plastic=False)
    assert program.timetable.period < len(program.populations)
    assert compare(program, random_stimulus(program, 1), learn=False) == FIXATIONS


@pytest.mark.parametrize(("seed", "guarded"), [(6, False), (13, True), (15, True)])
def test_learned_weights_equal_the_simulator_after_many_fixations(seed: int, guarded: bool) -> None:
    program = lowered(random_network(seed), seed)
    stimulus = random_stimulus(program, seed, fixations=60)
    outcome = lava.run(program, stimulus, timeout=TIMEOUT, guarded=guarded)
    expected = simulate(program, stimulus)
    assert outcome.program == expected.program
    assert np.array_equal(outcome.scores, expected.scores)
    assert np.array_equal(outcome.gates, expected.gates)
    assert all(counts.shape[0] == 60 for counts in outcome.counts.values())
    moved = sum(
        int((a.weights != b.weights).sum())
        for a, b in zip(outcome.program.synapses, program.synapses, strict=True)
    )
    assert moved > 20


def test_static_run_returns_counts_and_the_program_unchanged() -> None:
    program = compiled((12, 8, 6), steps=8)
    stimulus = random_stimulus(program, 2, fixations=3)
    outcome = lava.run(program, stimulus, learn=False, timeout=TIMEOUT)
    assert outcome.program == program
    assert outcome.scores.shape == (3, 0)
    for seen, expected in zip(
        range(3), simulator_trace(program, stimulus, learn=False), strict=True
    ):
        for name, counts in expected.counts.items():
            assert np.array_equal(outcome.counts[name][seen], counts)


def test_population_without_any_projection_still_runs() -> None:
    program = compiled((6, 4), steps=4, plastic=False)
    lonely = replace(program.populations[1], name="lonely")
    program = replace(program, populations=(*program.populations, lonely))
    assert compare(program, random_stimulus(program, 1, 2), learn=False) == 2


def test_throughput_is_measured_without_the_building_time() -> None:
    program = compiled((12, 8), steps=8)
    stimulus = random_stimulus(program, 1, fixations=4)
    for measured in (
        partial(lava.static_step_seconds, program, stimulus),
        partial(lava.plastic_step_seconds, program, stimulus, guarded=True),
    ):
        start = time.perf_counter()
        seconds = measured()
        assert 0 < seconds * (4 * 8) < time.perf_counter() - start


def processes_of(session: int) -> list[str]:
    """Living processes of a session (zombies have ended)."""
    listed = subprocess.run(
        ["ps", "-eo", "sess=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [row[2] for row in rows if row[0] == str(session) and not row[1].startswith("Z")]


def shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return set(os.listdir(folder)) if folder.is_dir() else set()


def in_use(names: set[str]) -> set[str]:
    """Segments that living processes have mapped: those of other runs on this machine."""
    mapped: set[str] = set()
    for maps in Path("/proc").glob("[0-9]*/maps") if names else ():
        try:
            text = maps.read_text()
        except OSError:  # the process has ended, or is somebody else's
            continue
        mapped |= {name for name in names if name in text}
    return mapped


@pytest.fixture
def worker_sessions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sessions of the workers that a test starts."""
    sessions = []
    start = subprocess.Popen

    def popen(*args: object, **options: object) -> subprocess.Popen[bytes]:
        worker = start(*args, **options)  # type: ignore[call-overload]
        if options.get("start_new_session"):
            sessions.append(worker.pid)
        return worker

    monkeypatch.setattr(subprocess, "Popen", popen)
    return sessions


def require_gone(sessions: list[int], memory: set[str]) -> None:
    assert len(sessions) == 1
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = processes_of(sessions[0])
        new = {name for name in shared_memory() - memory if name.startswith("psm_")}
        kept = new - in_use(new)
        if not left and not kept:
            return
        time.sleep(0.1)
    raise AssertionError(f"left behind: {left}, {kept}")


def test_the_time_limit_ends_all_processes(worker_sessions: list[int]) -> None:
    program = compiled((12, 8, 6), steps=8)
    stimulus = random_stimulus(program, 1, fixations=100_000)
    memory = shared_memory()
    started = time.monotonic()
    with pytest.raises(lava.LavaTimeoutError, match="did not finish within 4 s"):
        lava.run(program, stimulus, timeout=4)
    assert time.monotonic() - started < 10
    require_gone(worker_sessions, memory)


def test_closing_a_trace_early_ends_all_processes(worker_sessions: list[int]) -> None:
    program = compiled((12, 8, 6), steps=8)
    memory = shared_memory()
    fixations = lava.trace(program, random_stimulus(program, 1, fixations=1000), timeout=TIMEOUT)
    next(fixations)
    assert processes_of(worker_sessions[0])
    fixations.close()  # type: ignore[attr-defined]
    require_gone(worker_sessions, memory)


def test_keyboard_interrupt_ends_all_processes(worker_sessions: list[int]) -> None:
    program = compiled((12, 8, 6), steps=8)
    memory = shared_memory()
    with pytest.raises(KeyboardInterrupt):
        for _ in lava.trace(program, random_stimulus(program, 1, 1000), timeout=TIMEOUT):
            raise KeyboardInterrupt
    require_gone(worker_sessions, memory)


def broken(program: Program, **changes: object) -> Program:
    """The program with its first LIF population changed."""
    return replace(
        program,
        populations=tuple(
            replace(p, **changes) if p.name == "layer1" else p  # type: ignore[arg-type]
            for p in program.populations
        ),
    )


def test_a_process_that_fails_while_running_ends_the_run_at_once(
    worker_sessions: list[int],
) -> None:
    program = compiled((12, 8), steps=8)
    soma = program.population("layer1").soma
    assert soma is not None
    program = broken(program, soma=replace(soma, input_shift="six"))  # type: ignore[arg-type]
    job = Job(Task.RUN, program, random_stimulus(program, 1, 4), learn=False, guarded=False)
    memory, started = shared_memory(), time.monotonic()
    with pytest.raises(lava.LavaError, match="TypeError"):
        list(supervise.answers(job, timeout=30))
    assert time.monotonic() - started < 15
    require_gone(worker_sessions, memory)


def test_a_process_that_fails_while_it_is_built_ends_the_run_at_once(
    worker_sessions: list[int],
) -> None:
    program = broken(compiled((12, 8), steps=8), messages=None)
    job = Job(Task.RUN, program, random_stimulus(program, 1, 4), learn=True, guarded=False)
    memory, started = shared_memory(), time.monotonic()
    with pytest.raises(lava.LavaError, match="not iterable"):
        list(supervise.answers(job, timeout=30))
    assert time.monotonic() - started < 15
    require_gone(worker_sessions, memory)


def carrying_every(program: Program, k: int) -> Program:
    synapses = program.synapses[0]
    assert synapses.rule is not None
    accumulate, back = synapses.rule.dt
    carry = replace(synapses.rule.dw[0], factors=(f"u{k}", "sgn(t)"))
    rule = SumOfProducts((carry,), (accumulate, replace(back, factors=carry.factors)))
    return replace(program, synapses=(replace(synapses, rule=rule), *program.synapses[1:]))


def test_what_lava_cannot_express_is_refused_by_name() -> None:
    program = compiled((12, 8), steps=8)
    stimulus = random_stimulus(program, 1)
    first = program.synapses[0]
    cases = {
        r"learns every 2\^12 steps": carrying_every(program, 12),
        "tags up to 300": replace(program, tag_max=300),
        "weights up to 255": replace(program, weight_max=255),
        "layer1 sends a message at tau 2": broken(
            program, messages=(Message(2, Quantity.COUNT, 0, 1),)
        ),
        "period of 12 steps": replace(program, timetable=replace(program.timetable, period=12)),
        f"{first.name} learns at tau 2": replace(
            program, synapses=(replace(first, slots=(2,)), *program.synapses[1:])
        ),
    }
    for message, refused in cases.items():
        with pytest.raises(InputError, match=message):
            lava.run(refused, stimulus, timeout=TIMEOUT)


def test_missing_input_is_refused_by_name() -> None:
    program = compiled((12, 8), steps=8)
    stimulus = random_stimulus(program, 1)
    with pytest.raises(InputError, match=r"intensities of shape \(F, 12\) for input"):
        lava.run(program, Stimulus({}, stimulus.signals))
    with pytest.raises(InputError, match="one value of 'saccade' a fixation"):
        lava.run(program, Stimulus(stimulus.intensities, {}))


@pytest.mark.parametrize(("reset", "after"), [("subtract", 14), ("zero", 8)])
def test_soma_resets_one_step_after_the_spike(reset: str, after: int) -> None:
    state = NeuronState(1, steps=3)
    soma = Soma(decay=4096, threshold=10, reset=reset, input_shift=1, latched=False)
    seen = []
    for _ in range(3):
        state.integrate(Neurons(soma, (1, 1, 1)), np.array([4]))
        seen.append(int(state.membrane[0]))
    assert seen == [8, 16, after]  # 16 spikes; then 16 - 10 + 8, or 0 + 8
    assert state.count[0] == (2 if reset == "subtract" else 1)
