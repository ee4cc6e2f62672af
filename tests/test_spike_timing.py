"""Rules of spike times: what they learn on the chip, how they are lowered, and what is refused."""

from __future__ import annotations

import math
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pair_program as pair
import pytest
import spike_timing_program as stdp_program

from clapp_neuro.errors import InputError
from compiler.backends.simulator import simulate, trace
from compiler.ir import Compartment, LearningRule, Network, Quantity, Term
from compiler.ir.spike_timing import PairTerm, Spike, SpikeTimingRule, SpikeTrace
from compiler.local_rules.reward_stdp import reward_stdp
from compiler.local_rules.stdp import stdp
from compiler.pipeline import compile_network
from compiler.products import has_tag
from compiler.program import TAG_UNITS, Program
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.unfinished import Unfinished, from_parts, misfit, to_parts

TARGET = load_target("loihi2-sim")
PLUS, MINUS, TAU_PLUS, TAU_MINUS = 0.002, 0.0024, 4.0, 6.0
COPIES, FIXATIONS = 40, 60


def change(program: Program, stimulus: Stimulus) -> np.ndarray:
    """Mean change of the plastic synapses, in real numbers: weight and, where it carries, tag."""
    learned = simulate(program, stimulus).program
    total = []
    for state in (program, learned):
        s = state.synapses[0]
        assert s.tags is not None and s.rule is not None
        tags = s.tags / TAG_UNITS if "sgn(t)" in str(s.rule.dw[0]) else 0
        total.append((s.weights + tags) * s.unit)
    return np.asarray(total[1] - total[0]).mean(0)


@pytest.mark.parametrize("scale", [1, 8], ids=["learned in the tag", "learned in the weight"])
def test_the_window_is_two_exponentials(scale: int) -> None:
    rule = stdp(scale * PLUS, scale * MINUS, TAU_PLUS, TAU_MINUS)
    program = compile_network(pair.network(rule, COPIES), TARGET, seed=3).program
    learned = program.synapses[0].rule
    assert learned is not None and has_tag(learned) == (scale == 1)
    fixations = FIXATIONS // scale
    seen, expected = [], []
    for post in (4, 7, 11):
        found = change(program, pair.stimulus(post, fixations))
        seen.append(found / fixations)
        for intensity in pair.INTENSITIES:
            after = post + 1 - pair.step_of(intensity)  # steps from the pre- to the post-spike
            grow = scale * PLUS * math.exp(-after / TAU_PLUS) if after >= 0 else 0.0
            shrink = scale * MINUS * math.exp(after / TAU_MINUS) if after <= 0 else 0.0
            expected.append(grow - shrink)
    # rounding is random: the mean over copies and fixations is as exact as its spread allows
    noise = 4 * program.synapses[0].unit / math.sqrt(COPIES * fixations)
    noise /= TAG_UNITS if scale == 1 else 1
    assert np.allclose(np.concatenate(seen), expected, atol=noise + 0.02 * scale * PLUS)
    assert min(expected) < -0.5 * scale * PLUS and max(expected) > 0.5 * scale * PLUS


def test_a_reward_makes_a_weight_of_what_is_eligible() -> None:
    retention, rate = 0.5, 2.0**-6
    rule = reward_stdp(rate, 1.2, TAU_PLUS, TAU_MINUS, retention, "reward")
    program = compile_network(pair.network(rule, COPIES), TARGET, seed=3).program
    rewards = np.array([0, 0, 1, 0, -1, 1])
    found = change(program, pair.stimulus(7, len(rewards), rewards))

    eligibility, weight = 0.0, 0.0
    for reward in rewards:
        eligibility += 1.0
        weight += rate * reward * eligibility
        eligibility *= retention
    expected = []
    for intensity in pair.INTENSITIES:
        after = 8 - pair.step_of(intensity)
        grow = math.exp(-after / TAU_PLUS) if after >= 0 else 0.0
        expected.append(weight * (grow - (1.2 * math.exp(after / TAU_MINUS) if after <= 0 else 0)))
    unit = program.synapses[0].unit
    assert np.allclose(found, expected, atol=4 * unit / math.sqrt(COPIES))
    assert found.max() > 10 * unit / math.sqrt(COPIES)  # far beyond that noise


def test_without_reward_nothing_is_learned() -> None:
    rule = reward_stdp(2.0**-6, 1.2, TAU_PLUS, TAU_MINUS, 0.5, "reward")
    program = compile_network(pair.network(rule), TARGET).program
    assert not change(program, pair.stimulus(7, 10, np.zeros(10))).any()


def test_runs_that_go_on_are_those_that_never_stopped() -> None:
    program = stdp_program.compiled(stdp_program.network())
    stimulus = stdp_program.stimulus(program, 30)
    whole = simulate(program, stimulus)

    first = simulate(program, stimulus.part(0, 11))
    assert first.state.traces.any()
    kept = from_parts(*to_parts(Unfinished(0, 30, first.state)))
    assert misfit(kept, first.program) is None
    second = simulate(first.program, stimulus.part(11, 30), state=kept.state)

    assert second.program.synapses == whole.program.synapses
    assert np.array_equal(second.state.traces, whole.state.traces)
    assert second.events == whole.events


def test_step_by_step_is_the_whole_run() -> None:
    program = stdp_program.compiled(stdp_program.network(rule=stdp_program.REWARDED))
    stimulus = stdp_program.stimulus(program, 12)
    whole = simulate(program, stimulus)
    *_, last = trace(program, stimulus)
    for s in whole.program.synapses:
        assert np.array_equal(last.weights[s.name][-1], s.weights)
        assert np.array_equal(last.tags[s.name][-1], s.tags)


def test_events_of_learning_are_counted() -> None:
    program = stdp_program.compiled(stdp_program.network())
    events = simulate(program, stdp_program.stimulus(program, 20)).events
    for p in events.projections:
        assert 0 < p.plastic_updates == p.learning_visits
        assert p.learning_slots > 0 and p.carries > 0
    assert events.learning.post_writes == 0  # traces are the synapses' own


def test_stdp_alone_fits_loihi_1() -> None:
    """Two factors need neither graded spikes nor a programmable soma; a reward does."""
    assert stdp_program.compiled(stdp_program.network(), target="loihi1-sim").plastic
    with pytest.raises(InputError, match="a third factor sent by another neuron"):
        stdp_program.compiled(stdp_program.network(rule=stdp_program.REWARDED), target="loihi1-sim")


def test_every_loss_is_noted() -> None:
    compiled = compile_network(stdp_program.network(rule=stdp_program.REWARDED), TARGET)
    text = " ".join(str(n) for n in compiled.notes)
    for words in ("time constant", "learning rate within", "eligibility keeps", "rewards layer2"):
        assert words in text


def with_terms(*terms: PairTerm) -> Network:
    return stdp_program.network(rule=SpikeTimingRule("odd", terms))


def graded(source: Network) -> Network:
    input_, *layers = source.populations
    return replace(source, populations=(replace(input_, spikes=False), *layers))


def mapped(source: Network) -> Network:
    *others, last = source.populations
    return replace(source, populations=(*others, replace(last, shape=(last.size, 1, 1))))


def mixed(source: Network) -> Network:
    hebb = LearningRule("hebb", (Term(0.01, Quantity.COUNT, (Quantity.COUNT,)),))
    *first, last = source.projections
    return replace(source, projections=(*first, replace(last, rule=hebb)))


def apical(source: Network) -> Network:
    own = replace(
        source.projections[1],
        name="own",
        source="layer2",
        compartment=Compartment.APICAL,
        weights=np.zeros((6, 6)),
    )
    return replace(source, projections=(*source.projections, own))


PLAIN, TRACE = Spike(), SpikeTrace(5.0)
REFUSED = [
    ("give at least 3", lambda: stdp_program.network(rest=2)),
    ("give at least 5", lambda: stdp_program.network(rest=4, rule=stdp_program.REWARDED)),
    ("a power of two", lambda: stdp_program.network(rest=9, rule=stdp_program.REWARDED)),
    ("at most 512", lambda: stdp_program.network(rest=1016, rule=stdp_program.REWARDED)),
    ("sends no spikes to the soma", lambda: graded(stdp_program.network())),
    ("sends no spikes to the soma", lambda: apical(stdp_program.network())),
    ("a map, which rules of spike times", lambda: mapped(stdp_program.network())),
    ("rules of one kind", lambda: mixed(stdp_program.network())),
    ("a spike and a trace", lambda: with_terms(PairTerm(1, PLAIN, PLAIN))),
    ("a spike and a trace", lambda: with_terms(PairTerm(1, TRACE, TRACE))),
    ("drop a term", lambda: with_terms(*[PairTerm(0.01, TRACE, PLAIN)] * 3)),
    ("no decay of twelve bits", lambda: stdp_program.network(rule=stdp(0.01, 0.01, 1e6, 5.0))),
    ("no decay of twelve bits", lambda: stdp_program.network(rule=stdp(0.01, 0.01, 5.0, -1.0))),
    ("too large", lambda: stdp_program.network(rule=stdp(1e4, 1e4, 5.0, 5.0))),
    ("too small", lambda: stdp_program.network(rule=stdp(1e-12, 1e-12, 5.0, 5.0))),
    ("from 0 to 1", lambda: stdp_program.network(rule=reward_stdp(0.01, 1, 5, 5, 1.5, "reward"))),
    ("no power of two", lambda: stdp_program.network(rule=reward_stdp(0, 1, 5, 5, 0.5, "reward"))),
]  # fmt: skip


@pytest.mark.parametrize(("words", "build"), REFUSED)
def test_what_cannot_be_lowered_is_refused_by_name(words: str, build) -> None:
    with pytest.raises(InputError, match=words) as caught:
        compile_network(build(), TARGET)
    assert len(str(caught.value).splitlines()) == 1


def test_the_example_of_a_rewarded_pair() -> None:
    path = Path(__file__).parents[1] / "examples" / "reward_pair.py"
    example = runpy.run_path(str(path))
    found, expected = example["executed"](), example["EXPECTED"]
    assert expected == pytest.approx(15 * math.exp(-0.4))
    standard_error = found.std() / math.sqrt(len(found))
    assert abs(found.mean() - expected) < 4 * standard_error
    assert found.std() < 0.12 * expected
