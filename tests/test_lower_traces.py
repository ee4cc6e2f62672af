"""CLAPP from exponential traces, on a machine whose spikes are binary: lowered, run, compared."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from clapp_neuro.cli import app
from clapp_neuro.errors import InputError
from compiler.backends import lava, simulator, tensor
from compiler.ir import (
    Comparator,
    Compartment,
    LearningRule,
    Modulator,
    Network,
    Neuron,
    Population,
    PreTraces,
    Projection,
    Quantity,
    Schedule,
    Term,
)
from compiler.passes.lowering.consolidation import Consolidation
from compiler.pipeline import compile_network
from compiler.products import decimations
from compiler.program import Product
from compiler.retune import with_interval, with_rate
from compiler.soundness import fault
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.verify import compare
from compiler.worked_examples.rules import worked_example

TARGET = "binary-spikes-sim"
TIMEOUT = 120.0  # of Lava
TRACES = PreTraces(12, 24)
RATE = 2**-11
Z, C, D, RHO, R, RHO_PREVIOUS = (
    Quantity.COUNT,
    Quantity.PREVIOUS_COUNT,
    Quantity.APICAL,
    Quantity.SURROGATE,
    Quantity.RETRO,
    Quantity.PREVIOUS_SURROGATE,
)


def network(sizes=(20, 16, 12), rest=24, traces=TRACES, seed=0, retro=False, rate=RATE):
    random = np.random.default_rng(seed)
    neuron = Neuron(0.9, 1.0)
    populations = [Population("input", sizes[0], 0, spikes=True)]
    projections, comparators = [], []
    for level, size in enumerate(sizes[1:], 1):
        name, below = f"layer{level}", populations[-1]
        populations.append(Population(name, size, level, neuron))
        gate = f"{name}.gate"
        comparators.append(Comparator(gate, name, "saccade", 1.0))
        terms = [Term(rate, Z, (D, RHO), gate)]
        if retro:
            terms.append(Term(rate, C, (R, RHO_PREVIOUS), gate))
        forward = LearningRule("forward", tuple(terms), traces)
        prediction = LearningRule("prediction", (Term(rate, C, (Z,), gate),), traces)
        w = random.normal(0, 1.5 / np.sqrt(below.size), (size, below.size))
        p = random.normal(0, 0.3, (size, size))
        projections += [
            Projection(f"{name}.forward", below.name, name, Compartment.SOMA, w, forward),
            Projection(f"{name}.prediction", name, name, Compartment.APICAL, p, prediction),
        ]
        if retro:
            rule = LearningRule("retrodiction", (Term(rate, Z, (C,), gate),), traces)
            projections.append(
                Projection(f"{name}.retrodiction", name, name, Compartment.RETRO, p, rule)
            )
    return Network(
        tuple(populations),
        tuple(projections),
        Schedule(8, rest),
        tuple(comparators),
        (Modulator("saccade"),),
    )


def compiled(*args, target=TARGET, seed=0, **options):
    return compile_network(network(*args, **options), load_target(target), seed).program


def shown(program, fixations, seed=1):
    random = np.random.default_rng(seed)
    seen = random.integers(0, 256, (fixations, program.populations[0].size)).astype(np.uint8)
    return Stimulus({"input": seen}, {"saccade": random.choice([-1, 1], fixations).astype(np.int8)})


def test_nothing_is_sent_but_spikes_and_the_machine_needs_no_more():
    program = compiled()
    assert fault(program) is None
    assert all(p.messages == () for p in program.populations)
    assert all(gate.serial for gate in program.gates)
    # all synapses learn in one time step, in which their u_k is due
    (step,) = {v.step + p.level + 1 for p in program.populations for v in p.post_values}
    for s in program.synapses:
        assert s.listens == tuple(range(8))
        (k,) = decimations(s.rule)
        assert step % 2**k == 0


@pytest.mark.parametrize("retro", [False, True])
@pytest.mark.parametrize("sizes", [(20, 16), (20, 16, 12), (9, 7, 5, 6)])
def test_simulator_and_tensors_agree_after_every_step(sizes, retro):
    program = compiled(sizes, rest=32, seed=3, retro=retro)
    stimulus = shown(program, 6)
    learned = False
    pairs = zip(simulator.trace(program, stimulus), tensor.trace(program, stimulus), strict=True)
    for ours, theirs in pairs:
        assert ours.scores == theirs.scores
        assert ours.gates == theirs.gates
        kinds = ("spikes", "membrane", "counts", "apical", "retro", "post", "weights", "tags")
        for kind in kinds:
            mine, other = getattr(ours, kind), getattr(theirs, kind)
            assert mine.keys() == other.keys()
            for name, values in mine.items():
                np.testing.assert_array_equal(values, other[name], err_msg=f"{kind} of {name}")
        learned = learned or any(tags[-1].any() for tags in ours.tags.values())
    assert learned


def test_whole_runs_and_their_events_agree():
    program = compiled(seed=5)
    stimulus = shown(program, 30)
    ours, (theirs,) = simulator.simulate(program, stimulus), tensor.simulate([program], [stimulus])
    np.testing.assert_array_equal(ours.scores, theirs.scores)
    for mine, other in zip(ours.program.synapses, theirs.program.synapses, strict=True):
        np.testing.assert_array_equal(mine.weights, other.weights)
        np.testing.assert_array_equal(mine.tags, other.tags)
    assert ours.events == theirs.events
    assert ours.events.projections[1].delivered_operations > 0
    assert ours.events.projections[1].ignored_operations == 0
    for s, seen in zip(program.synapses, ours.events.projections, strict=True):
        assert seen.learning_visits == 30 * 4 * s.weights.size  # due in four steps a fixation
        assert 0 < seen.plastic_updates <= 30 * s.weights.size


def test_dendrites_scores_and_gates_are_what_plain_integers_say():
    program = compiled(seed=2)
    gate = program.gates[0]
    prediction = next(s for s in program.synapses if s.name == "layer1.prediction")
    weights, before = prediction.weights.astype(np.int64), None
    most = 1 << (gate.serial - 1)
    opened = []
    stimulus = shown(program, 12)
    for f, seen in enumerate(simulator.trace(program, stimulus)):
        counts = seen.spikes["layer1"].sum(0).astype(np.int64)
        if before is not None:
            messages = np.clip((counts * before) >> gate.score_shift, -most, most - 1)
            u, y = int(messages.sum()), int(stimulus.signals["saccade"][f])
            assert seen.scores[gate.name] == u
            assert seen.gates[gate.name] == (y if y * u < gate.margin else 0)
            opened.append(seen.gates[gate.name])
        before = weights @ counts
        weights = seen.weights[prediction.name][-1].astype(np.int64)
    assert np.count_nonzero(opened) > 0


def test_carrying_keeps_what_was_learned_and_only_open_gates_learn():
    program = compiled(seed=4)
    sums, still = {}, 0
    for seen in simulator.trace(program, shown(program, 20)):
        for name, weights in seen.weights.items():
            held = 64 * weights[-1].astype(np.int64) + seen.tags[name][-1]
            gate = seen.gates[name.split(".")[0] + ".gate"]
            if name in sums and gate == 0:
                np.testing.assert_array_equal(held, sums[name])
                still += 1
            sums[name] = held
    assert still


@pytest.mark.parametrize("retro", [False, True])
def test_the_chip_learns_what_the_rule_in_real_numbers_says(retro):
    source = network((60, 50, 40), retro=retro, rate=0.8 * RATE if retro else RATE)
    program = compile_network(source, load_target(TARGET), 0).program
    examples = worked_example(source, program)
    assert len(examples) == (6 if retro else 4)
    for example in examples:
        assert example.clipped == 0
        assert example.matrix == pytest.approx(1, abs=0.06), example.projection


def test_it_learns_on_the_larger_machine_as_on_the_smaller_one():
    stimulus = shown(compiled(), 10)
    runs = [simulator.simulate(compiled(target=t), stimulus) for t in (TARGET, "loihi2-sim")]
    for mine, other in zip(*(run.program.synapses for run in runs), strict=True):
        np.testing.assert_array_equal(mine.weights, other.weights)


@pytest.mark.parametrize(
    ("options", "target", "words"),
    [
        ({"rest": 10}, TARGET, "give at least"),
        ({}, "loihi1-sim", "a soma that writes post values"),
        ({"traces": None}, TARGET, "graded spikes"),
    ],
)
def test_what_cannot_be_lowered_is_refused_with_the_remedy(options, target, words):
    with pytest.raises(InputError, match=words):
        compiled(target=target, **options)


def test_graded_spikes_are_not_what_loihi1_lacks():
    with pytest.raises(InputError) as refused:
        compiled(target="loihi1-sim")
    assert "graded" not in str(refused.value)
    assert "third factor" in str(refused.value)


def test_the_least_rest_that_is_asked_for_is_enough():
    with pytest.raises(InputError, match="give at least") as refused:
        compiled(rest=3)
    rest = int(str(refused.value).split("give at least ")[1].split()[0])
    assert fault(compiled(rest=rest)) is None


@pytest.mark.parametrize(
    ("sizes", "retro"), [((6, 5, 4), False), ((9, 7), False), ((7, 6, 5), True)]
)
def test_lava_agrees_after_every_step_of_a_small_network(sizes, retro):
    program = compiled(sizes, seed=7, retro=retro)
    stimulus = shown(program, 6)
    ours = list(tensor.trace(program, stimulus))
    for total in compare(program, ours, lava.trace(program, stimulus, timeout=TIMEOUT)):
        assert total.first_difference is None, str(total.first_difference)
    assert total.fixations == 6 and total.weights_compared > 0
    assert any(seen.gates["layer1.gate"] for seen in ours)


def test_another_consolidation_and_interval_are_refused_by_name():
    program = compiled()
    with pytest.raises(InputError, match="leave consolidation out"):
        compile_network(network(), load_target(TARGET), consolidation=Consolidation("direct"))
    with pytest.raises(InputError, match="interval cannot be chosen"):
        with_interval(program, 4, 9)


def test_halving_the_rate_leaves_the_carry_alone():
    program = with_rate(compiled(), 0.5)
    carries = [v for p in program.populations for v in p.post_values if v.carries]
    assert len(carries) == 2
    assert all((v.multiplier, v.shift) == (32, 0) for v in carries)


def test_a_program_whose_dendrite_is_taken_over_too_late_is_unsound():
    program = compiled()
    layer = program.population("layer1")
    late = replace(layer, post_values=tuple(replace(v, step=24) for v in layer.post_values))
    others = tuple(late if p.name == "layer1" else p for p in program.populations)
    assert "takes over" in str(fault(replace(program, populations=others)))


def test_a_program_that_changes_what_a_dendrite_adds_up_is_unsound():
    program = compiled(retro=True)
    assert fault(program) is None
    carry = Product(0, ("u2", "y3", "sgn(t)"))  # in both of the steps in which synapses learn
    synapses = tuple(
        replace(s, rule=replace(s.rule, dw=(carry,))) if s.name == "layer1.prediction" else s
        for s in program.synapses
    )
    assert "while it adds up" in str(fault(replace(program, synapses=synapses)))


def test_from_preset_to_learned_program_as_a_user_does_it(tmp_path):
    run = CliRunner()

    def command(*arguments):
        result = run.invoke(app, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    model, program, learned = (tmp_path / n for n in ("m.pt", "m.clapp", "l.clapp"))
    command("train", "--preset", "fashion-traces", "--steps", 0, "--out", model)
    shown = command("compile", model, "--target", TARGET, "--out", program)
    assert "from traces" in " ".join(shown.split())
    report = tmp_path / "run.json"
    command("run", program, "--learn", "--images", 3, "--out", learned, "--json", report)
    assert json.loads(report.read_text())
    command("verify", program, "--against", "tensor", "--learn", "--fixations", 2)
    command("energy", program)
