"""How updates reach the weights: carried, transferred or directly, on every engine alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import clapp_neuro
from clapp_neuro.config import read_experiment
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle
from compiler.products import in_slots
from compiler.soundness import fault
from compiler.worked_examples.held import held

KINDS = ("carry", "transfer", "pair", "direct")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    values = {
        "data": {"dataset": "fashion-mnist", "images": 200},
        "encoder": {"layers": [24, 20]},
        "train": {"mode": "online", "steps": 0},
    }
    path = tmp_path_factory.mktemp("model") / "start.pt"
    clapp_neuro.train(read_experiment(values, "test"), path)
    return path


def compiled(model, tmp_path, **chosen):
    out = tmp_path / "program.clapp"
    result = clapp_neuro.compile(model, out=out, **chosen)
    program, _ = read_bundle(out)
    return program, result


@pytest.mark.parametrize("kind", ["transfer", "direct"])
def test_fast_code_for_slots_equals_the_engine_of_any_sum_of_products(kind, model, tmp_path):
    program, _ = compiled(model, tmp_path, consolidation=kind)
    anywhere = replace(program, synapses=tuple(replace(s, slots=()) for s in program.synapses))
    assert all(in_slots(s) for s in program.synapses)
    assert not any(in_slots(s) for s in anywhere.synapses)
    stimulus = gaze(program, images_of(program, None), 150, seed=1)
    fast, slow = (simulate(some, stimulus) for some in (program, anywhere))
    assert np.array_equal(fast.gates, slow.gates)
    assert fast.gates.any()
    for before, mine, theirs in zip(
        program.synapses, fast.program.synapses, slow.program.synapses, strict=True
    ):
        assert not np.array_equal(mine.weights, before.weights)
        assert np.array_equal(mine.weights, theirs.weights)
        assert np.array_equal(mine.tags, theirs.tags)
    clipped = [sum(p.weight_clipped for p in run.events.projections) for run in (fast, slow)]
    assert clipped[0] == clipped[1]


@pytest.mark.parametrize("against", ["lava", "tensor"])
@pytest.mark.parametrize("kind", ["transfer", "pair", "direct"])
def test_other_engines_learn_the_same(kind, against, model, tmp_path):
    compiled(model, tmp_path, consolidation=kind)
    found = clapp_neuro.verify(
        tmp_path / "program.clapp", against=against, learn=True, fixations=34
    )
    assert (found.mismatches, found.equal) == (0, True)


def test_a_transfer_empties_the_tags_and_a_carry_keeps_the_sum(model, tmp_path):
    every = 8
    kept = {}
    for kind in ("carry", "transfer"):
        program, _ = compiled(model, tmp_path, consolidation=kind, consolidate_every=every)
        stimulus = gaze(program, images_of(program, None), every, seed=1)
        before = simulate(program, stimulus.part(0, every - 1)).program.synapses
        after = simulate(program, stimulus).program.synapses
        kept[kind] = list(zip(before, after, strict=True))
    assert all(s.tags.any() and not t.tags.any() for s, t in kept["transfer"])
    assert all(np.abs(t.tags).max() <= 255 and t.tags.any() for _, t in kept["carry"])


def test_the_interval_is_the_one_that_was_asked_for(model, tmp_path):
    _, result = compiled(model, tmp_path, consolidate_every=4)
    notes = [note.text for note in result.compiled.notes]
    assert any("tags are carried into weights every 4 fixations" in text for text in notes)


def test_shared_rounding_is_another_but_works(model, tmp_path):
    for kind in KINDS:
        program, _ = compiled(model, tmp_path, consolidation=kind)
        stimulus = gaze(program, images_of(program, None), 100, seed=1)
        runs = [simulate(program, stimulus, shared_rounding=shared) for shared in (False, True)]
        own, shared = (held(run.program, program.synapses[0].name)[0] for run in runs)
        assert not np.array_equal(own, shared)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"consolidation": "cary"}, "did you mean 'carry'"),
        ({"consolidation": "pair", "consolidate_every": 0}, "give at least 1"),
        ({"consolidate_every": 24}, "a power of two"),
        ({"consolidate_every": 0}, "give at least 1"),
        ({"consolidate_every": 1024}, "carry more often"),
        ({"consolidation": "direct", "consolidate_every": 8}, "leave the interval out"),
    ],
)
def test_what_cannot_be_is_refused_in_words(chosen, words, model, tmp_path):
    with pytest.raises(InputError, match=words):
        compiled(model, tmp_path, **chosen)
    assert not (tmp_path / "program.clapp").exists()


def test_a_tag_that_no_accumulator_holds_is_refused(model, tmp_path):
    program, _ = compiled(model, tmp_path, consolidation="transfer")
    assert fault(program) is None
    assert "transfers tags of up to 256" in fault(replace(program, tag_max=256))
