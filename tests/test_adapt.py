"""The world changes, and the chip goes on learning: changes, settings, the verb, the command."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import clapp_neuro
from clapp_neuro.checkpoint import load_checkpoint, save_checkpoint
from clapp_neuro.cli import main
from clapp_neuro.config import read_experiment
from clapp_neuro.data.drift import DRIFTS, worlds
from clapp_neuro.data.fashion import load_shipped
from clapp_neuro.data.images import ImageSet
from clapp_neuro.errors import InputError
from clapp_neuro.verbs.adapt import Setting
from clapp_neuro.verbs.adaptation import Accuracy, accuracy, fitted, judge, learn_on
from clapp_neuro.verbs.sight import gaze, images_of
from compiler.backends.simulator import simulate
from compiler.bundle import read_bundle
from compiler.retune import with_interval, with_margin, with_rate
from compiler.soundness import fault


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    values = {
        "data": {"dataset": "fashion-mnist", "images": 400},
        "encoder": {"layers": [24, 20]},
        "train": {"mode": "online", "steps": 0},
    }
    path = tmp_path_factory.mktemp("model") / "start.pt"
    clapp_neuro.train(read_experiment(values, "test"), path)
    clapp_neuro.compile(path)
    return path


@pytest.fixture(scope="module")
def bundle(model):
    return model.with_suffix(".clapp")


def test_changes_are_what_their_names_say():
    images = load_shipped()
    changed = {name: worlds(images, name, seed=3) for name in DRIFTS}
    first = images.test_images[0].astype(int)
    seen = {name: new.test_images[0].astype(int) for name, (_, new) in changed.items()}
    assert np.array_equal(np.rot90(first), seen["rotate90"])
    assert np.array_equal(first // 4, seen["dim"])
    assert np.array_equal(255 - first, seen["invert"])
    again = worlds(images, "noise", seed=3)[1].test_images[0]
    assert np.array_equal(again, seen["noise"])
    assert 20 < (seen["noise"] - first).std() < 64
    old, new = changed["new-classes"]
    assert set(old.train_labels) == set(range(5))
    assert set(new.test_labels) == set(range(5, 10))
    for name in ("rotate90", "dim", "noise", "invert"):
        assert changed[name][0] is images
        assert np.array_equal(changed[name][1].train_labels, images.train_labels)


def test_a_smaller_margin_closes_gates_and_a_higher_rate_changes_more(bundle):
    program, _ = read_bundle(bundle)
    stimulus = gaze(program, images_of(program, None), 300, seed=1)

    def learned(some):
        assert fault(some) is None
        result = simulate(some, stimulus)
        moved = sum(
            np.abs(64 * (a.weights.astype(int) - b.weights) + a.tags - b.tags).sum()
            for a, b in zip(result.program.synapses, some.synapses, strict=True)
        )
        return (result.gates != 0).mean(), moved

    opened, moved = learned(program)
    assert learned(with_margin(program, 0.1))[0] < opened
    assert (
        learned(with_rate(program, 1 / 8))[1]
        < 0.6 * moved
        < 0.6 * learned(with_rate(program, 4))[1]
    )
    often = with_interval(program, 2, longest=9)
    assert fault(often) is None
    assert (
        simulate(often, stimulus).events.learning.carry_visits
        > 8 * simulate(program, stimulus).events.learning.carry_visits
    )
    assert with_interval(program, 32, longest=9) == program
    assert with_margin(program, 1.0) == program == with_rate(program, 1.0)
    assert with_rate(with_rate(program, 0.25), 4.0) == program


def test_the_verb_measures_both_worlds(bundle, model, tmp_path):
    found = clapp_neuro.adapt(
        bundle,
        drift="dim",
        images=60,
        before=20,
        settings=(Setting(), Setting(0.5, 2.0)),
        looks=2,
        train_images=200,
        model=model,
        figure=tmp_path / "courses.png",
    )
    assert found.layers == ("layer1", "layer2")
    assert len(found.courses) == 2
    frozen = found.frozen
    for course in found.courses:
        assert [look.fixations for look in course.looks] == [270, 540]
        assert all(np.shape(look.gate) == (2,) for look in course.looks)
        assert all(0 <= look.clipped < 0.5 for look in course.looks)
        last = course.looks[-1].accuracy
        assert course.forgotten == pytest.approx(frozen.old[-1] - last.old[-1])
        cost = frozen.old[-1] - frozen.new[-1]
        assert course.won_back == pytest.approx((last.new[-1] - frozen.new[-1]) / cost)
    for seen in (frozen, found.network, *(c.looks[-1].accuracy for c in found.courses)):
        for accuracies in (seen.new, seen.old, seen.new_by_old, seen.new_kept, seen.old_kept):
            assert len(accuracies) == 2
            assert all(0 < accuracy < 1 for accuracy in accuracies)
    assert frozen.new[-1] < frozen.old[-1]
    # the readout of before is the one of the old world, as long as nothing was learned
    assert frozen.new_kept == frozen.new_by_old
    assert frozen.old_kept == frozen.old
    assert (tmp_path / "courses.png").stat().st_size > 10_000


def test_a_course_looked_at_on_the_way_ends_where_one_without_looks_does(bundle):
    program, _ = read_bundle(bundle)
    images = images_of(program, None)
    *_, often = learn_on(program, images, (50, 120, 300), seed=2)
    (once,) = learn_on(program, images, (300,), seed=2)
    assert often.program == once.program
    assert often.gate != once.gate  # since the look before
    assert often.clipped == once.clipped  # of the whole run


def test_what_a_high_rate_clips_is_counted(bundle):
    program, _ = read_bundle(bundle)
    images = images_of(program, None)
    (slow,) = learn_on(program, images, (300,), seed=2)
    (fast,) = learn_on(with_rate(program, 8.0), images, (300,), seed=2)
    assert fast.clipped > slow.clipped
    assert fast.clipped > 0.001


def test_a_kept_readout_hears_what_the_encoder_has_become():
    """An encoder whose two features change places: the kept readout takes one for the other."""
    picture = np.zeros((200, 1, 2), np.uint8)
    labels = np.arange(200) % 2
    picture[np.arange(200), 0, labels] = 200
    world = ImageSet("d", "s", ("a", "b"), picture, labels, picture, labels)
    straight = lambda images: [images[:, 0].astype(float)]  # noqa: E731
    crossed = lambda images: [images[:, 0, ::-1].astype(float)]  # noqa: E731
    before = judge(straight, world, world, 100)
    after = judge(crossed, world, world, 100, fitted(straight, world, 100))
    assert accuracy(before) == Accuracy(*[(1.0,)] * 5)
    assert accuracy(after) == Accuracy((1.0,), (1.0,), (1.0,), (0.0,), (0.0,))
    assert accuracy(after, 150).old_kept == (0.0,)


def test_the_command_as_typed(bundle, tmp_path, capsys):
    words = "--drift new-classes --images 20 --looks 1 --train-images 100 --margin 1 --margin 0.5 "
    words += "--every 8 --rate 2"
    with pytest.raises(SystemExit) as done:
        main(["adapt", str(bundle), *words.split(), "--json", str(tmp_path / "found.json")])
    assert done.value.code == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert [c["setting"] for c in found["courses"]] == [
        {"margin": 1.0, "rate": 2.0, "every": 8},
        {"margin": 0.5, "rate": 2.0, "every": 8},
    ]
    assert found["frozen"]["new_kept"] is None
    assert [c["won_back"] for c in found["courses"]] == [None, None]
    shown = capsys.readouterr().out
    for words in ("frozen chip", "margin x 0.5", "points on the new classes", "forgotten"):
        assert words in shown


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"drift": "rotate"}, "did you mean 'rotate90'"),
        ({"drift": "dim", "images": 0}, "0 images: give at least 1"),
        ({"drift": "dim", "looks": 0}, "0 looks"),
        ({"drift": "dim", "settings": ()}, "at least one"),
        ({"drift": "dim", "settings": (Setting(margin=-1),)}, "a number above 0"),
        ({"drift": "dim", "settings": (Setting(margin=1e-12),)}, "times 1e-12"),
        ({"drift": "dim", "settings": (Setting(every=24),)}, "a power of two, at most 32"),
        ({"drift": "dim", "settings": (Setting(every=64),)}, "a power of two, at most 32"),
        ({"drift": "dim", "settings": (Setting(rate=2.0**-40),)}, r"give 2\^-\d+ to 2\^\d"),
        ({"drift": "dim", "settings": (Setting(rate=2.0**20),)}, r"give 2\^-\d+ to 2\^\d"),
        ({"drift": "dim", "settings": (Setting(rate=3.0),)}, "3 times as large: give a power of"),
        ({"drift": "dim", "settings": (Setting(rate=0.0),)}, "give a power of two"),
        ({"drift": "dim", "train_images": 401}, "each world has 400"),
        ({"drift": "dim", "train_images": 0}, "0 labelled images"),
        ({"drift": "dim", "train_images": 1}, "at least two classes"),
    ],
)
def test_what_cannot_be_is_refused_in_words(chosen, words, bundle):
    with pytest.raises(InputError, match=words):
        clapp_neuro.adapt(bundle, **chosen)


def test_what_a_program_does_not_have_cannot_be_changed(bundle):
    program, _ = read_bundle(bundle)
    with pytest.raises(InputError, match="no margin to change"):
        with_margin(replace(program, gates=()), 0.5)
    silent = tuple(replace(p, post_values=()) for p in program.populations)
    with pytest.raises(InputError, match="without post values"):
        with_rate(replace(program, populations=silent), 2.0)


def test_a_float_network_of_other_data_is_not_compared_with(bundle, model, tmp_path):
    network = load_checkpoint(model)
    data = network.experiment.data.model_copy(update={"dataset": "stl10"})
    other = network.experiment.model_copy(update={"data": data})
    save_checkpoint(tmp_path / "other.pt", replace(network, experiment=other))
    with pytest.raises(InputError, match="trained on stl10, but the program on fashion-mnist"):
        clapp_neuro.adapt(bundle, drift="dim", model=tmp_path / "other.pt")


def test_a_static_program_cannot_adapt(model, tmp_path):
    clapp_neuro.compile(model, out=tmp_path / "static.clapp", static=True)
    with pytest.raises(InputError, match="no plastic synapses"):
        clapp_neuro.adapt(tmp_path / "static.clapp", drift="dim")
