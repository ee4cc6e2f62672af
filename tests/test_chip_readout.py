"""A readout that learns on the chip from one bit of reward: plain integers, engines, files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compiled_program import network
from readout_program import CLASSES, images, readout_network, readout_program

from clapp_neuro.errors import InputError
from clapp_neuro.readouts.reward import RewardReadout
from compiler.backends import lava, tensor
from compiler.backends.simulator import simulate, trace
from compiler.bundle import read_bundle, write_bundle
from compiler.frontends.checkpoint.readout import READOUT, with_readout
from compiler.pipeline import compile_network
from compiler.program import Gate, Program
from compiler.rounding import round_stochastically, words
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.terms import Map
from compiler.trace import FixationTrace
from compiler.verify import Comparison, compare
from compiler.worked_examples.rules import worked_example

TARGET = load_target("loihi2-sim")
CRITIC = f"{READOUT}.critic"


def critic(program: Program) -> Gate:
    return next(g for g in program.gates if g.name == CRITIC)


def plain_fixation(program: Program, gate: Gate, f: int, label: int, seen: FixationTrace) -> int:
    """The class that is named; score, gate and post values are compared on the way."""
    timetable, name = program.timetable, gate.population
    level = program.population(name).level
    began = f * timetable.period + 1 + level
    retro = seen.retro[name].astype(np.int64)
    drawn = words(program.seed, gate.stream, began + gate.sent(timetable.steps), CLASSES)
    scores = retro + drawn % 2**gate.noise - 2 ** (gate.noise - 1)
    named = int(np.argmax(scores))
    known = 0 <= label < CLASSES
    assert seen.gates[gate.name] == ((1 if named == label else -1) if known else 0)
    if known:
        assert seen.scores[gate.name] == scores[label] - max(np.delete(scores, label))
    for value, y in zip(program.population(name).post_values, seen.post[name], strict=True):
        expected = np.zeros(CLASSES, np.int64)
        if known:
            expected[named] = value.reward * (named == label) - retro[named]
        scaled = expected * value.multiplier
        rounded = round_stochastically(
            scaled, value.shift, program.seed, value.stream, began + value.step
        )
        assert y.tolist() == np.clip(value.granularity * rounded, -127, 127).tolist()
    return named


@pytest.mark.parametrize("how", [{}, {"plastic": False}, {"depth": 3}, {"positions": 3}])
def test_the_readout_is_that_of_plain_integers(how: dict) -> None:
    program = readout_program(**how)
    seen = images(program, 60)
    critics = [gate for gate in program.gates if gate.points]
    assert len(critics) == max(1, how.get("positions", 0))
    counted = {gate.population: [0] * CLASSES for gate in critics}
    for f, shown in enumerate(trace(program, seen)):
        for gate in critics:
            label, name = int(seen.signals[gate.modulator][f]), gate.population
            counted[name][plain_fixation(program, gate, f, label, shown)] += 1
            weights = {s.name: shown.weights[s.name] for s in program.arriving[name]}
            collected = sum(
                weights[s.name][s.slots[0] - 1].astype(int) @ shown.counts[s.source]
                for s in program.arriving[name]
            )
            assert shown.retro[name].tolist() == collected.tolist()
    assert all(map(all, counted.values())), "noise names every class now and then"


def test_a_position_learns_while_the_gaze_is_there_alone() -> None:
    program = readout_program(plastic=False, positions=3)
    seen = images(program, 120)
    for name in ("class1", "class3"):
        seen.signals[name][:] = -1
    learned = simulate(program, seen).program
    changed = {s.target for s in learned.synapses if s.tags is not None and s.tags.any()}
    assert changed == {"readout2"}


@pytest.mark.parametrize("how", [{}, {"plastic": False}, {"depth": 3}, {"positions": 3}])
def test_tensors_learn_the_same(how: dict) -> None:
    program = readout_program(**how)
    seen = images(program, 60)
    agrees(program, trace(program, seen), tensor.trace(program, seen))
    ours = simulate(program, seen)
    theirs = tensor.simulate([program], [seen])[0]
    assert theirs.program == ours.program != program
    assert theirs.events == ours.events


@pytest.mark.parametrize("how", [{}, {"plastic": False}, {"plastic": False, "positions": 2}])
def test_lava_learns_the_same(how: dict) -> None:
    program = often(readout_program(**how))
    seen = images(program, 10)
    agrees(program, trace(program, seen), lava.trace(program, seen, timeout=120))


def agrees(program: Program, ours, theirs) -> None:
    total = Comparison()
    for total in compare(program, ours, theirs):
        assert total.first_difference is None, str(total.first_difference)
    assert total.fixations > 0 and total.weights_compared > 0


def often(program: Program) -> Program:
    """Tags are carried every fixation: there is something to collect from the second one on."""
    every = program.timetable.period.bit_length() - 1

    def due(rule):
        def changed(products):
            return tuple(
                replace(p, factors=(f"u{every}", *p.factors[1:])) if p.factors[0][0] == "u" else p
                for p in products
            )

        return replace(rule, dw=changed(rule.dw), dt=changed(rule.dt))

    return replace(
        program,
        synapses=tuple(
            s if s.rule is None else replace(s, rule=due(s.rule)) for s in program.synapses
        ),
    )


def test_one_bit_of_reward_is_enough_to_tell_patterns_apart() -> None:
    program = readout_program(plastic=False)
    seen = images(program, 6000)
    gates = simulate(program, seen).gates[:, -1]
    told = seen.signals["class"] >= 0
    early, late = ((gates[part] > 0)[told[part]].mean() for part in (slice(300), slice(-300, None)))
    assert late > early + 0.15 and late > 1.5 / CLASSES
    lied = images(program, 6000)
    lied.signals["class"][:] = np.random.default_rng(5).permutation(lied.signals["class"])
    misled = simulate(program, lied)
    assert (misled.gates[-300:, -1] > 0).mean() < 1.35 / CLASSES, "labels alone tell nothing"


def test_it_learns_what_the_float_rule_learns() -> None:
    """Without noise and with each update carried at once, on the same counts."""
    program = often(readout_program(plastic=False))
    quiet = replace(program, gates=(replace(critic(program), noise=0),))
    seen = images(quiet, 150, seed=4)
    (rate,) = {2**-8}
    float_ = RewardReadout(8 + 6, CLASSES, np.random.default_rng(0), rate, noise=0.0)
    for f, shown in enumerate(trace(quiet, seen)):
        z = np.concatenate([shown.counts["layer1"], shown.counts["layer2"]]) / 8
        label = int(seen.signals["class"][f])
        if label >= 0:
            float_.learn(z, label)
    learned = simulate(quiet, seen).program
    real = np.concatenate(
        [(s.weights + s.tags / 64) * s.unit for s in learned.arriving[READOUT]], axis=1
    )
    assert np.corrcoef(real.ravel(), float_.weights.ravel())[0, 1] > 0.9
    again = RewardReadout(2, 2, np.random.default_rng(1), rate=0.5, noise=0.0)
    assert again.learn(np.array([1.0, 0.5]), 0)
    assert again.weights.tolist() == [[0.5, 0.25], [0.0, 0.0]]
    assert not again.learn(np.array([1.0, 0.0]), 1)
    assert again.weights.tolist() == [[0.25, 0.25], [0.0, 0.0]]
    assert again.answer(np.array([[1.0, 1.0], [-1.0, 0.0]])).tolist() == [0, 1]


def test_the_rule_in_real_numbers_is_executed() -> None:
    source = readout_network()
    program = compile_network(source, TARGET).program
    examples = {e.projection: e for e in worked_example(source, program)}
    for name in ("readout.layer1", "readout.layer2"):
        example = examples[name]
        assert example.expected > 0 and example.clipped == 0
        assert example.matrix == pytest.approx(1, abs=0.05)


def test_events_and_cores_know_the_readout() -> None:
    compiled = compile_network(readout_network(), TARGET)
    program = compiled.program
    placed = str(compiled.placement.rows())
    assert f"{READOUT}[" in placed and f"{CRITIC}[" in placed
    seen = images(program, 50)
    events = simulate(program, seen).events
    counted = next(g for g in events.gates if g.name == CRITIC)
    told = int((seen.signals["class"] >= 0).sum())
    assert counted.positive + counted.negative == told
    assert counted.listeners == (READOUT,)
    learned = {p.name: p for p in events.projections}["readout.layer2"]
    assert learned.plastic_updates > 0 and learned.delivered_operations > 0


def test_a_file_keeps_it(tmp_path) -> None:
    program = readout_program()
    learned = simulate(program, images(program, 40)).program
    assert read_bundle(write_bundle(tmp_path / "m.clapp", learned)) == (learned, ())


def changed(**changes: object) -> Program:
    program = readout_program()
    gates = tuple(replace(g, **changes) if g.name == CRITIC else g for g in program.gates)
    return replace(program, gates=gates)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (changed(classes=0), "is no critic"),
        (changed(points=False), "which gives none"),
        (changed(after=1), "before readout.layer2 has arrived"),
        (changed(after=30), "before it has arrived at 40"),
        (changed(noise=24), "noise is 24"),
        (changed(stream=-1), "stream is -1"),
    ],
)
def test_what_no_engine_executes_is_named(program: Program, words: str) -> None:
    assert words in (fault(program) or "")


def test_others_do_not_hear_whom_a_critic_points_at() -> None:
    program = readout_program()
    layer = program.population("layer1")
    values = tuple(replace(v, gate=CRITIC) for v in layer.post_values)
    populations = tuple(
        replace(p, post_values=values) if p is layer else p for p in program.populations
    )
    assert "points at others" in (fault(replace(program, populations=populations)) or "")


def test_maps_have_no_readout_yet() -> None:
    source = network((12, 8, 6))
    shape: Map = (2, 2, 2)
    mapped = tuple(replace(p, shape=shape) if p.name == "layer1" else p for p in source.populations)
    with pytest.raises(InputError, match="layer1 is a map"):
        with_readout(replace(source, populations=mapped), CLASSES, 2**-8)


def test_a_learning_rate_that_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match=r"readout\.layer1: the learning rate is too large"):
        readout_program(rate=1.0)
