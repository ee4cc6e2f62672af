"""Figures of the paper: what they show is what was measured, and their bytes are reproducible."""

import os
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits  # comes with scikit-learn

from clapp_neuro.config import read_experiment
from clapp_neuro.data import fashion
from clapp_neuro.data.patches import image_inputs
from clapp_neuro.encoders.activity import activities
from clapp_neuro.encoders.initial import initial_weights
from clapp_neuro.errors import InputError
from clapp_neuro.reproduce.figures import COLOURS, look, patches, save
from clapp_neuro.reproduce.figures.alignment import alignment, draw_alignment
from clapp_neuro.reproduce.figures.depth import depth_curves
from clapp_neuro.reproduce.figures.embedding import draw_embedding, embed, separation
from clapp_neuro.reproduce.figures.patches import draw_preferred, preferred_patches

ENCODERS = {
    "dense-spiking": {"layers": [40, 30]},
    "conv": {"architecture": "conv", "layers": [6, 5, 7], "pool": [1, 3], "neurons": "rate"},
}
IMAGES = 60


@lru_cache
def network(encoder):
    settings = {
        "data": {"crop": 24, "patch": 8, "stride": 4, "order": "columns"},
        "encoder": ENCODERS[encoder],
        "train": {"prediction_steps": 2},
    }
    experiment = read_experiment(settings, "test")
    return SimpleNamespace(
        experiment=experiment,
        weights=initial_weights(experiment),
        images=fashion.load_shipped().test_images[:IMAGES],
    )


def find(made, neurons=3, count=4, images=None):
    images = made.images if images is None else images
    return preferred_patches(made.weights, made.experiment, images, neurons, count)


def clusters(seed=0, count=90, width=6):
    """Three clouds far from each other, and which is whose."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return random.normal(size=(count, width)) + 30 * np.eye(3, width)[labels], labels


# preferred patches


@pytest.mark.parametrize("encoder", ENCODERS)
def test_preferred_patches_are_the_strongest_of_each_image(encoder, monkeypatch):
    made = network(encoder)
    monkeypatch.setattr(patches, "IMAGES_AT_ONCE", 7)  # no divisor of the images
    found = find(made)
    config = made.experiment.data
    inputs = torch.from_numpy(image_inputs(made.images, config)).flatten(0, 1)
    every = activities(made.weights, inputs, made.experiment)
    assert [layer.layer for layer in found] == list(range(1, len(every) + 1))
    for layer, z in zip(found, every, strict=True):
        grid = z.unflatten(0, (IMAGES, config.positions)).double().numpy()
        silent = (grid == 0).all((0, 1))
        assert layer.silent == silent.sum()
        by_variance = sorted(range(grid.shape[2]), key=lambda n: -grid[..., n].var())
        chosen = [neuron for neuron in by_variance if not silent[neuron]][:3]
        assert layer.neurons.tolist() == chosen
        for row, neuron in enumerate(chosen):
            strongest = sorted(
                (-grid[image, :, neuron].max(), image, grid[image, :, neuron].argmax())
                for image in range(IMAGES)
            )[:4]
            assert layer.image[row].tolist() == [image for _, image, _ in strongest]
            assert layer.position[row].tolist() == [position for *_, position in strongest]
            np.testing.assert_allclose(layer.activity[row], [-z for z, *_ in strongest], rtol=1e-5)


def test_silent_neurons_are_left_out_and_counted():
    made = network("dense-spiking")
    weights = {name: weight.clone() for name, weight in made.weights.items()}
    before = find(made, neurons=40)
    assert before[0].silent < 10
    weights["layer1.forward"][10:] = 0
    weights["layer2.forward"][:] = 0
    first, second = preferred_patches(weights, made.experiment, made.images, 40, 2)
    assert len(first.neurons) + first.silent == 40
    assert set(first.neurons) == set(before[0].neurons) & set(range(10))
    assert second.silent == 30 and second.image.shape == (0, 2)
    draw_preferred(made.images, [first, second], made.experiment.data)
    draw_preferred(made.images, [second], made.experiment.data)


def test_equal_patches_are_taken_from_the_first_images(monkeypatch):
    made = network("dense-spiking")
    monkeypatch.setattr(patches, "IMAGES_AT_ONCE", 2)
    for layer in find(made, images=made.images[:1].repeat(5, 0)):
        assert len(layer.neurons)
        assert (layer.image == np.arange(4)).all()
        assert (layer.position == layer.position[:, :1]).all()


def test_the_box_is_around_the_patch():
    made = network("conv")
    found = find(made)
    config = made.experiment.data
    figure = draw_preferred(made.images, found, config)
    inputs = image_inputs(made.images, config)
    for axes, layer in zip(figure.axes, found, strict=True):
        assert len(axes.patches) == layer.image.size
        shown = axes.images[0].get_array()
        for box, image, place in zip(
            axes.patches, layer.image.flat, layer.position.flat, strict=True
        ):
            left, top = (int(edge + 0.5) for edge in box.get_xy())
            pixels = shown[top : top + 8, left : left + 8]
            np.testing.assert_allclose(pixels.ravel() / 255, inputs[image, place], atol=1e-6)
        assert [text.get_text() for text in axes.get_yticklabels()] == [
            str(neuron) for neuron in layer.neurons
        ]


def test_preferred_patches_that_cannot_be_found():
    made = network("conv")
    with pytest.raises(InputError, match="there are 0 images"):
        find(made, images=made.images[:0])
    with pytest.raises(InputError, match="there are 3 images"):
        find(made, images=made.images[:3])
    with pytest.raises(InputError, match="at least 1 neuron and 1 patch, not 0 and 4"):
        find(made, neurons=0)
    with pytest.raises(InputError, match="at least 1 neuron and 1 patch, not 3 and 0"):
        find(made, count=0)
    weights = {**made.weights, "layer2.bias": made.weights["layer2.bias"] * np.nan}
    with pytest.raises(InputError, match="activity of layer 2 holds NaN"):
        preferred_patches(weights, made.experiment, made.images, 3, 4)
    with pytest.raises(InputError, match="at least one layer"):
        draw_preferred(made.images, [], made.experiment.data)
    with pytest.raises(InputError, match="not found in these 1 images"):
        draw_preferred(made.images[:1], find(made), made.experiment.data)


# embedding


def test_the_embedding_keeps_clusters_apart_and_comes_from_its_seed():
    features, labels = clusters()
    with threadpool_limits(1):
        points = embed(features, 0)
        assert (embed(features, 0) == points).all()
    assert points.shape == (90, 2)
    assert separation(points, labels) == separation(features, labels) == 1
    shuffled = np.random.default_rng(1).permutation(labels)
    assert separation(points, shuffled) < 0.6


def test_separation_leaves_each_point_out():
    random = np.random.default_rng(0)
    points, labels = random.normal(size=(40, 3)), random.integers(0, 3, 40)
    right = 0
    for number, point in enumerate(points):
        distance = np.linalg.norm(points - point, axis=1)
        distance[number] = np.inf
        votes = np.bincount(labels[np.argsort(distance)[:10]], minlength=3)
        right += votes.argmax() == labels[number]
    assert separation(points, labels) == right / 40
    assert separation(points, labels + 5) == right / 40, "labels are names"


def test_few_images_have_a_smaller_perplexity():
    assert np.isfinite(embed(clusters(count=4)[0], 0)).all()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((0, 3)), "at least one"),
        (np.zeros(9), "must be"),
        (np.full((9, 3), np.nan), "NaN"),
        (np.eye(3), "at least 4 images and 2 neurons, not 3 and 3"),
        (np.arange(9.0)[:, None], "not 9 and 1"),
        (np.ones((9, 3)), "are the same"),
    ],
)
def test_features_that_cannot_be_embedded(features, message):
    with pytest.raises(InputError, match=message):
        embed(features, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y * 0), "at least two"),
        (lambda x, y: (x, y[:-1]), "as many labels"),
        (lambda x, y: (x[:10], y[:10]), "at least 11 points, not 10"),
        (lambda x, y: (x * np.inf, y), "NaN or infinite"),
    ],
)
def test_points_that_have_no_separation(change, message):
    points, labels = change(*clusters(width=2))
    with pytest.raises(InputError, match=message):
        separation(points + 0, labels)
    with pytest.raises(InputError, match=message):
        draw_embedding({"layer 1": points}, labels, ("a", "b", "c"))


def test_a_drawn_embedding_says_how_far_the_classes_lie_apart():
    points, labels = clusters(width=3)
    points = points[:, :2]
    names = ("bag", "coat", "dress")
    drawn = {f"layer {layer}": points for layer in (1, 2, 3, 4)}
    figure = draw_embedding(drawn, labels, names)
    assert len(figure.axes) == 4
    assert figure.axes[3].get_title() == "layer 4\n10-NN accuracy 100%"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(names)
    with pytest.raises(InputError, match="from 0 to 1"):
        draw_embedding(drawn, labels, names[:2])
    with pytest.raises(InputError, match=r"layer 1: .*must be \(n, 2\)"):
        draw_embedding({"layer 1": clusters()[0]}, labels, names)
    with pytest.raises(InputError, match="at least one layer"):
        draw_embedding({}, labels, names)


# alignment


def test_alignment_of_mirrored_and_of_independent_weights():
    made = network("dense-spiking")
    weights = dict(made.weights)
    assert abs(alignment(weights, 1, 2)) < 0.1  # 40² independent entries: about 1/40
    for step in ("", ".2"):
        weights[f"layer1.retrodiction{step}"] = 3 * weights[f"layer1.prediction{step}"].T
    assert alignment(weights, 1, 2) == pytest.approx(1)
    weights["layer1.retrodiction.2"] = -weights["layer1.retrodiction.2"]
    assert alignment(weights, 1, 1) == pytest.approx(1)
    assert alignment(weights, 1, 2) == pytest.approx(0, abs=1e-12)


def test_alignment_of_a_context_of_another_width():
    prediction = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
    weights = {"layer1.prediction": prediction, "layer1.retrodiction": prediction.T * 1e-30}
    assert alignment(weights, 1, 1) == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "weight", "message"),
    [
        ("layer1.retrodiction", None, "no weights layer1.retrodiction:"),
        ("layer1.prediction.2", None, r"no weights layer1.prediction.2:"),
        ("layer1.retrodiction", torch.zeros(40, 40), "is all 0"),
        ("layer1.retrodiction", torch.full((40, 40), torch.nan), "NaN"),
        ("layer1.retrodiction", torch.ones(40, 30), "transpose in shape"),
    ],
)
def test_weights_that_have_no_alignment(name, weight, message):
    weights = {**network("dense-spiking").weights, name: weight}
    if weight is None:
        del weights[name]
    with pytest.raises(InputError, match=message):
        alignment(weights, 1, 2)


def test_an_alignment_needs_a_prediction_step():
    with pytest.raises(InputError, match="at least one prediction step, not 0"):
        alignment(network("dense-spiking").weights, 1, 0)


def test_alignment_is_drawn_against_the_steps():
    figure = draw_alignment([0, 10, 100], {"layer 1": [0.0, 0.4, 0.9], "layer 2": [0.1, 0.2, 0.3]})
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert lines["layer 1"].get_xydata().tolist() == [[0, 0], [10, 0.4], [100, 0.9]]
    with pytest.raises(InputError, match="layer 1 has 2 alignments for 3 steps"):
        draw_alignment([0, 1, 2], {"layer 1": [0.0, 1.0]})
    with pytest.raises(InputError, match="NaN"):
        draw_alignment([0, 1], {"layer 1": [0.0, np.nan]})
    with pytest.raises(InputError, match="at least one curve and one step"):
        draw_alignment([], {"layer 1": []})


# depth


def test_depth_shows_mean_and_deviation_over_the_seeds():
    accuracy = {"CLAPP": [[60, 70, 80], [62, 74, 80]], "Random init.": [[60, 50]]}
    figure = depth_curves(accuracy, "STL-10")
    axes = figure.axes[0]
    first, second = axes.containers
    assert first.lines[0].get_xydata().tolist() == [[1, 61], [2, 72], [3, 80]]
    bars = [segment[:, 1].tolist() for segment in first.lines[2][0].get_segments()]
    assert np.allclose(bars, [[61 - 2**0.5, 61 + 2**0.5], [72 - 8**0.5, 72 + 8**0.5], [80, 80]])
    assert second.lines[0].get_xydata().tolist() == [[1, 60], [2, 50]]
    assert not second.has_yerr, "one seed has no deviation"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(accuracy)
    assert axes.get_title() == "STL-10" and axes.get_xticks().tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("accuracy", "message"),
    [
        ({}, "at least one method"),
        ({"CLAPP": []}, "must be"),
        ({"CLAPP": [[60, 70], [60]]}, "CLAPP: every seed"),
        ({"CLAPP": [[60, float("nan")]]}, "percentages"),
        ({"CLAPP": [[60, 101]]}, "percentages"),
    ],
)
def test_accuracies_that_are_no_table(accuracy, message):
    with pytest.raises(InputError, match=message):
        depth_curves(accuracy, "STL-10")


# files


def figures():
    made = network("conv")
    points, labels = clusters(width=2)
    return {
        "depth": depth_curves({"CLAPP": [[60, 70], [62, 74]]}, "STL-10"),
        "patches": draw_preferred(made.images, find(made), made.experiment.data),
        "embedding": draw_embedding({"layer 1": points}, labels, ("a", "b", "c")),
        "alignment": draw_alignment([0, 1], {"layer 1": [0, 1]}),
    }


def test_files_are_reproducible_to_the_byte(tmp_path):
    written = []
    for attempt in range(2):
        for name, figure in figures().items():
            save(figure, tmp_path / f"{name}.png")
        written.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        assert len(written[attempt]) == 4, "no temporary file stays"
    assert written[0] == written[1]
    for content in written[0].values():
        assert content.startswith(b"\x89PNG")
        assert b"tEXt" not in content and b"tIME" not in content and b"matplotlib" not in content


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<?xml"), ("PDF", b"%PDF")])
def test_the_ending_says_which_kind_of_picture(tmp_path, kind, start):
    written = []
    for _ in range(2):
        save(draw_alignment([0, 1], {"layer 1": [0, 1]}), tmp_path / f"figure.{kind}")
        written.append((tmp_path / f"figure.{kind}").read_bytes())
    assert written[0] == written[1] and written[0].startswith(start)
    for other in ("figure.gif", "figure"):
        with pytest.raises(InputError, match=r"end it in \.png, \.svg, \.pdf"):
            save(draw_alignment([0, 1], {"layer 1": [0, 1]}), tmp_path / other)
        assert not (tmp_path / other).exists()


def test_a_figure_is_whole_or_not_there(tmp_path, monkeypatch):
    figure = draw_alignment([0, 1], {"layer 1": [0, 1]})
    with pytest.raises(InputError, match="no folder"):
        save(figure, tmp_path / "none" / "figure.png")
    (tmp_path / "figure.png").write_bytes(b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        save(figure, tmp_path / "figure.png")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_no_two_lines_look_alike():
    looks = [tuple(look(number).values()) for number in range(20)]
    assert len(set(looks)) == 20
    assert len({marker for _, marker in looks[: len(COLOURS)]}) == len(COLOURS)
